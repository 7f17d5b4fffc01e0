//! The texts that bring the code by which a guest's order is claimed.
use sea_orm_migration::prelude::*;

use super::texts::CLAIM_ORDER;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::add_texts(manager, CLAIM_ORDER).await
    }
}
