//! What a provider behind a network brings: fees, and outcomes that stay unknown until an operator looks.

use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000004_provider"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(
            manager,
            &[
                "ALTER TABLE payments ADD COLUMN fee_minor BIGINT NOT NULL DEFAULT 0",
                // Why an operator should look at it; empty where all is well.
                "ALTER TABLE payments ADD COLUMN attention TEXT NOT NULL DEFAULT ''",
                // Since when its channel has been asked for what it needs now.
                "ALTER TABLE payments ADD COLUMN wanted_since BIGINT NOT NULL DEFAULT 0",
                "UPDATE payments SET wanted_since = update_time",
                "ALTER TABLE refunds ADD COLUMN attention TEXT NOT NULL DEFAULT ''",
            ],
        )
        .await
    }
}
