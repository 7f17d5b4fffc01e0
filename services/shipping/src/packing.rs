//! Makes the shipments of paid orders: asks order what was bought and where it goes, and packs that.
//!
//! All orders that are due are taken and packed together, in two short transactions. An order is taken by a lease before it is asked about, so that two replicas do not ask at once, and written only by
//! who still holds it. No transaction is open meanwhile: a crash at any point leaves an order that is due again.

use std::slice;
use std::time::Duration;

use chassis::db::Db;
use chassis::pace::Pace;
use chassis::status;
use chassis::time::Timestamp;
use futures::{StreamExt, stream};
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::orders::{Orders, Unread};
use crate::service::fulfillments::Asked;
use crate::store::fulfillments::Leased;
use crate::{service, store};

/// Longer than order may take to answer, and we to write it down.
const LEASE: Duration = Duration::from_secs(15);
/// How many orders are asked about at once.
const AT_ONCE: usize = 16;
/// Orders packed in one round, which must end before their lease does; what is left is the next's.
const ROUND_MAX: i64 = 32;
/// An order that could not be read so often is not only slow: somebody should look.
const ATTEMPTS_QUIET: i64 = 5;

/// Makes shipments.
pub(crate) struct Packing {
    pub(crate) db: Db,
    pub(crate) orders: Orders,
    pub(crate) every: Duration,
}

impl Packing {
    /// Works on what is due until shutdown.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut pace = Pace::default();
        loop {
            pace.turn().await;
            // Made before looking, so that what commits meanwhile is not missed.
            let committed = self.db.committed().notified();
            let full = self.round().await.unwrap_or_else(|error| {
                tracing::warn!(error = status::chain(&error), "paid orders could not be looked through");
                false
            });
            if shutdown.is_cancelled() {
                return;
            }
            if full {
                pace.hurry();
                continue;
            }
            // Whether a commit or the time came first makes no difference.
            let woken = tokio::time::timeout(self.every, committed);
            if shutdown.run_until_cancelled(woken).await.is_none() {
                return;
            }
        }
    }

    /// Says whether there may be more that is due.
    async fn round(&self) -> Result<bool, Error> {
        if !store::fulfillments::any_due(self.db.writer(), Timestamp::now()).await? {
            return Ok(false);
        }
        let leased =
            self.db.write(async |tx| store::fulfillments::lease_due(tx, LEASE, ROUND_MAX).await).await?;
        let full = i64::try_from(leased.len()) == Ok(ROUND_MAX);
        let asked = stream::iter(leased).map(|leased| self.ask(leased)).buffer_unordered(AT_ONCE);
        let asked: Vec<Asked> = asked.collect().await;
        self.pack_all(&asked).await;
        Ok(full)
    }

    /// Packs orders together, or else each alone: one that cannot be packed must not be the others' undoing.
    async fn pack_all(&self, asked: &[Asked]) {
        let Err(error) = self.pack(asked).await else { return };
        tracing::debug!(error = status::chain(&error), "paid orders that are due are packed each alone");
        for one in asked {
            if let Err(error) = self.pack(slice::from_ref(one)).await {
                let (order, error) = (&one.leased.order, status::chain(&error));
                tracing::warn!(order.id = order, error, "a paid order could not be packed");
            }
        }
    }

    async fn pack(&self, asked: &[Asked]) -> Result<(), Error> {
        self.db.write(async |tx| service::fulfillments::pack_paid(tx, asked).await).await
    }

    /// Asks what was bought and where it goes.
    async fn ask(&self, leased: Leased) -> Asked {
        let unread = match self.orders.get(&leased.order).await {
            Ok(order) => return Asked { leased, answer: Ok(order) },
            Err(unread) => unread,
        };
        if leased.attempts > ATTEMPTS_QUIET {
            let (order, attempts, error) = (&leased.order, leased.attempts, status::chain(&unread));
            tracing::error!(
                order.id = order,
                attempts,
                error,
                "a paid order cannot be read; it waits for its shipment"
            );
        }
        let why = match unread {
            Unread::NotFound => "order does not know it",
            Unread::Away(_) => "order could not be asked",
            Unread::Damaged(_) => "order's answer makes no sense",
        };
        Asked { leased, answer: Err(why) }
    }
}

#[cfg(test)]
mod tests;
