//! The books of inventory: what must hold in its own tables, and what it states for others to compare.

use async_trait::async_trait;
use chassis::db::Db;
use chassis::operations::{Books, Fact, Finding};
use sea_orm::DbErr;

use crate::store::audit;

/// What inventory says of its own data.
#[derive(Debug)]
pub(crate) struct InventoryBooks;

const SOLD: &str = "inventory.sold";
const HELD: &str = "inventory.held";

#[async_trait]
impl Books for InventoryBooks {
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

    fn kinds(&self) -> &'static [&'static str] {
        &[SOLD, HELD]
    }

    async fn facts(&self, db: &Db, kind: &str, after: &str, limit: u64) -> Result<Vec<Fact>, DbErr> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let found = match kind {
            SOLD => audit::sold(db.writer(), after, limit).await?,
            HELD => audit::held(db.writer(), after, limit).await?,
            _ => Vec::new(),
        };
        let fact = |(subject, quantity)| Fact { subject, quantity, ..Fact::default() };
        Ok(found.into_iter().map(fact).collect())
    }
}
