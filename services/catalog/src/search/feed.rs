//! Keeps the index up to date: woken by each commit, it reads on from where the index says it is.
use std::collections::BTreeMap;
use std::time::Duration;

use chassis::db::Db;
use chassis::id::Id;
use futures::FutureExt;
use tokio_util::sync::CancellationToken;

use super::Index;
use crate::domain::Product;
use crate::error::Error;
use crate::store;
use crate::store::feed::Cursor;

/// How many products are taken in by one commit of the index.
const BATCH: u64 = 500;
/// Changes that come this close together share a commit of the index, which costs more than one in the database.
const PAUSE: Duration = Duration::from_millis(50);
/// How often to look although nothing woke us: another replica may have written.
const EVERY: Duration = Duration::from_secs(1);

/// The one task that writes the index.
#[derive(Debug)]
pub(crate) struct Feed {
    db: Db,
    index: Index,
}

impl Feed {
    pub(crate) fn new(db: &Db, index: &Index) -> Feed {
        Feed { db: db.clone(), index: index.clone() }
    }

    /// Follows the database until shutdown.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        loop {
            // Listening begins before looking, so that no commit falls between the two.
            let mut committed = std::pin::pin!(self.db.committed().notified());
            committed.as_mut().enable();
            let pause = match self.catch_up().await {
                Ok(()) => PAUSE,
                Err(error) => {
                    tracing::warn!(error = %chassis::status::chain(&error), "the search index falls behind; it is tried again");
                    EVERY
                }
            };
            let woken = async {
                futures::future::select(committed, tokio::time::sleep(EVERY).boxed()).await;
                tokio::time::sleep(pause).await;
            };
            tokio::select! {
                () = woken => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    async fn catch_up(&self) -> Result<(), Error> {
        let mut cursor = self.index.cursor()?;
        loop {
            let changed = store::feed::changed(self.db.writer(), cursor, BATCH).await?;
            let Some(last) = changed.last().copied() else { return Ok(()) };
            self.take_in(&changed, last).await?;
            cursor = last;
        }
    }

    async fn take_in(&self, changed: &[Cursor], cursor: Cursor) -> Result<(), Error> {
        let ids: Vec<Id<Product>> = changed.iter().map(|change| change.product).collect();
        let products = store::product::find_all(self.db.writer(), &ids).await?;
        let categories: Vec<_> =
            products.iter().flat_map(|product| product.categories.iter().copied()).collect();
        let paths: BTreeMap<_, _> =
            store::feed::paths(self.db.writer(), &categories).await?.into_iter().collect();
        let index = self.index.clone();
        let applied = tokio::task::spawn_blocking(move || index.apply(&products, &paths, cursor)).await;
        applied.map_err(|error| tantivy::TantivyError::InternalError(error.to_string()))??;
        Ok(())
    }
}
