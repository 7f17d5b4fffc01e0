//! What shoppers look at most, kept at hand. Prices that decide about money are never read from here.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chassis::cache::{Cache, Redis, Settings};
use chassis::db::Db;
use chassis::id::Id;
use futures::FutureExt;
use futures::future::join_all;
use sea_orm::DbErr;
use uuid::Uuid;

use crate::domain::variant::{Name, Offer};
use crate::domain::{Product, Variant};
use crate::store;

/// How long a copy is believed at most, should the word of a change be lost between processes.
const TTL: Duration = Duration::from_secs(30);
const CAPACITY: u64 = 20_000;

/// Products and offers as they were a moment ago.
#[derive(Clone, Debug)]
pub(crate) struct Views {
    db: Db,
    /// Tells the copies of this database from those of another that shares the Redis.
    generation: Uuid,
    products: Cache<Product>,
    offers: Cache<Offer>,
}

impl Views {
    pub(crate) fn new(db: &Db, generation: Uuid, redis: Option<Redis>) -> Views {
        // Nothing is remembered of what is absent: it may be made the next moment.
        let settings = Settings { capacity: CAPACITY, ttl: TTL, absent_ttl: Duration::ZERO, redis };
        Views {
            db: db.clone(),
            generation,
            products: Cache::new("catalog.products", settings.clone()),
            offers: Cache::new("catalog.offers", settings),
        }
    }

    /// A product, whole.
    pub(crate) async fn product(&self, id: Id<Product>) -> Result<Option<Product>, Arc<DbErr>> {
        let load = async || store::product::find(self.db.writer(), id).await.map_err(Arc::new);
        self.products.get_with(&self.by_product(id), load).await
    }

    /// Variants as they are offered, found by id or by SKU. Whatever is not at hand is read by one query.
    pub(crate) async fn offers(&self, ids: &[Id<Variant>], skus: &[&str]) -> Result<Vec<Offer>, Arc<DbErr>> {
        let read = async {
            let offers = store::variant::offers(self.db.writer(), ids, skus).await.map_err(Arc::new)?;
            let mut found = BTreeMap::new();
            for offer in offers {
                found.insert(self.by_sku(&offer.variant.sku), offer.clone());
                found.insert(self.by_id(offer.variant.id), offer);
            }
            Ok::<_, Arc<DbErr>>(Arc::new(found))
        };
        let read = read.boxed().shared();
        let keys = ids.iter().map(|id| self.by_id(*id)).chain(skus.iter().map(|sku| self.by_sku(sku)));
        let asked = keys.map(|key| {
            let read = read.clone();
            async move { self.offers.get_with(&key, async || Ok(read.await?.get(&key).cloned())).await }
        });
        join_all(asked).await.into_iter().filter_map(Result::transpose).collect()
    }

    /// Forgets what is known of a product, and of its variants.
    pub(crate) async fn forget(
        &self,
        product: Id<Product>,
        variants: impl IntoIterator<Item = (Id<Variant>, String)>,
    ) {
        self.products.invalidate(&self.by_product(product)).await;
        for (id, sku) in variants {
            self.offers.invalidate(&self.by_id(id)).await;
            self.offers.invalidate(&self.by_sku(&sku)).await;
        }
    }

    /// Forgets a product as the database has it.
    pub(crate) async fn forget_all_of(&self, product: Id<Product>) {
        match store::product::find(self.db.writer(), product).await {
            Ok(Some(found)) => {
                let variants = found.variants.into_iter().map(|variant| (variant.id, variant.sku));
                self.forget(product, variants).await;
            }
            Ok(None) => self.forget(product, []).await,
            Err(error) => {
                tracing::warn!(%error, "copies of a changed product are believed until their time is over")
            }
        }
    }

    /// Forgets one variant, and the product it belongs to.
    pub(crate) async fn forget_variant(&self, name: Name, sku: &str) {
        self.forget(name.product, [(name.variant, sku.to_owned())]).await;
    }

    fn by_product(&self, id: Id<Product>) -> String {
        format!("{} {id}", self.generation)
    }

    fn by_id(&self, id: Id<Variant>) -> String {
        format!("{} id {id}", self.generation)
    }

    fn by_sku(&self, sku: &str) -> String {
        format!("{} sku {sku}", self.generation)
    }
}
