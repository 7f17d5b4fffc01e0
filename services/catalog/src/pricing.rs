//! Offers as the database has them now, for whoever prices an order. What is asked for at the same time is read by one query,
//! which begins after all of it was asked: nobody is told a price from before.

use std::collections::{BTreeSet, HashMap};

use chassis::db::Db;
use chassis::id::Id;
use chassis::together::{Served, Together, Wish};
use tonic::Status;

use crate::domain::Variant;
use crate::domain::variant::Offer;
use crate::error::Error;
use crate::store;

/// Reads offers past every copy.
#[derive(Clone)]
pub(crate) struct Pricing(Together<Asked>);

#[derive(Clone)]
struct Asked {
    ids: Vec<Id<Variant>>,
    skus: Vec<String>,
}

impl Wish for Asked {
    type Answer = Vec<Offer>;

    fn about(&self) -> &str {
        ""
    }

    fn size(&self) -> usize {
        self.ids.len() + self.skus.len()
    }
}

impl Pricing {
    pub(crate) fn new(db: &Db) -> Pricing {
        let db = db.clone();
        Pricing(Together::new(move |asked| {
            let db = db.clone();
            async move { read(&db, &asked).await }
        }))
    }

    /// Variants as they are offered, found by id or by SKU.
    pub(crate) async fn offers(
        &self,
        ids: Vec<Id<Variant>>,
        skus: Vec<String>,
    ) -> Result<Vec<Offer>, Status> {
        self.0.ask(Asked { ids, skus }).await
    }
}

async fn read(db: &Db, asked: &[Asked]) -> Served<Asked> {
    let ids: BTreeSet<Id<Variant>> = asked.iter().flat_map(|of| of.ids.iter().copied()).collect();
    let skus: BTreeSet<&str> = asked.iter().flat_map(|of| of.skus.iter().map(String::as_str)).collect();
    let found = store::variant::offers_now(db.writer(), &ids, &skus).await.map_err(Error::from)?;
    let by_id: HashMap<_, _> = found.iter().map(|offer| (offer.variant.id, offer)).collect();
    let by_sku: HashMap<_, _> = found.iter().map(|offer| (offer.variant.sku.as_str(), offer)).collect();
    let of_one = |of: &Asked| {
        let by_id = of.ids.iter().filter_map(|id| by_id.get(id));
        Ok(by_id
            .chain(of.skus.iter().filter_map(|sku| by_sku.get(sku.as_str())))
            .map(|of| (*of).clone())
            .collect())
    };
    Ok(asked.iter().map(of_one).collect())
}
