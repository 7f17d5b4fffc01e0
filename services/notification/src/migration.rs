//! The schema of notification.
use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, Statement},
};

use crate::domain::kind;

mod m20261120_000001_messages;
mod m20261120_000002_templates;
mod m20261121_000001_password_reset;
mod m20261121_000002_claim_order;
mod texts;

/// Every change of the schema, in order.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261120_000001_messages::Migration),
            Box::new(m20261120_000002_templates::Migration),
            Box::new(m20261121_000001_password_reset::Migration),
            Box::new(m20261121_000002_claim_order::Migration),
        ]
    }
}

/// Runs statements that read the same on both databases but for one type name.
async fn run(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    let postgres = manager.get_database_backend() == sea_orm::DatabaseBackend::Postgres;
    let uuid = if postgres { "UUID" } else { "BLOB" };
    for statement in statements {
        manager.get_connection().execute_unprepared(&statement.replace("{uuid}", uuid)).await?;
    }
    Ok(())
}

/// Writes texts for every channel of their kinds. What staff wrote meanwhile stays.
async fn add_texts(manager: &SchemaManager<'_>, texts: &[texts::Text]) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    for (kind, locale, subject, body) in texts {
        for channel in kind::find(kind).map(|kind| kind.channels).unwrap_or_default() {
            let statement = Statement::from_sql_and_values(
                manager.get_database_backend(),
                "INSERT INTO templates (kind, locale, channel, subject, body, update_time) VALUES ($1, $2, $3, $4, $5, 0)
                 ON CONFLICT (kind, locale, channel) DO NOTHING",
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
