//! The schema, one change after another.

mod m20261120_000001_coupons;
mod m20261120_000002_recommendations;
mod m20261121_000001_budgets;

use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseBackend, DbErr};
use sea_orm_migration::{MigrationTrait, MigratorTrait, SchemaManager};

/// Promotion's migrations.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261120_000001_coupons::Migration),
            Box::new(m20261120_000002_recommendations::Migration),
            Box::new(m20261121_000001_budgets::Migration),
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
