//! The schema of shipping, one change a file.

mod m20261120_000001_tariff;
mod m20261120_000002_shipments;

use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr};
use sea_orm_migration::{MigrationTrait, MigratorTrait, SchemaManager};

/// Brings shipping's schema up to date.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m20261120_000001_tariff::Migration), Box::new(m20261120_000002_shipments::Migration)]
    }
}

/// Runs statements in which `{text}` and `{uuid}` stand for the database's own types. Keys sort by their bytes on both.
async fn run(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    let postgres = manager.get_database_backend() == DatabaseBackend::Postgres;
    let (text, uuid) = if postgres { ("TEXT COLLATE \"C\"", "UUID") } else { ("TEXT", "BLOB") };
    for statement in statements {
        let statement = statement.replace("{text}", text).replace("{uuid}", uuid);
        manager.get_connection().execute_unprepared(&statement).await?;
    }
    Ok(())
}
