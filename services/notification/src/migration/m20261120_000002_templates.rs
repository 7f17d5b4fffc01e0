//! Templates, and the texts that come with the shop.
use sea_orm_migration::prelude::*;

use super::texts::TEXTS;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(
            manager,
            &["CREATE TABLE templates (
                kind TEXT NOT NULL,
                locale TEXT NOT NULL,
                channel TEXT NOT NULL CHECK (channel IN ('EMAIL', 'INBOX')),
                subject TEXT NOT NULL,
                body TEXT NOT NULL,
                update_time BIGINT NOT NULL,
                PRIMARY KEY (kind, locale, channel))"],
        )
        .await?;
        super::add_texts(manager, TEXTS).await
    }
}
