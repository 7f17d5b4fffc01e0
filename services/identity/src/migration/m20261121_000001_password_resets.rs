//! Codes that open an account whose password is forgotten.
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(
            manager,
            &[
                // Kept by a keyed digest of the address, known or not: asking and trying cost the same either way.
                "CREATE TABLE password_resets (
                    address_mac {bytes} NOT NULL PRIMARY KEY,
                    asked INTEGER NOT NULL,
                    window_time BIGINT NOT NULL,
                    code_mac {bytes},
                    tries INTEGER NOT NULL CHECK (tries BETWEEN 0 AND 5),
                    expire_time BIGINT NOT NULL)",
                "CREATE INDEX password_resets_window ON password_resets (window_time)",
            ],
        )
        .await
    }
}
