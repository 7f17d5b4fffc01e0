//! Watching shipments: whatever is watched is read again after each commit, and each second for what other replicas did.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chassis::db::Db;
use chassis::id::Id;
use chassis::status;
use futures::{Stream, stream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::domain::Shipment;
use crate::store;

/// How often everything watched is read although nothing was committed here.
const EVERY: Duration = Duration::from_secs(1);
/// Commits that follow each other this closely are read together.
const PAUSE: Duration = Duration::from_millis(20);

/// The shipments somebody watches. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Watch(Arc<Mutex<Watched>>);

type Watched = HashMap<Id<Shipment>, watch::Sender<Option<Shipment>>>;

/// The changes of a shipment that are committed from now on.
pub(crate) struct Changes(watch::Receiver<Option<Shipment>>);

impl Watch {
    /// Follows a shipment. Followed before it is read, what changes in between comes twice rather than never.
    pub(crate) fn follow(&self, id: Id<Shipment>) -> Changes {
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Changes(watched.entry(id).or_insert_with(|| watch::Sender::new(None)).subscribe())
    }

    /// Reads what is watched until shutdown. One query serves everybody who watches.
    pub(crate) async fn run(self, db: &Db, shutdown: CancellationToken) {
        loop {
            // From here on a commit is noticed, also one that happens while we read.
            let committed = db.committed().notified();
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
        let ids = self.watched();
        if ids.is_empty() {
            return Ok(());
        }
        let found = store::shipments::find_all(db.writer(), &ids).await?;
        let watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for shipment in found {
            if let Some(sender) = watched.get(&shipment.id) {
                sender.send_if_modified(|last| {
                    let changed = last.as_ref() != Some(&shipment);
                    if changed {
                        *last = Some(shipment);
                    }
                    changed
                });
            }
        }
        Ok(())
    }

    /// The shipments that are still watched; the others are forgotten.
    fn watched(&self) -> BTreeSet<Id<Shipment>> {
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|_, sender| sender.receiver_count() > 0);
        watched.keys().copied().collect()
    }
}

impl Changes {
    /// The shipment as it is, then at each change, until nothing more will happen to it.
    pub(crate) fn since(self, now: Shipment) -> impl Stream<Item = Shipment> + Send {
        stream::unfold((self.0, Some(now), None::<Shipment>), async |(mut changes, mut first, told)| {
            if told.as_ref().is_some_and(|told| told.state.is_final()) {
                return None;
            }
            loop {
                let next = match first.take() {
                    Some(first) => first,
                    None => {
                        changes.changed().await.ok()?;
                        let Some(next) = changes.borrow_and_update().clone() else { continue };
                        next
                    }
                };
                // What was read before we began, or is no news, is not told.
                let news =
                    told.as_ref().is_none_or(|told| told.update_time < next.update_time && *told != next);
                if news {
                    return Some((next.clone(), (changes, None, Some(next))));
                }
            }
        })
    }
}
