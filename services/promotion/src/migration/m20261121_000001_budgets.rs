//! Budgets: how much a coupon may take off in all.

use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000001_budgets"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(
            manager,
            &[
                "ALTER TABLE coupons ADD COLUMN discount_budget_minor BIGINT CHECK (discount_budget_minor > 0)",
                "ALTER TABLE coupons ADD COLUMN discount_budget_currency CHAR(3)",
                // What was taken off in the budget's currency. It is kept only while there is a budget.
                "ALTER TABLE coupons ADD COLUMN discount_total_minor BIGINT NOT NULL DEFAULT 0
                    CHECK (discount_total_minor >= 0
                           AND (discount_budget_minor IS NULL OR discount_total_minor <= discount_budget_minor))",
            ],
        )
        .await
    }
}
