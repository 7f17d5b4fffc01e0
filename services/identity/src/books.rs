//! What identity can check by itself.
use async_trait::async_trait;
use chassis::{
    db::Db,
    operations::{Books, Finding},
};
use sea_orm::DbErr;

use crate::store;

/// The books of identity. It states no facts: nothing personal is compared across services.
pub(crate) struct Ledger;

#[async_trait]
impl Books for Ledger {
    async fn check(&self, db: &Db) -> Result<Vec<Finding>, DbErr> {
        store::findings(db.writer()).await
    }

    async fn pending(&self, db: &Db) -> Result<u64, DbErr> {
        store::outbound::count_pending(db.writer()).await
    }
}
