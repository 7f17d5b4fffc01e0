//! What becomes of reservations, of one or of many at once: each SKU is changed and announced once, whoever's it was.

use chassis::id::Id;
use sea_orm::{DatabaseTransaction, DbErr};

use super::stock::{announce, because, change_totals, follow};
use crate::domain::reservation::TooManyBack;
use crate::domain::{Cause, Kind, Movement, Quantities, Reservation, State};
use crate::error::Error;
use crate::store;

/// Changes to make together, of reservations that were loaded in this transaction.
#[derive(Debug, Default)]
pub(crate) struct Change {
    movements: Vec<(Movement, Cause)>,
    ended: Vec<(Id<Reservation>, State)>,
    back: Vec<(Id<Reservation>, Movement)>,
}

impl Change {
    /// Ends what is held: as sold it leaves stock, or else it can be sold again.
    pub(crate) fn end(&mut self, reservation: &Reservation, state: State, cause: &Cause) {
        let (kind, on_hand) = if state == State::Committed { (Kind::Sale, -1) } else { (Kind::Release, 0) };
        self.movements.extend(because(reservation.movements(kind, on_hand, -1), cause));
        self.ended.push((reservation.id, state));
    }

    /// Closes a reservation that holds nothing any more: its stock was given back when its time ran out.
    pub(crate) fn close(&mut self, reservation: &Reservation, state: State) {
        self.ended.push((reservation.id, state));
    }

    /// Takes back some of what was sold.
    pub(crate) fn take_back(
        &mut self,
        reservation: &Reservation,
        back: &Quantities,
        cause: &Cause,
    ) -> Result<(), TooManyBack> {
        let movements = reservation.take_back(back)?;
        self.back.extend(movements.iter().map(|movement| (reservation.id, movement.clone())));
        self.movements.extend(because(movements, cause));
        Ok(())
    }

    /// Makes the changes.
    pub(crate) async fn make(self, tx: &DatabaseTransaction) -> Result<(), Error> {
        let moved = self.movements.iter().map(|(movement, _)| movement.clone());
        let Ok(totals) = change_totals(tx, moved).await? else {
            return Err(match self.back.is_empty() {
                true => DbErr::Custom("less is reserved than a reservation holds".to_owned()).into(),
                false => Error::TooMuch,
            });
        };
        follow(tx, &self.movements).await?;
        store::reservations::set_states(tx, self.ended).await?;
        store::reservations::add_returned(tx, self.back.iter().map(|(id, movement)| (*id, movement))).await?;
        Ok(announce(tx, &totals).await?)
    }
}
