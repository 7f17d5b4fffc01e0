//! Setting prices, now or for later, and applying those whose time has come.
use chassis::money::Money;
use chassis::outbox;
use chassis::time::Timestamp;
use contract::catalog::v1 as pb;
use sea_orm::{DatabaseTransaction, DbErr};

use super::{load_locked, tell};
use crate::domain::Price;
use crate::domain::variant::Name;
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
    let now = Timestamp::now();
    if store::variant::find(tx, name).await?.is_none() {
        return Err(Error::VariantNotFound(name.to_string()));
    }
    let price = Price::set(name.variant, amount, from, actor, now)?;
    store::price::insert(tx, &price).await?;
    if price.apply_time.is_some() {
        reprice(tx, name, amount, now).await?;
    }
    Ok(price)
}

/// Applies a price whose time has come; false when another replica did so first.
pub(crate) async fn apply(tx: &DatabaseTransaction, name: Name, price: &Price) -> Result<bool, Error> {
    let now = Timestamp::now();
    if !store::price::apply(tx, price.id, now).await? {
        return Ok(false);
    }
    reprice(tx, name, price.amount, now).await?;
    Ok(true)
}

async fn reprice(tx: &DatabaseTransaction, name: Name, amount: Money, now: Timestamp) -> Result<(), Error> {
    let mut product = load_locked(tx, name.product).await?;
    let Some(place) = product.variants.iter_mut().find(|variant| variant.id == name.variant) else {
        return Err(Error::VariantNotFound(name.to_string()));
    };
    let variant = place.clone().priced(amount, now);
    *place = variant.clone();
    if !store::variant::reprice(tx, &variant).await? {
        return Err(Error::Database(DbErr::RecordNotUpdated));
    }
    outbox::append(tx, &name.to_string(), &pb::PriceChanged::from(&variant)).await?;
    tell(tx, &[&product]).await?;
    Ok(())
}
