//! Setting prices, now or for later, and applying those whose time has come.
use chassis::money::Money;
use chassis::outbox;
use chassis::time::Timestamp;
use contract::catalog::v1 as pb;
use sea_orm::{DatabaseTransaction, DbErr};

use super::{load_variant, tell};
use crate::domain::variant::Name;
use crate::domain::{Price, Product, Variant};
use crate::error::Error;
use crate::store;

/// Sets a price from a time on. It holds at once where that time is not in the future.
pub(crate) async fn set(
    tx: &DatabaseTransaction,
    actor: &str,
    name: Name,
    amount: Money,
    from: Option<Timestamp>,
) -> Result<Price, Error> {
    let (product, variant) = load_variant(tx, name).await?;
    let now = Timestamp::now();
    let mut price = Price::set(name.variant, amount, from, actor, now)?;
    if price.effective_time <= now {
        let variant = variant.priced(amount, now);
        price.version = Some(variant.price_version);
        reprice(tx, product, variant).await?;
    }
    store::price::insert(tx, &price).await?;
    Ok(price)
}

/// Applies a price whose time has come; false when another replica did so first.
pub(crate) async fn apply(tx: &DatabaseTransaction, name: Name, price: &Price) -> Result<bool, Error> {
    let (product, variant) = load_variant(tx, name).await?;
    let variant = variant.priced(price.amount, Timestamp::now());
    if !store::price::apply(tx, price.id, variant.price_version).await? {
        return Ok(false);
    }
    reprice(tx, product, variant).await?;
    Ok(true)
}

async fn reprice(tx: &DatabaseTransaction, product: Product, variant: Variant) -> Result<(), Error> {
    if !store::variant::reprice(tx, &variant).await? {
        return Err(Error::Database(DbErr::RecordNotUpdated));
    }
    outbox::append(tx, &variant.name().to_string(), &pb::PriceChanged::from(&variant)).await?;
    tell(tx, &[&product.with(variant)]).await?;
    Ok(())
}
