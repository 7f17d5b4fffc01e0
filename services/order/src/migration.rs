//! The schema, one change after another.

mod m20261120_000001_orders;

use sea_orm_migration::{MigrationTrait, MigratorTrait};

/// Brings the order database up to date.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m20261120_000001_orders::Migration)]
    }
}
