//! Taking goods in, correcting, and what every change of stock has in common.

use std::collections::{BTreeMap, BTreeSet};

use chassis::outbox;
use contract::inventory::v1 as pb;
use sea_orm::{DatabaseTransaction, DbErr};

use crate::domain::{Cause, Kind, Level, Location, LocationId, Movement, Sku, Stock, Total};
use crate::error::Error;
use crate::store;

/// Goods that came in.
#[derive(Clone, Debug)]
pub(crate) struct Receipt {
    pub(crate) sku: Sku,
    pub(crate) location: LocationId,
    pub(crate) quantity: i64,
    pub(crate) reason: String,
}

/// Takes goods in, all or nothing, and tells what there is after, receipt by receipt.
pub(crate) async fn receive(
    tx: &DatabaseTransaction,
    receipts: &[Receipt],
    cause: &Cause,
) -> Result<Vec<Stock>, Error> {
    let locations = receipts.iter().map(|receipt| &receipt.location).collect();
    if let Some(missing) = store::locations::missing(tx, &locations).await? {
        return Err(Error::LocationNotFound(missing));
    }
    let keys = receipts.iter().map(|receipt| (receipt.sku.clone(), receipt.location.clone())).collect();
    store::stock::ensure(tx, &keys).await?;
    let movement = |receipt: &Receipt| {
        Movement::new(Kind::Receipt, &receipt.sku, &receipt.location, receipt.quantity, 0)
    };
    // What is received is positive: only the limit can refuse it.
    let totals = change_totals(tx, receipts.iter().map(movement)).await?.map_err(|_| Error::TooMuch)?;
    let because = |receipt: &Receipt| Cause { reason: receipt.reason.clone(), ..cause.clone() };
    let movements: Vec<_> = receipts.iter().map(|receipt| (movement(receipt), because(receipt))).collect();
    follow(tx, &movements).await?;
    announce(tx, &totals).await?;
    let found = store::stock::find(tx, &receipts.iter().map(|receipt| receipt.sku.clone()).collect()).await?;
    let of = |receipt: &Receipt| found.iter().find(|stock| stock.sku == receipt.sku).cloned();
    Ok(receipts.iter().filter_map(of).collect())
}

/// Corrects what is on hand somewhere, never below what is reserved. A SKU that was never received has nothing to correct:
/// it is more likely misspelled.
pub(crate) async fn adjust(
    tx: &DatabaseTransaction,
    sku: &Sku,
    location: &LocationId,
    delta: i64,
    cause: &Cause,
) -> Result<Stock, Error> {
    if let Some(missing) = store::locations::missing(tx, &BTreeSet::from([location])).await? {
        return Err(Error::LocationNotFound(missing));
    }
    get(tx, sku).await?;
    store::stock::ensure(tx, &BTreeSet::from([(sku.clone(), location.clone())])).await?;
    let movement = Movement::new(Kind::Adjustment, sku, location, delta, 0);
    let refused = || if delta < 0 { Error::BelowReserved } else { Error::TooMuch };
    let totals = change_totals(tx, [movement.clone()]).await?.map_err(|_| refused())?;
    let movements = because(vec![movement], cause);
    if !store::stock::change_locations(tx, &movements).await? {
        // Enough lies elsewhere, but not here.
        return Err(Error::BelowReserved);
    }
    store::journal::append(tx, &movements).await?;
    announce(tx, &totals).await?;
    get(tx, sku).await
}

/// Says from where down a SKU is low, and tells if it is so already.
pub(crate) async fn set_threshold(
    tx: &DatabaseTransaction,
    sku: &Sku,
    low_threshold: i64,
) -> Result<Stock, Error> {
    let total = store::stock::set_threshold(tx, sku, low_threshold).await?.ok_or(Error::StockNotFound)?;
    tell_low(tx, &[total]).await?;
    get(tx, sku).await
}

async fn get(tx: &DatabaseTransaction, sku: &Sku) -> Result<Stock, Error> {
    let found = store::stock::find(tx, &BTreeSet::from([sku.clone()])).await?.pop();
    found.ok_or(Error::StockNotFound)
}

/// Makes a location.
pub(crate) async fn create_location(tx: &DatabaseTransaction, location: Location) -> Result<Location, Error> {
    if store::locations::create(tx, &location).await? {
        Ok(location)
    } else {
        Err(Error::LocationExists(location.id))
    }
}

/// Changes the totals of the SKUs that move, all or none: otherwise the SKUs that could not.
pub(crate) async fn change_totals(
    tx: &DatabaseTransaction,
    movements: impl IntoIterator<Item = Movement>,
) -> Result<Result<Vec<Total>, BTreeSet<Sku>>, DbErr> {
    let mut by: BTreeMap<Sku, Level> = BTreeMap::new();
    for movement in movements {
        let level = by.entry(movement.sku).or_default();
        level.on_hand += movement.on_hand;
        level.reserved += movement.reserved;
    }
    let totals = store::stock::change_totals(tx, &by).await?;
    let changed: BTreeSet<&Sku> = totals.iter().map(|total| &total.sku).collect();
    let refused: BTreeSet<Sku> = by.into_keys().filter(|sku| !changed.contains(sku)).collect();
    Ok(if refused.is_empty() { Ok(totals) } else { Err(refused) })
}

/// Movements that all have one cause.
pub(crate) fn because(movements: Vec<Movement>, cause: &Cause) -> Vec<(Movement, Cause)> {
    movements.into_iter().map(|movement| (movement, cause.clone())).collect()
}

/// Has locations and journal follow the totals, which were changed before and vouch for them.
pub(crate) async fn follow(tx: &DatabaseTransaction, movements: &[(Movement, Cause)]) -> Result<(), Error> {
    if !store::stock::change_locations(tx, movements).await? {
        return Err(DbErr::Custom("the locations of a SKU do not add up to its total".to_owned()).into());
    }
    Ok(store::journal::append(tx, movements).await?)
}

/// The key of all news of levels: kept in one line, whatever SKUs they name, the last word on each SKU comes last.
const LEVELS: &str = "stock";
/// SKUs told of in one event.
const LEVELS_AT_ONCE: usize = 1000;

/// Tells the rest of the platform what there is now, and what has become low.
pub(crate) async fn announce(tx: &DatabaseTransaction, totals: &[Total]) -> Result<(), DbErr> {
    let changed =
        |totals: &[Total]| pb::StockChanged { levels: totals.iter().map(pb::StockLevel::from).collect() };
    let events: Vec<_> = totals.chunks(LEVELS_AT_ONCE).map(changed).collect();
    outbox::append_many(tx, events.iter().map(|event| (LEVELS, event)).collect()).await?;
    tell_low(tx, totals).await
}

/// Announces each crossing once: the row remembers on which side of its threshold the SKU is.
async fn tell_low(tx: &DatabaseTransaction, totals: &[Total]) -> Result<(), DbErr> {
    let crossed =
        |low: bool| totals.iter().filter(move |total| total.is_low() == low && total.was_low != low);
    let skus = |low| crossed(low).map(|total| &total.sku).collect::<Vec<_>>();
    store::stock::mark_low(tx, &skus(false), false).await?;
    store::stock::mark_low(tx, &skus(true), true).await?;
    let events: Vec<_> = crossed(true).map(pb::StockLow::from).collect();
    outbox::append_many(tx, events.iter().map(|event| (&event.stock, event)).collect()).await
}
