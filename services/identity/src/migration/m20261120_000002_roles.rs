//! Roles, and the set that comes with the shop.
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// Id, title and permissions of each role. Nobody who runs the shop also moves its money: admin has nothing of finance.
pub(crate) const BUILT_IN: &[(&str, &str, &[&str])] = &[
    // What is one's own needs no permission.
    ("customer", "Customer", &[]),
    (
        "support",
        "Customer support",
        &[
            "coupon.read",
            "message.resend",
            "order.cancel.any",
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
            "payment.review",
            "reconcile.run",
            "refund.approve",
            "refund.create",
            "report.read",
            "risk.read",
            "risk.write",
        ],
    ),
    (
        "auditor",
        "Auditor",
        &[
            "audit.read",
            "ledger.read",
            "order.read.any",
            "payment.read.any",
            "report.read",
            "risk.read",
            "shipment.read.any",
            "stock.read",
        ],
    ),
    (
        "admin",
        "Administrator",
        &[
            "audit.read",
            "category.write",
            "coupon.read",
            "coupon.write",
            "dlq.redrive",
            "message.resend",
            "order.cancel.any",
            "order.import",
            "order.read.any",
            "order.return",
            "payment.read.any",
            "price.write",
            "privacy.erase",
            "product.write",
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

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use chassis::policy::{self, Access};

    use super::BUILT_IN;

    /// The sources of the services, where handlers ask for more than the rule of their method.
    fn handlers(folder: &Path, sources: &mut String) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let (path, name) = (entry.path(), entry.file_name());
            if path.is_dir() && name != "tests" && name != "migration" {
                handlers(&path, sources);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }

    #[test]
    fn every_permission_of_a_role_opens_something() {
        let mut sources = String::new();
        handlers(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), &mut sources);
        let demanded: BTreeSet<String> = policy::all()
            .filter_map(|method| match &method.access {
                Access::Permission(permission) => Some(permission.clone()),
                Access::Public | Access::Guest | Access::User | Access::Internal => None,
            })
            .collect();
        let granted = BUILT_IN.iter().flat_map(|(_, _, permissions)| *permissions).copied();
        let dead: BTreeSet<&str> = granted
            .filter(|permission| {
                !demanded.contains(*permission) && !sources.contains(&format!("\"{permission}\""))
            })
            .collect();
        assert!(dead.is_empty(), "no method asks for {dead:?}");
        let granted: BTreeSet<&str> =
            BUILT_IN.iter().flat_map(|(_, _, permissions)| *permissions).copied().collect();
        let closed: Vec<_> =
            demanded.iter().filter(|demanded| !granted.contains(demanded.as_str())).collect();
        assert!(closed.is_empty(), "no role may {closed:?}");
    }
}
