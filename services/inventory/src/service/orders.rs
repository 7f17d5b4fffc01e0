//! What orders do to stock once they are confirmed, cancelled, returned or taken over from elsewhere: of many orders at
//! once, each told of once, or of one.

use std::collections::BTreeSet;

use sea_orm::DatabaseTransaction;

use super::change::Change;
use super::reservations::take_again;
use crate::domain::reservation::{Line, Refusal};
use crate::domain::{Cause, Kind, LocationId, Movement, Quantities, Reservation, Sku, State};
use crate::error::Error;
use crate::store;

/// What inventory hears of an order.
#[derive(Clone, Debug)]
pub(crate) struct News {
    pub(crate) order: String,
    /// The goods it speaks of.
    pub(crate) goods: Quantities,
    pub(crate) cause: Cause,
}

fn names(news: &[News]) -> impl Iterator<Item = &str> {
    news.iter().map(|news| news.order.as_str())
}

/// Takes out what confirmed orders bought. Nothing happens where it was released: the order was cancelled meanwhile.
pub(crate) async fn confirmed(tx: &DatabaseTransaction, news: &[News]) -> Result<(), Error> {
    let found = store::reservations::load_all(tx, names(news)).await?;
    let mut change = Change::default();
    for News { order, cause, .. } in news.iter().filter(|news| !news.goods.is_empty()) {
        let reservation = found.get(order).ok_or(Error::ReservationNotFound)?;
        match reservation.commit() {
            Ok(Some(state)) => change.end(reservation, state, cause),
            Ok(None) | Err(Refusal::Released) => {}
            // It takes hold of SKUs by itself, which only alone keeps their order.
            Err(Refusal::Expired) if news.len() == 1 => return take_again(tx, reservation, cause).await,
            Err(refusal) => return Err(refusal.into()),
        }
    }
    change.make(tx).await
}

/// Gives back what cancelled orders held, or takes back what they had bought already.
pub(crate) async fn cancelled(tx: &DatabaseTransaction, news: &[News]) -> Result<(), Error> {
    // Of an order without a reservation there is nothing to give back, and from now on nothing will be held for it: the
    // request to hold, or its confirmation, may still be on its way.
    let barred = news
        .iter()
        .filter(|news| !news.goods.is_empty())
        .map(|news| Reservation { state: State::Barred, ..Reservation::of(&news.order, news.cause.time) });
    let barred: Vec<_> = barred.collect();
    store::reservations::create_all(tx, barred.iter().map(|barred| (barred, ""))).await?;
    let found = store::reservations::load_all(tx, names(news)).await?;
    let mut change = Change::default();
    for News { order, cause, .. } in news {
        let Some(reservation) = found.get(order) else { continue };
        match reservation.state {
            State::Held => change.end(reservation, State::Released, cause),
            State::Committed => change.take_back(reservation, &reservation.still_sold(), cause)?,
            // Or a confirmation that comes late would take the goods again, for an order that is cancelled.
            State::Expired => change.close(reservation, State::Released),
            State::Released | State::Barred => {}
        }
    }
    change.make(tx).await
}

/// Takes back what came back of orders. Goods that have not gone out here wait for the news that they were sold: on hand
/// they are still counted, or were sold again.
pub(crate) async fn returned(tx: &DatabaseTransaction, news: &[News]) -> Result<(), Error> {
    let found = store::reservations::load_all(tx, names(news)).await?;
    let mut change = Change::default();
    for News { order, goods, cause } in news.iter().filter(|news| !news.goods.is_empty()) {
        let reservation = found.get(order).ok_or(Error::ReservationNotFound)?;
        reservation.returnable()?;
        change.take_back(reservation, goods, cause)?;
    }
    change.make(tx).await
}

/// Takes over orders that happened elsewhere: their goods came in and went out, so on hand ends unchanged.
pub(crate) async fn imported(tx: &DatabaseTransaction, news: &[News]) -> Result<(), Error> {
    let location = LocationId::default_one();
    let line = |(sku, quantity): (&Sku, &i64)| Line {
        sku: sku.clone(),
        location: location.clone(),
        quantity: *quantity,
        returned: 0,
    };
    let sold = |News { order, goods, cause }: &News| Reservation {
        state: State::Committed,
        create_time: cause.time,
        lines: goods.iter().map(line).collect(),
        ..Reservation::of(order, cause.time)
    };
    let mut sold: Vec<_> =
        news.iter().filter(|news| !news.goods.is_empty()).map(|news| (sold(news), &news.cause)).collect();
    let new = store::reservations::create_all(tx, sold.iter().map(|(sold, _)| (sold, ""))).await?;
    sold.retain(|(sold, _)| new.contains(&sold.id));
    let lines = || sold.iter().flat_map(|(sold, cause)| sold.lines.iter().map(move |line| (line, *cause)));
    let keys: BTreeSet<_> = lines().map(|(line, _)| (line.sku.clone(), location.clone())).collect();
    store::stock::ensure(tx, &keys).await?;
    let moved = |(line, cause): (&Line, &Cause)| {
        [(Kind::Receipt, line.quantity), (Kind::Sale, -line.quantity)]
            .map(|(kind, by)| (Movement::new(kind, &line.sku, &location, by, 0), cause.clone()))
    };
    store::journal::append(tx, &lines().flat_map(moved).collect::<Vec<_>>()).await?;
    let sold: Vec<Reservation> = sold.into_iter().map(|(sold, _)| sold).collect();
    Ok(store::reservations::add_lines(tx, &sold).await?)
}
