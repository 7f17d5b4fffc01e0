//! Roles, and the set that comes with the shop.
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// Id, title and permissions of each role. Nobody who runs the shop also moves its money: admin has nothing of finance.
pub(crate) const BUILT_IN: &[(&str, &str, &[&str])] = &[
    ("customer", "Customer", &["cart.own", "order.own", "payment.own"]),
    (
        "support",
        "Customer support",
        &[
            "coupon.read",
            "message.resend",
            "order.cancel.any",
            "order.note",
            "order.read.any",
            "order.return",
            "payment.read.any",
            "refund.create",
            "session.revoke.any",
            "shipment.read.any",
            "stock.read",
            "user.disable",
            "user.read.any",
            "user.update.any",
        ],
    ),
    (
        "warehouse",
        "Warehouse",
        &[
            "order.read.any",
            "order.return",
            "shipment.read.any",
            "shipment.write",
            "stock.adjust",
            "stock.read",
            "stock.receive",
        ],
    ),
    (
        "merchandiser",
        "Merchandiser",
        &[
            "category.write",
            "coupon.read",
            "coupon.write",
            "price.write",
            "product.read.cost",
            "product.write",
            "report.read",
            "stock.read",
            "template.write",
        ],
    ),
    (
        "finance",
        "Finance",
        &[
            "ledger.read",
            "order.read.any",
            "payment.capture",
            "payment.read.any",
            "reconcile.run",
            "refund.approve",
            "refund.create",
            "report.export",
            "report.read",
        ],
    ),
    (
        "auditor",
        "Auditor",
        &[
            "audit.read",
            "audit.verify",
            "ledger.read",
            "order.read.any",
            "payment.read.any",
            "report.read",
            "shipment.read.any",
            "stock.read",
        ],
    ),
    (
        "admin",
        "Administrator",
        &[
            "audit.read",
            "audit.verify",
            "canary.write",
            "category.write",
            "config.write",
            "coupon.read",
            "coupon.write",
            "dlq.redrive",
            "message.resend",
            "order.cancel.any",
            "order.import",
            "order.note",
            "order.read.any",
            "order.return",
            "payment.read.any",
            "price.write",
            "privacy.erase",
            "privacy.export",
            "product.read.cost",
            "product.write",
            "report.export",
            "report.read",
            "role.grant",
            "saga.intervene",
            "session.revoke.any",
            "shipment.read.any",
            "shipment.write",
            "stock.adjust",
            "stock.read",
            "stock.receive",
            "template.write",
            "user.disable",
            "user.import",
            "user.read.any",
            "user.update.any",
        ],
    ),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(
            manager,
            &[
                "CREATE TABLE roles (
                    id TEXT NOT NULL PRIMARY KEY,
                    title TEXT NOT NULL,
                    permissions TEXT NOT NULL,
                    system BOOLEAN NOT NULL)",
                "CREATE TABLE user_roles (
                    user_id {uuid} NOT NULL REFERENCES users (id),
                    role_id TEXT NOT NULL REFERENCES roles (id),
                    PRIMARY KEY (user_id, role_id))",
                "CREATE INDEX user_roles_role ON user_roles (role_id)",
            ],
        )
        .await?;
        for (id, title, permissions) in BUILT_IN {
            let permissions = serde_json::json!(permissions).to_string();
            super::run(
                manager,
                &[&format!("INSERT INTO roles (id, title, permissions, system) VALUES ('{id}', '{title}', '{permissions}', TRUE)")],
            )
            .await?;
        }
        Ok(())
    }
}
