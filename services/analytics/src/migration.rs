//! The schema, one change after the other.
use sea_orm_migration::{MigrationTrait, MigratorTrait};

mod m20261120_000001_analytics;

/// Brings the analytics database up to date.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m20261120_000001_analytics::Migration)]
    }
}
