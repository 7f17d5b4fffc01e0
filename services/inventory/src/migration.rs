//! The schema of inventory, one change a file.

mod m20261120_000001_stock;

use sea_orm_migration::{MigrationTrait, MigratorTrait};

/// Brings inventory's schema up to date.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m20261120_000001_stock::Migration)]
    }
}
