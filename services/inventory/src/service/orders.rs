//! What orders do to stock once they are confirmed, cancelled, returned or taken over from elsewhere.

use std::collections::BTreeSet;

use sea_orm::DatabaseTransaction;

use super::reservations::{commit_paid, load, release, take_back};
use super::stock::because;
use crate::domain::reservation::Line;
use crate::domain::{Cause, Kind, LocationId, Movement, Quantities, Reservation, Sku, State};
use crate::error::Error;
use crate::store;

/// Takes out what a confirmed order bought.
pub(crate) async fn confirmed(
    tx: &DatabaseTransaction,
    order: &str,
    bought: &Quantities,
    cause: &Cause,
) -> Result<(), Error> {
    if bought.is_empty() {
        return Ok(());
    }
    commit_paid(tx, order, cause).await
}

/// Gives back what a cancelled order held, or takes back what it had bought already.
pub(crate) async fn cancelled(
    tx: &DatabaseTransaction,
    order: &str,
    bought: &Quantities,
    cause: &Cause,
) -> Result<(), Error> {
    match load(tx, order).await? {
        Some(reservation) => match reservation.state {
            State::Held => release(tx, order, cause).await.map(drop),
            State::Committed => take_back(tx, &reservation, &reservation.still_sold(), cause).await,
            State::Released | State::Expired | State::Barred => Ok(()),
        },
        // Its confirmation may still be on its way.
        None if !bought.is_empty() => release(tx, order, cause).await.map(drop),
        None => Ok(()),
    }
}

/// Takes back what came back of an order.
pub(crate) async fn returned(
    tx: &DatabaseTransaction,
    order: &str,
    back: &Quantities,
    cause: &Cause,
) -> Result<(), Error> {
    if back.is_empty() {
        return Ok(());
    }
    let reservation = load(tx, order).await?.ok_or(Error::ReservationNotFound)?;
    take_back(tx, &reservation, back, cause).await
}

/// Takes over an order that happened elsewhere: its goods came in and went out, so on hand ends unchanged.
pub(crate) async fn imported(
    tx: &DatabaseTransaction,
    order: &str,
    bought: &Quantities,
    cause: &Cause,
) -> Result<(), Error> {
    let reservation = Reservation {
        state: State::Committed,
        create_time: cause.time,
        ..Reservation::of(order, cause.time)
    };
    if bought.is_empty() || !store::reservations::create(tx, &reservation).await? {
        return Ok(());
    }
    let location = LocationId::default_one();
    let keys: BTreeSet<_> = bought.keys().map(|sku| (sku.clone(), location.clone())).collect();
    store::stock::ensure(tx, &keys).await?;
    let movements: Vec<Movement> = bought
        .iter()
        .flat_map(|(sku, quantity)| {
            [
                Movement::new(Kind::Receipt, sku, &location, *quantity, 0),
                Movement::new(Kind::Sale, sku, &location, -quantity, 0),
            ]
        })
        .collect();
    store::journal::append(tx, &because(movements, cause)).await?;
    let line = |(sku, quantity): (&Sku, &i64)| Line {
        sku: sku.clone(),
        location: location.clone(),
        quantity: *quantity,
        returned: 0,
    };
    let lines: Vec<Line> = bought.iter().map(line).collect();
    Ok(store::reservations::add_lines(tx, &[Reservation { lines, ..reservation }]).await?)
}
