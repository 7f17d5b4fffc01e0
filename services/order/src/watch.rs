//! Watching orders: one look at the database after commits serves everyone who watches.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chassis::db::Db;
use chassis::id::Id;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::domain::Order;
use crate::error::Error;
use crate::store;

/// How long commits are gathered before looking.
const GATHER: Duration = Duration::from_millis(20);
/// How often to look where nothing was committed here: another replica may have.
const OTHERWISE: Duration = Duration::from_secs(1);
/// Orders asked for by one statement.
const IDS_MAX: usize = 500;

/// The latest committed version of each order watched.
type Watched = HashMap<Id<Order>, watch::Sender<i64>>;

/// Who watches which order.
#[derive(Clone)]
pub(crate) struct Watchers {
    db: Db,
    /// Nothing once the service stops.
    watched: Arc<Mutex<Option<Watched>>>,
}

impl Watchers {
    pub(crate) fn new(db: &Db) -> Watchers {
        Watchers { db: db.clone(), watched: Arc::new(Mutex::new(Some(HashMap::new()))) }
    }

    /// Tells the versions of an order from the one seen on. It ends when the service stops.
    pub(crate) fn watch(&self, id: Id<Order>, seen: i64) -> watch::Receiver<i64> {
        match self.watched().as_mut() {
            Some(watched) => watched.entry(id).or_insert_with(|| watch::channel(seen).0).subscribe(),
            None => watch::channel(seen).1,
        }
    }

    /// Looks after the orders watched until `shutdown`.
    pub(crate) async fn run(self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        loop {
            let committed = self.db.committed().notified();
            if let Err(error) = self.look().await {
                tracing::warn!(
                    error = chassis::status::chain(&error),
                    "cannot look after the orders watched"
                );
            }
            tokio::select! {
                () = &mut shutdown => break,
                () = committed => sleep(GATHER).await,
                () = sleep(OTHERWISE) => {}
            }
        }
        // Dropping the senders ends every stream.
        self.watched().take();
    }

    async fn look(&self) -> Result<(), Error> {
        let ids: Vec<Id<Order>> = match self.watched().as_mut() {
            Some(watched) => {
                watched.retain(|_, sender| sender.receiver_count() > 0);
                watched.keys().copied().collect()
            }
            None => Vec::new(),
        };
        for some in ids.chunks(IDS_MAX) {
            let versions = store::versions(self.db.writer(), some).await?;
            let watched = self.watched();
            for (id, version) in versions {
                if let Some(sender) = watched.as_ref().and_then(|watched| watched.get(&id)) {
                    sender.send_if_modified(|seen| std::mem::replace(seen, version) != version);
                }
            }
        }
        Ok(())
    }

    fn watched(&self) -> MutexGuard<'_, Option<Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
