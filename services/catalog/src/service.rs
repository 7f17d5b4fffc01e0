//! What the catalog does: each function is one use case, within the transaction of whoever calls it.

pub(crate) mod category;
pub(crate) mod image;
pub(crate) mod price;
pub(crate) mod product;
pub(crate) mod variant;

use chassis::id::Id;
use chassis::outbox;
use contract::catalog::v1 as pb;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr};

use crate::domain::variant::Name;
use crate::domain::{Product, Variant};
use crate::error::Error;
use crate::store;

/// Has changed products indexed, and tells the rest of the platform what they are now.
async fn tell(tx: &DatabaseTransaction, products: &[&Product]) -> Result<(), DbErr> {
    let events: Vec<(String, pb::ProductChanged)> =
        products.iter().map(|product| (product.id.name(), pb::ProductChanged::from(*product))).collect();
    outbox::append_many(tx, events.iter().map(|(key, event)| (key, event)).collect()).await?;
    let ids: Vec<Id<Product>> = products.iter().map(|product| product.id).collect();
    store::feed::mark(tx, &ids).await
}

/// The product, to be changed or shown whole.
async fn load(db: &impl ConnectionTrait, id: Id<Product>) -> Result<Product, Error> {
    store::product::find(db, id).await?.ok_or_else(|| Error::ProductNotFound(id.name()))
}

/// The product with its row locked, so that what is read of it stays so until the commit.
async fn load_locked(tx: &DatabaseTransaction, id: Id<Product>) -> Result<Product, Error> {
    if !store::product::lock(tx, id).await? {
        return Err(Error::ProductNotFound(id.name()));
    }
    load(tx, id).await
}

/// A variant and its product, locked. Whoever asks for a variant is told that there is none, whichever part of its name
/// is unknown.
async fn load_variant(tx: &DatabaseTransaction, name: Name) -> Result<(Product, Variant), Error> {
    let absent = || Error::VariantNotFound(name.to_string());
    let product = match load_locked(tx, name.product).await {
        Err(Error::ProductNotFound(_)) => return Err(absent()),
        found => found?,
    };
    let variant =
        product.variants.iter().find(|variant| variant.id == name.variant).cloned().ok_or_else(absent)?;
    Ok((product, variant))
}
