//! The schema of notification.
use sea_orm_migration::prelude::*;

mod m20261120_000001_messages;
mod m20261120_000002_templates;
mod texts;

/// Every change of the schema, in order.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m20261120_000001_messages::Migration), Box::new(m20261120_000002_templates::Migration)]
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
