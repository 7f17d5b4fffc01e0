//! What the roles that come with the shop may do about risk and reconciliation, where the shop is there already.
use sea_orm_migration::prelude::*;

use super::BUILT_IN;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (id, _, permissions) in BUILT_IN {
            let permissions = serde_json::json!(permissions).to_string();
            let update =
                format!("UPDATE roles SET permissions = '{permissions}' WHERE id = '{id}' AND system");
            super::run(manager, &[&update]).await?;
        }
        Ok(())
    }
}
