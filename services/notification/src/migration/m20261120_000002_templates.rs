//! Templates, and the texts that come with the shop.
use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, Statement},
};

use super::texts::TEXTS;
use crate::domain::kind;

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
        let connection = manager.get_connection();
        for (kind, locale, subject, body) in TEXTS {
            for channel in kind::find(kind).map(|kind| kind.channels).unwrap_or_default() {
                let statement = Statement::from_sql_and_values(
                    manager.get_database_backend(),
                    "INSERT INTO templates (kind, locale, channel, subject, body, update_time) VALUES ($1, $2, $3, $4, $5, 0)",
                    [
                        (*kind).into(),
                        (*locale).into(),
                        channel.as_str().into(),
                        (*subject).into(),
                        (*body).into(),
                    ],
                );
                connection.execute_raw(statement).await?;
            }
        }
        Ok(())
    }
}
