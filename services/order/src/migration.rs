//! The schema, one change after another.

mod m20261120_000001_orders;
mod m20261120_000002_claims;
mod m20261121_000001_forms;

use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr};
use sea_orm_migration::{MigrationTrait, MigratorTrait, SchemaManager};

/// Brings the order database up to date.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261120_000001_orders::Migration),
            Box::new(m20261120_000002_claims::Migration),
            Box::new(m20261121_000001_forms::Migration),
        ]
    }
}

/// Runs statements that read the same on both databases but for two type names.
async fn run(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    let postgres = manager.get_database_backend() == DatabaseBackend::Postgres;
    let (uuid, bytes) = if postgres { ("UUID", "BYTEA") } else { ("BLOB", "BLOB") };
    for statement in statements {
        let statement = statement.replace("{uuid}", uuid).replace("{bytes}", bytes);
        manager.get_connection().execute_unprepared(&statement).await?;
    }
    Ok(())
}
