//! The audit that never ends: each service looks at its own books from time to time, and tells by a metric and the log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{DatabaseBackend, DbErr, Statement};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Books, Finding, look};
use crate::db::Db;
use crate::time::Timestamp;

/// A start is busy with other things.
const FIRST: Duration = Duration::from_secs(60);
/// Sagas and events are looked at for as long as they can still be acted upon; the audit looks at all.
const RECENT: Duration = Duration::from_secs(24 * 3600);

/// One service's books, looked at until shutdown.
pub(crate) struct Watch {
    db: Db,
    noun: &'static str,
    books: Option<Arc<dyn Books>>,
    every: Duration,
    owner: Uuid,
    /// How many break each invariant, as the gauge was set last.
    known: BTreeMap<&'static str, usize>,
}

impl Watch {
    pub(crate) fn new(db: &Db, noun: &'static str, books: Option<Arc<dyn Books>>, every: Duration) -> Watch {
        Watch { db: db.clone(), noun, books, every, owner: Uuid::now_v7(), known: BTreeMap::new() }
    }

    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        let mut pause = FIRST.min(self.every);
        while shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            pause = self.every;
            // A look that is cut off by the end of the process is made again by the next.
            match shutdown.run_until_cancelled(self.look()).await {
                Some(Ok(Some(findings))) => self.tell(&findings),
                Some(Ok(None)) => self.forget(),
                Some(Err(error)) => {
                    tracing::warn!(service = self.noun, %error, "the books could not be checked")
                }
                None => return,
            }
        }
    }

    /// What the books say; nothing where another replica looks.
    async fn look(&self) -> Result<Option<Vec<Finding>>, DbErr> {
        if !self.is_ours().await? {
            return Ok(None);
        }
        look(&self.db, self.books.as_deref(), Timestamp::now().minus(RECENT)).await.map(Some)
    }

    /// Tells how many break each invariant, and names those of one that got worse.
    fn tell(&mut self, findings: &[Finding]) {
        let mut now: BTreeMap<&'static str, usize> = BTreeMap::new();
        for finding in findings {
            let offenders = now.entry(finding.number).or_default();
            *offenders += finding.offenders.len();
            if *offenders > self.known.get(finding.number).copied().unwrap_or_default() {
                tracing::error!(
                    service = self.noun,
                    invariant = finding.number,
                    offenders = ?finding.offenders.iter().take(10).collect::<Vec<_>>(),
                    "the books do not balance: {}",
                    finding.invariant
                );
            }
        }
        for (number, offenders) in &now {
            self.set(number, *offenders);
        }
        self.known = now;
    }

    /// Leaves the metric to the replica that looks.
    fn forget(&mut self) {
        for number in std::mem::take(&mut self.known).into_keys() {
            self.set(number, 0);
        }
    }

    fn set(&self, number: &'static str, offenders: usize) {
        let offenders = f64::from(u32::try_from(offenders).unwrap_or(u32::MAX));
        metrics::gauge!("cartwright_audit_violations", "service" => self.noun, "invariant" => number)
            .set(offenders);
    }

    /// Of several replicas one looks, for as long as it does so regularly.
    async fn is_ours(&self) -> Result<bool, DbErr> {
        if self.db.backend() == DatabaseBackend::Sqlite {
            return Ok(true);
        }
        let now = Timestamp::now();
        let taken = self
            .db
            .execute(Statement::from_sql_and_values(
                self.db.backend(),
                "INSERT INTO lease (name, owner, fence, expire_time) VALUES ('audit', $1, 1, $2)
                 ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, expire_time = excluded.expire_time
                 WHERE lease.owner = excluded.owner OR lease.expire_time < $3",
                [self.owner.into(), now.plus(self.every * 2).micros().into(), now.micros().into()],
            ))
            .await?;
        Ok(taken.rows_affected() == 1)
    }
}
