//! The books of cart: what must hold in its own tables. It states no facts: nothing is decided by what is in a cart.

use async_trait::async_trait;
use chassis::db::Db;
use chassis::operations::{Books, Finding};
use sea_orm::DbErr;

use crate::store::audit;

/// What cart says of its own data.
#[derive(Debug)]
pub(crate) struct CartBooks;

#[async_trait]
impl Books for CartBooks {
    async fn check(&self, db: &Db) -> Result<Vec<Finding>, DbErr> {
        let mut findings = Vec::new();
        for invariant in &audit::INVARIANTS {
            let (checked, offenders) = audit::check(db.writer(), invariant).await?;
            let checked = u64::try_from(checked).unwrap_or_default();
            findings.push(Finding {
                number: invariant.number,
                invariant: invariant.what,
                checked,
                offenders,
            });
        }
        Ok(findings)
    }
}
