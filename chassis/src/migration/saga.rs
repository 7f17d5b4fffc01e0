//! Sagas, and the log of their steps.

use sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20250801_2_saga"
    }
}

/// The index of what is under way.
pub(super) struct Unfinished;

impl MigrationName for Unfinished {
    fn name(&self) -> &str {
        "m20261120_3_saga_unfinished"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Unfinished {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::run(manager, &crate::saga::migration::UNFINISHED).await
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::saga::migration::up(manager).await
    }
}
