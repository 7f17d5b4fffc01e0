//! The books of shipping: what must hold in its own tables, and what it states for others to compare.

use std::time::Duration;

use async_trait::async_trait;
use chassis::db::Db;
use chassis::operations::{Books, Fact, Finding};
use chassis::time::Timestamp;
use sea_orm::DbErr;

use crate::store::audit;

/// How long a paid order may wait for its shipment.
const WAITING_MAX: Duration = Duration::from_secs(15 * 60);

/// What shipping says of its own data.
#[derive(Debug)]
pub(crate) struct ShippingBooks;

const SENT: &str = "shipping.sent";

#[async_trait]
impl Books for ShippingBooks {
    async fn check(&self, db: &Db) -> Result<Vec<Finding>, DbErr> {
        let too_old = Timestamp::now().minus(WAITING_MAX);
        let mut findings = Vec::new();
        for invariant in &audit::INVARIANTS {
            let (checked, offenders) = audit::check(db.writer(), invariant, too_old).await?;
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
        &[SENT]
    }

    async fn facts(&self, db: &Db, kind: &str, after: &str, limit: u64) -> Result<Vec<Fact>, DbErr> {
        let found = match kind {
            SENT => audit::sent(db.writer(), after, limit).await?,
            _ => Vec::new(),
        };
        let fact = |(subject, quantity)| Fact { subject, quantity, ..Fact::default() };
        Ok(found.into_iter().map(fact).collect())
    }

    async fn pending(&self, db: &Db) -> Result<u64, DbErr> {
        Ok(u64::try_from(audit::waiting(db.writer()).await?).unwrap_or_default())
    }
}
