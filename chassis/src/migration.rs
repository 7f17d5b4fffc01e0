//! The tables the chassis keeps in every service's database. They are made before the service's own.

mod history;
mod messaging;
mod saga;

use sea_orm_migration::sea_query::{DynIden, IntoIden};
use sea_orm_migration::{MigrationTrait, MigratorTrait};

/// The chassis's migrations, counted apart from the service's.
#[derive(Debug)]
pub struct Chassis;

impl MigratorTrait for Chassis {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(messaging::Migration),
            Box::new(saga::Migration),
            Box::new(saga::Unfinished),
            Box::new(history::Migration),
        ]
    }

    fn migration_table_name() -> DynIden {
        "chassis_migrations".into_iden()
    }
}

/// For a database that needs the chassis's tables only.
#[derive(Debug)]
pub struct Nothing;

impl MigratorTrait for Nothing {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        Vec::new()
    }
}

/// Runs statements that read the same on both databases but for three type names.
async fn run(
    manager: &sea_orm_migration::SchemaManager<'_>,
    statements: &[&str],
) -> Result<(), sea_orm::DbErr> {
    use sea_orm::ConnectionTrait;

    let connection = manager.get_connection();
    let postgres = manager.get_database_backend() == sea_orm::DatabaseBackend::Postgres;
    let (serial, bytes, uuid) = if postgres {
        ("BIGSERIAL PRIMARY KEY", "BYTEA", "UUID")
    } else {
        ("INTEGER PRIMARY KEY AUTOINCREMENT", "BLOB", "BLOB")
    };
    for statement in statements {
        let statement =
            statement.replace("{serial}", serial).replace("{bytes}", bytes).replace("{uuid}", uuid);
        connection.execute_unprepared(&statement).await?;
    }
    Ok(())
}
