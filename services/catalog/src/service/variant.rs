//! Adding, changing and archiving variants.
use chassis::id::Id;
use chassis::time::Timestamp;
use sea_orm::DatabaseTransaction;

use super::{load_locked, load_variant, tell};
use crate::domain::product::VARIANTS_MAX;
use crate::domain::variant::{Change, Name, NewVariant, Offer, State};
use crate::domain::{Fault, Product, Variant};
use crate::error::Error;
use crate::store;

/// Adds a variant to a product.
pub(crate) async fn create(
    tx: &DatabaseTransaction,
    actor: &str,
    product: Id<Product>,
    new: NewVariant,
) -> Result<Offer, Error> {
    let mut product = load_locked(tx, product).await?;
    if product.variants.len() >= VARIANTS_MAX {
        return Err(Error::TooManyVariants);
    }
    let variant = new.make(product.id, &product.options, Timestamp::now()).map_err(inside)?;
    if !store::variant::insert(tx, &[&variant]).await?.is_empty() {
        return Err(Error::SkuTaken(variant.sku));
    }
    store::price::insert_first(tx, &[&variant], actor).await?;
    product.variants.push(variant.clone());
    tell(tx, &[&product]).await?;
    Ok(product.offer(variant))
}

/// Changes a variant, but for its SKU and price.
pub(crate) async fn update(tx: &DatabaseTransaction, name: Name, change: Change) -> Result<Offer, Error> {
    let (product, variant) = load_variant(tx, name).await?;
    let variant = variant.changed(change, &product.options, Timestamp::now()).map_err(inside)?;
    save(tx, product, variant).await
}

/// Archives a variant. One that is archived stays so.
pub(crate) async fn archive(tx: &DatabaseTransaction, name: Name) -> Result<Offer, Error> {
    let (product, variant) = load_variant(tx, name).await?;
    match variant.state {
        State::Archived => Ok(product.offer(variant)),
        State::Active => {
            let archived = Variant { state: State::Archived, update_time: Timestamp::now(), ..variant };
            save(tx, product, archived).await
        }
    }
}

async fn save(tx: &DatabaseTransaction, product: Product, variant: Variant) -> Result<Offer, Error> {
    store::variant::update(tx, &variant).await?;
    let product = product.with(variant.clone());
    tell(tx, &[&product]).await?;
    Ok(product.offer(variant))
}

fn inside(fault: Fault) -> Fault {
    Fault { field: format!("variant.{}", fault.field), ..fault }
}
