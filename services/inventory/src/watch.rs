//! Watching stock: whatever is watched is read again after each commit, and each second for what other replicas did.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chassis::db::Db;
use chassis::status;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::domain::{Sku, Stock};
use crate::store;

/// How often everything watched is read although nothing was committed here.
const EVERY: Duration = Duration::from_secs(1);
/// Commits that follow each other this closely are read together.
const PAUSE: Duration = Duration::from_millis(20);

/// The SKUs somebody watches. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Watch(Arc<Mutex<HashMap<Sku, watch::Sender<Option<Stock>>>>>);

impl Watch {
    /// Follows a SKU: the receiver learns of each change that is committed from now on.
    pub(crate) fn follow(&self, sku: &Sku) -> watch::Receiver<Option<Stock>> {
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watched.entry(sku.clone()).or_insert_with(|| watch::Sender::new(None)).subscribe()
    }

    /// Reads what is watched until shutdown. One query serves everybody who watches.
    pub(crate) async fn run(self, db: &Db, shutdown: CancellationToken) {
        loop {
            let committed = db.committed().notified();
            tokio::pin!(committed);
            // From here on a commit is noticed, also one that happens while we read.
            committed.as_mut().enable();
            if let Err(error) = self.read(db).await {
                tracing::debug!(error = status::chain(&error), "what is watched could not be read");
            }
            let woken = async {
                // Whether a commit or the second came first makes no difference.
                let _ = tokio::time::timeout(EVERY, committed).await;
                tokio::time::sleep(PAUSE).await;
            };
            if shutdown.run_until_cancelled(woken).await.is_none() {
                return;
            }
        }
    }

    async fn read(&self, db: &Db) -> Result<(), sea_orm::DbErr> {
        let skus = self.watched();
        if skus.is_empty() {
            return Ok(());
        }
        let found = store::stock::find(db.writer(), &skus).await?;
        let watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for stock in found {
            if let Some(sender) = watched.get(&stock.sku) {
                sender.send_if_modified(|last| {
                    let changed = last.as_ref() != Some(&stock);
                    if changed {
                        *last = Some(stock);
                    }
                    changed
                });
            }
        }
        Ok(())
    }

    /// The SKUs that are still watched; the others are forgotten.
    fn watched(&self) -> BTreeSet<Sku> {
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|_, sender| sender.receiver_count() > 0);
        watched.keys().cloned().collect()
    }
}
