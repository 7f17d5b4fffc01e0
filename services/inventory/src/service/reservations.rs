//! Holding stock for orders, and letting it go.

use chassis::failpoint::mutated;
use chassis::time::Timestamp;
use sea_orm::{DatabaseTransaction, DbErr};

use super::change::Change;
use super::stock::{announce, change_totals, follow};
use crate::domain::reservation::Line;
use crate::domain::{
    Cause, Kind, LocationId, Movement, Quantities, Reservation, Sku, State, allocate, subtract, sum,
};
use crate::error::Error;
use crate::store;

/// The stock an order wishes to have held.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) order: String,
    pub(crate) wanted: Quantities,
    pub(crate) expire_time: Timestamp,
    pub(crate) request_id: String,
    pub(crate) cause: Cause,
}

/// Holds stock for many orders, one wish each, in the order they came: for all lines of an order or for none. Asking
/// again for the same finds it held. However many they are, they cost about as many statements as one.
pub(crate) async fn reserve(
    tx: &DatabaseTransaction,
    wishes: &[Wish],
) -> Result<Vec<Result<Reservation, Error>>, Error> {
    let made: Vec<_> =
        wishes.iter().map(|wish| (Reservation::of(&wish.order, wish.expire_time), wish)).collect();
    let new =
        store::reservations::create_all(tx, made.iter().map(|(of, wish)| (of, &*wish.request_id))).await?;
    let skus =
        made.iter().filter(|(of, _)| new.contains(&of.id)).flat_map(|(_, wish)| wish.wanted.keys().cloned());
    let mut left = store::stock::hold_available(tx, &skus.collect()).await?;

    let (mut served, mut refused, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    for (reservation, wish) in made {
        answers.push(if !new.contains(&reservation.id) {
            Some(made_before(tx, wish).await?)
        } else if let (Err(lacking), false) = (subtract(&mut left, &wish.wanted), mutated("stock")) {
            refused.push(reservation.id);
            Some(Err(Error::Insufficient(lacking)))
        } else {
            served.push((reservation, wish));
            None
        });
    }
    store::reservations::delete(tx, &refused).await?;
    let mut held = hold(tx, served).await?.into_iter();
    Ok(answers.into_iter().filter_map(|answer| answer.or_else(|| held.next().map(Ok))).collect())
}

/// Holds stock that is there.
async fn hold(
    tx: &DatabaseTransaction,
    served: Vec<(Reservation, &Wish)>,
) -> Result<Vec<Reservation>, Error> {
    let wanted: Vec<_> = served.iter().map(|(_, wish)| (&wish.wanted, &wish.cause)).collect();
    let taken = take(tx, &wanted, Effect { kind: Kind::Reserve, on_hand: 0, reserved: 1 }).await?;
    let held: Vec<_> = served
        .into_iter()
        .zip(taken)
        .map(|((reservation, _), lines)| Reservation { lines, ..reservation })
        .collect();
    store::reservations::add_lines(tx, &held).await?;
    Ok(held)
}

/// What an order that has a reservation already is answered.
async fn made_before(tx: &DatabaseTransaction, wish: &Wish) -> Result<Result<Reservation, Error>, DbErr> {
    let Some(found) = store::reservations::find(tx, Reservation::id_of(&wish.order)).await? else {
        // It is not the order that is known, so it is the request.
        return Ok(Err(Error::RequestReused));
    };
    Ok(found.reserve_again(&wish.wanted).map(|()| found).map_err(Error::from))
}

/// What taking one unit does.
#[derive(Clone, Copy, Debug)]
struct Effect {
    kind: Kind,
    on_hand: i64,
    reserved: i64,
}

impl Effect {
    fn on(self, sku: &Sku, location: &LocationId, quantity: i64) -> Movement {
        Movement::new(self.kind, sku, location, self.on_hand * quantity, self.reserved * quantity)
    }
}

/// Takes quantities from what is available, out of the locations by their priority: all of them, or none.
async fn take(
    tx: &DatabaseTransaction,
    wanted: &[(&Quantities, &Cause)],
    effect: Effect,
) -> Result<Vec<Vec<Line>>, Error> {
    let all = sum(wanted
        .iter()
        .flat_map(|(wanted, _)| wanted.iter().map(|(sku, quantity)| (sku.clone(), *quantity))));
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let anywhere = LocationId::default_one();
    let totals =
        change_totals(tx, all.iter().map(|(sku, quantity)| effect.on(sku, &anywhere, *quantity))).await?;
    let totals = match totals {
        Ok(totals) => totals,
        Err(refused) => {
            let lacking =
                all.iter().filter(|(sku, _)| refused.contains(*sku)).map(|(sku, wanted)| (sku, *wanted));
            return Err(Error::Insufficient(store::stock::lacking(tx, &lacking.collect()).await?));
        }
    };
    // The totals are ours until the transaction ends, so what their locations have does not change any more.
    let skus: Vec<&Sku> = all.keys().collect();
    let mut places = store::stock::available_places(tx, &skus).await?;
    let mut taken = Vec::new();
    for (wanted, _) in wanted {
        let mut lines = Vec::new();
        for (sku, &quantity) in *wanted {
            for (location, quantity) in
                allocate(quantity, places.get_mut(sku).map(Vec::as_mut_slice).unwrap_or_default())
            {
                lines.push(Line { sku: sku.clone(), location, quantity, returned: 0 });
            }
        }
        taken.push(lines);
    }
    let of_one = |(lines, (_, cause)): (&Vec<Line>, &(&Quantities, &Cause))| {
        lines
            .iter()
            .map(|line| (effect.on(&line.sku, &line.location, line.quantity), (*cause).clone()))
            .collect::<Vec<_>>()
    };
    let movements: Vec<_> = taken.iter().zip(wanted).flat_map(of_one).collect();
    follow(tx, &movements).await?;
    announce(tx, &totals).await?;
    Ok(taken)
}

/// Takes out what is held for an order, as sold. Again gives the same answer.
pub(crate) async fn commit(
    tx: &DatabaseTransaction,
    order: &str,
    cause: &Cause,
) -> Result<Reservation, Error> {
    let reservation = store::reservations::load(tx, order).await?.ok_or(Error::ReservationNotFound)?;
    let Some(state) = reservation.commit()? else { return Ok(reservation) };
    end(tx, reservation, state, cause).await
}

/// Takes out what a confirmed order bought although its reservation ran out before the news came: it is paid for, so what
/// is available now is taken in its place.
pub(crate) async fn take_again(
    tx: &DatabaseTransaction,
    reservation: &Reservation,
    cause: &Cause,
) -> Result<(), Error> {
    let order = &reservation.order;
    tracing::warn!(order.id = order, "stock of a confirmed order had been given back; taking it again");
    let effect = Effect { kind: Kind::Sale, on_hand: -1, reserved: 0 };
    let taken = take(tx, &[(&reservation.quantities(), cause)], effect).await?;
    let lines = taken.into_iter().flatten().collect();
    store::reservations::delete_lines(tx, reservation.id).await?;
    store::reservations::add_lines(tx, &[Reservation { lines, ..reservation.clone() }]).await?;
    Ok(store::reservations::set_states(tx, [(reservation.id, State::Committed)]).await?)
}

/// Gives back what is held for an order; again changes nothing. Of an order without a reservation there is nothing to
/// give back, and from now on nothing will be held for it: the request to hold may only be late.
pub(crate) async fn release(
    tx: &DatabaseTransaction,
    order: &str,
    cause: &Cause,
) -> Result<Option<Reservation>, Error> {
    let barred = Reservation { state: State::Barred, ..Reservation::of(order, cause.time) };
    if !store::reservations::create_all(tx, [(&barred, "")]).await?.is_empty() {
        return Ok(None);
    }
    let Some(reservation) = store::reservations::load(tx, order).await? else { return Ok(None) };
    let Some(state) = reservation.release()? else {
        return Ok((reservation.state != State::Barred).then_some(reservation));
    };
    end(tx, reservation, state, cause).await.map(Some)
}

/// Gives back what is held for an order past its time. Says whether it did.
pub(crate) async fn expire(tx: &DatabaseTransaction, order: &str, cause: &Cause) -> Result<bool, Error> {
    let Some(reservation) = store::reservations::load(tx, order).await? else { return Ok(false) };
    let Some(state) = reservation.expire(cause.time) else { return Ok(false) };
    end(tx, reservation, state, cause).await?;
    Ok(true)
}

/// Ends what is held.
async fn end(
    tx: &DatabaseTransaction,
    reservation: Reservation,
    state: State,
    cause: &Cause,
) -> Result<Reservation, Error> {
    let mut change = Change::default();
    change.end(&reservation, state, cause);
    change.make(tx).await?;
    Ok(Reservation { state, ..reservation })
}
