//! Holding stock for orders, and letting it go.

use chassis::time::Timestamp;
use sea_orm::{DatabaseTransaction, DbErr};

use super::stock::{announce, change_totals, follow};
use crate::domain::reservation::{Line, Refusal};
use crate::domain::{Cause, Kind, LocationId, Movement, Quantities, Reservation, Sku, State, allocate};
use crate::error::Error;
use crate::store;

/// Holds stock for all lines of an order, or for none. Asking again for the same finds it held.
pub(crate) async fn reserve(
    tx: &DatabaseTransaction,
    order: &str,
    wanted: &Quantities,
    expire_time: Timestamp,
    cause: &Cause,
) -> Result<Reservation, Error> {
    let reservation = Reservation::of(order, expire_time);
    if !store::reservations::create(tx, &reservation).await? {
        let made = load(tx, order).await?.ok_or(Error::ReservationNotFound)?;
        made.reserve_again(wanted)?;
        return Ok(made);
    }
    let lines = take(tx, wanted, 0, 1, Kind::Reserve, cause).await?;
    store::reservations::set_lines(tx, reservation.id, &lines, false).await?;
    Ok(Reservation { lines, ..reservation })
}

/// Takes a quantity of each SKU from what is available, out of its locations by their priority. Each unit changes on
/// hand and reserved by what is said.
async fn take(
    tx: &DatabaseTransaction,
    wanted: &Quantities,
    on_hand: i64,
    reserved: i64,
    kind: Kind,
    cause: &Cause,
) -> Result<Vec<Line>, Error> {
    let nowhere = LocationId::default_one();
    let total = |(sku, quantity): (&Sku, &i64)| {
        Movement::new(kind, sku, &nowhere, on_hand * quantity, reserved * quantity)
    };
    let totals = match change_totals(tx, wanted.iter().map(total)).await? {
        Ok(totals) => totals,
        Err(refused) => {
            let lacking =
                wanted.iter().filter(|(sku, _)| refused.contains(*sku)).map(|(sku, wanted)| (sku, *wanted));
            return Err(Error::Insufficient(store::stock::lacking(tx, &lacking.collect()).await?));
        }
    };
    // The totals are ours until the transaction ends, so what their locations have does not change any more.
    let skus: Vec<&Sku> = wanted.keys().collect();
    let mut places = store::stock::available_places(tx, &skus).await?;
    let mut lines = Vec::new();
    for (sku, &quantity) in wanted {
        let taken = allocate(quantity, places.remove(sku).unwrap_or_default());
        lines.extend(taken.into_iter().map(|(location, quantity)| Line {
            sku: sku.clone(),
            location,
            quantity,
            returned: 0,
        }));
    }
    let movement = |line: &Line| {
        Movement::new(kind, &line.sku, &line.location, on_hand * line.quantity, reserved * line.quantity)
    };
    follow(tx, &lines.iter().map(movement).collect::<Vec<_>>(), cause).await?;
    announce(tx, &totals).await?;
    Ok(lines)
}

/// Takes out what is held for an order, as sold. Again gives the same answer.
pub(crate) async fn commit(
    tx: &DatabaseTransaction,
    order: &str,
    cause: &Cause,
) -> Result<Reservation, Error> {
    let reservation = load(tx, order).await?.ok_or(Error::ReservationNotFound)?;
    let Some(state) = reservation.commit()? else { return Ok(reservation) };
    end(tx, reservation, state, Kind::Sale, -1, cause).await
}

/// Takes out what a confirmed order bought, even if its reservation ran out before the news came: it is paid for, so
/// what is available now is taken in its place. Nothing happens where it was released: it was cancelled meanwhile.
pub(crate) async fn commit_paid(tx: &DatabaseTransaction, order: &str, cause: &Cause) -> Result<(), Error> {
    let reservation = load(tx, order).await?.ok_or(Error::ReservationNotFound)?;
    match reservation.commit() {
        Ok(None) | Err(Refusal::Released) => Ok(()),
        Ok(Some(state)) => end(tx, reservation, state, Kind::Sale, -1, cause).await.map(drop),
        Err(Refusal::Expired) => {
            tracing::warn!(
                order.id = order,
                "stock of a confirmed order had been given back; taking it again"
            );
            let lines = take(tx, &reservation.quantities(), -1, 0, Kind::Sale, cause).await?;
            store::reservations::set_lines(tx, reservation.id, &lines, true).await?;
            Ok(store::reservations::set_state(tx, reservation.id, State::Committed).await?)
        }
        Err(refusal @ (Refusal::Committed | Refusal::Differs)) => Err(refusal.into()),
    }
}

/// Gives back what is held for an order; again changes nothing. Of an order without a reservation there is nothing to
/// give back, and from now on nothing will be held for it: the request to hold may only be late.
pub(crate) async fn release(
    tx: &DatabaseTransaction,
    order: &str,
    cause: &Cause,
) -> Result<Option<Reservation>, Error> {
    let barred = Reservation { state: State::Barred, ..Reservation::of(order, cause.time) };
    if store::reservations::create(tx, &barred).await? {
        return Ok(None);
    }
    let Some(reservation) = load(tx, order).await? else { return Ok(None) };
    let Some(state) = reservation.release()? else {
        return Ok((reservation.state != State::Barred).then_some(reservation));
    };
    end(tx, reservation, state, Kind::Release, 0, cause).await.map(Some)
}

/// Gives back what is held for an order past its time. Says whether it did.
pub(crate) async fn expire(tx: &DatabaseTransaction, order: &str, cause: &Cause) -> Result<bool, Error> {
    let Some(reservation) = load(tx, order).await? else { return Ok(false) };
    let Some(state) = reservation.expire(cause.time) else { return Ok(false) };
    end(tx, reservation, state, Kind::Release, 0, cause).await?;
    Ok(true)
}

/// Takes back some of what was sold.
pub(crate) async fn take_back(
    tx: &DatabaseTransaction,
    reservation: &Reservation,
    back: &Quantities,
    cause: &Cause,
) -> Result<(), Error> {
    let movements = reservation.take_back(back)?;
    if movements.is_empty() {
        return Ok(());
    }
    let totals = change_totals(tx, movements.iter().cloned()).await?.map_err(|_| Error::TooMuch)?;
    follow(tx, &movements, cause).await?;
    store::reservations::add_returned(tx, reservation.id, &movements).await?;
    Ok(announce(tx, &totals).await?)
}

pub(crate) async fn load(tx: &DatabaseTransaction, order: &str) -> Result<Option<Reservation>, DbErr> {
    store::reservations::load(tx, order).await
}

/// Ends what is held: each unit is no longer reserved, and on hand changes by what is said.
async fn end(
    tx: &DatabaseTransaction,
    reservation: Reservation,
    state: State,
    kind: Kind,
    on_hand: i64,
    cause: &Cause,
) -> Result<Reservation, Error> {
    let movements = reservation.movements(kind, on_hand, -1);
    let contradiction = |_| DbErr::Custom("less is reserved than a reservation holds".to_owned());
    let totals = change_totals(tx, movements.iter().cloned()).await?.map_err(contradiction)?;
    follow(tx, &movements, cause).await?;
    store::reservations::set_state(tx, reservation.id, state).await?;
    announce(tx, &totals).await?;
    Ok(Reservation { state, ..reservation })
}
