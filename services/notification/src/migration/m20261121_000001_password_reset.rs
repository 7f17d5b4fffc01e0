//! The texts that bring the code for a new password.
use sea_orm_migration::prelude::*;

use super::texts::PASSWORD_RESET;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::add_texts(manager, PASSWORD_RESET).await
    }
}
