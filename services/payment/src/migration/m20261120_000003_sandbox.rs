//! The sandbox channel's own book, as a provider keeps one on its side.

use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261120_000003_sandbox"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(
            manager,
            &[
                "CREATE TABLE sandbox_calls (
                    key {name} NOT NULL PRIMARY KEY,
                    kind TEXT NOT NULL CHECK (kind IN ('AUTHORIZE', 'CAPTURE', 'VOID', 'REFUND')),
                    authorization_key {name} NOT NULL,
                    token TEXT NOT NULL,
                    amount_minor BIGINT NOT NULL,
                    amount_currency TEXT NOT NULL,
                    tries BIGINT NOT NULL,
                    done BOOLEAN NOT NULL,
                    refusal TEXT NOT NULL,
                    reference TEXT NOT NULL,
                    create_time BIGINT NOT NULL)",
                "CREATE INDEX sandbox_calls_of ON sandbox_calls (authorization_key, kind)",
            ],
        )
        .await
    }
}
