//! The schema, one change after another.

mod m20261120_000001_payments;
mod m20261120_000002_ledger;
mod m20261120_000003_sandbox;
mod m20261121_000004_provider;
mod m20261121_000005_announcements;
mod m20261128_000006_statements;
mod m20261128_000007_risk;
mod m20261128_000008_reconciliation;

use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseBackend, DbErr};
use sea_orm_migration::{MigrationTrait, MigratorTrait, SchemaManager};

/// Payment's migrations.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261120_000001_payments::Migration),
            Box::new(m20261120_000002_ledger::Migration),
            Box::new(m20261120_000003_sandbox::Migration),
            Box::new(m20261121_000004_provider::Migration),
            Box::new(m20261121_000005_announcements::Migration),
            Box::new(m20261128_000006_statements::Migration),
            Box::new(m20261128_000007_risk::Migration),
            Box::new(m20261128_000008_reconciliation::Migration),
        ]
    }
}

/// Runs statements that read the same on both databases but for two type names. Names sort by bytes on both.
async fn run(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    let postgres = manager.get_database_backend() == DatabaseBackend::Postgres;
    let (uuid, name) = if postgres { ("UUID", "TEXT COLLATE \"C\"") } else { ("BLOB", "TEXT") };
    for statement in statements {
        let statement = statement.replace("{uuid}", uuid).replace("{name}", name);
        manager.get_connection().execute_unprepared(&statement).await?;
    }
    Ok(())
}
