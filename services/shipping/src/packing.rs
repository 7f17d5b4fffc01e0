//! Makes the shipments of paid orders: asks order what was bought and where it goes, and packs that.
//!
//! An order is taken by a lease before it is asked about, so that two replicas do not ask at once, and written only by
//! who still holds it. No transaction is open meanwhile: a crash at any point leaves an order that is due again.

use std::time::Duration;

use chassis::db::Db;
use chassis::status;
use chassis::time::Timestamp;
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::orders::{Orders, Unread};
use crate::{service, store};

/// Longer than order may take to answer, and we to write it down.
const LEASE: Duration = Duration::from_secs(15);
/// How many orders are asked about at once.
const AT_ONCE: usize = 8;
/// Orders looked at in one round; what is left is the next's.
const ROUND_MAX: i64 = 256;
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
        loop {
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
        let due = store::fulfillments::due(self.db.writer(), Timestamp::now(), ROUND_MAX).await?;
        let full = i64::try_from(due.len()) == Ok(ROUND_MAX);
        let each = due.into_iter().map(|order| async move {
            if let Err(error) = self.pack(&order).await {
                tracing::warn!(
                    order.id = order,
                    error = status::chain(&error),
                    "a paid order could not be packed"
                );
            }
        });
        futures::stream::iter(each).buffer_unordered(AT_ONCE).collect::<()>().await;
        Ok(full)
    }

    async fn pack(&self, order: &str) -> Result<(), Error> {
        let leased = self.db.write(async |tx| store::fulfillments::lease(tx, order, LEASE).await).await?;
        let Some(leased) = leased else { return Ok(()) };
        match self.orders.get(order).await {
            Ok(order) => {
                self.db.write(async |tx| service::fulfillments::pack_paid(tx, &leased, &order).await).await
            }
            Err(unread) => {
                if leased.attempts > ATTEMPTS_QUIET {
                    let (attempts, error) = (leased.attempts, status::chain(&unread));
                    tracing::error!(
                        order.id = order,
                        attempts,
                        error,
                        "a paid order cannot be read; it waits for its shipment"
                    );
                }
                let reason = match unread {
                    Unread::NotFound => "order does not know it",
                    Unread::Away(_) => "order could not be asked",
                    Unread::Damaged(_) => "order's answer makes no sense",
                };
                self.db.write(async |tx| service::fulfillments::postpone(tx, &leased, reason).await).await
            }
        }
    }
}
