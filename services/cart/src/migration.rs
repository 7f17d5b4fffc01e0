//! The schema of cart, one change a file.

mod m20261120_000001_carts;
mod m20261129_000001_closed;

use sea_orm_migration::{MigrationTrait, MigratorTrait};

/// Brings cart's schema up to date.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m20261120_000001_carts::Migration), Box::new(m20261129_000001_closed::Migration)]
    }
}
