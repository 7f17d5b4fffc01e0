//! The way to carts that have been closed for long.

use sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261129_000001_closed"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let index = "CREATE INDEX carts_closed ON carts (update_time) WHERE state IN ('ORDERED', 'MERGED')";
        manager.get_connection().execute_unprepared(index).await?;
        Ok(())
    }
}
