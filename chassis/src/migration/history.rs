//! How far each announcer's outbox is known here, and the way to requests that are old.

use sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261120_1_history"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(
            manager,
            &[
                "CREATE TABLE heard (
                    source TEXT NOT NULL PRIMARY KEY,
                    kinds TEXT NOT NULL,
                    sequence BIGINT NOT NULL,
                    update_time BIGINT NOT NULL)",
                "CREATE INDEX requests_by_time ON requests (create_time)",
            ],
        )
        .await
    }
}
