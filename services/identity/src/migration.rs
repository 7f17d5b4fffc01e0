//! The schema of identity.
use sea_orm_migration::prelude::*;

mod m20261120_000001_people;
mod m20261120_000002_roles;
mod m20261121_000001_password_resets;
mod m20261128_000001_money_roles;

pub(crate) use m20261120_000002_roles::BUILT_IN;

/// Every change of the schema, in order.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261120_000001_people::Migration),
            Box::new(m20261120_000002_roles::Migration),
            Box::new(m20261121_000001_password_resets::Migration),
            Box::new(m20261128_000001_money_roles::Migration),
        ]
    }
}

/// Runs statements that read the same on both databases but for two type names.
async fn run(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    let postgres = manager.get_database_backend() == sea_orm::DatabaseBackend::Postgres;
    let (bytes, uuid) = if postgres { ("BYTEA", "UUID") } else { ("BLOB", "BLOB") };
    for statement in statements {
        let statement = statement.replace("{bytes}", bytes).replace("{uuid}", uuid);
        manager.get_connection().execute_unprepared(&statement).await?;
    }
    Ok(())
}
