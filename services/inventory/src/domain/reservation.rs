//! Reservations: stock held for an order, and what can become of it.

use chassis::id::{Id, Resource};
use chassis::time::Timestamp;

use super::{Kind, LocationId, Movement, Quantities, Sku, allocate, sum};

/// What became of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Held,
    Committed,
    Released,
    Expired,
    /// Released before it was made: it must not be made any more.
    Barred,
}

impl State {
    const ALL: [(State, &'static str); 5] = [
        (State::Held, "HELD"),
        (State::Committed, "COMMITTED"),
        (State::Released, "RELEASED"),
        (State::Expired, "EXPIRED"),
        (State::Barred, "BARRED"),
    ];

    /// How it is stored.
    pub(crate) fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(state, _)| *state == self).map_or("", |(_, word)| word)
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(state, _)| *state)
    }
}

/// Stock held for an order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reservation {
    pub(crate) id: Id<Reservation>,
    pub(crate) order: String,
    pub(crate) state: State,
    pub(crate) expire_time: Timestamp,
    pub(crate) create_time: Timestamp,
    pub(crate) lines: Vec<Line>,
}

/// Some of one SKU, held in one location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) sku: Sku,
    pub(crate) location: LocationId,
    pub(crate) quantity: i64,
    /// How many of them came back after they were sold.
    pub(crate) returned: i64,
}

impl Resource for Reservation {
    const COLLECTION: &'static str = "reservations";
}

/// Why a reservation cannot become what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the reservation was released")]
    Released,
    #[error("the reservation's time ran out")]
    Expired,
    #[error("the reservation was committed")]
    Committed,
    #[error("the reservation was not committed")]
    NotCommitted,
    #[error("the order already has another reservation")]
    Differs,
}

/// More came back than was sold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{wanted} of {sku} came back, but only {sold} are sold")]
pub(crate) struct TooManyBack {
    pub(crate) sku: Sku,
    pub(crate) wanted: i64,
    pub(crate) sold: i64,
}

impl Reservation {
    /// An order has one reservation at most, so its id is made of the order's.
    pub(crate) fn id_of(order: &str) -> Id<Reservation> {
        Id::derived(&["reservation", order])
    }

    /// The reservation of an order, before anything is held.
    pub(crate) fn of(order: &str, expire_time: Timestamp) -> Self {
        Self {
            id: Self::id_of(order),
            order: order.to_owned(),
            state: State::Held,
            expire_time,
            create_time: Timestamp::now(),
            lines: Vec::new(),
        }
    }

    /// Whether asking again for the same finds it as it was made.
    pub(crate) fn reserve_again(&self, wanted: &Quantities) -> Result<(), Refusal> {
        match self.state {
            State::Held | State::Committed if self.quantities() == *wanted => Ok(()),
            State::Held | State::Committed => Err(Refusal::Differs),
            State::Released | State::Barred => Err(Refusal::Released),
            State::Expired => Err(Refusal::Expired),
        }
    }

    /// Takes out what is held, as sold. Again changes nothing.
    pub(crate) fn commit(&self) -> Result<Option<State>, Refusal> {
        match self.state {
            State::Held => Ok(Some(State::Committed)),
            State::Committed => Ok(None),
            State::Released | State::Barred => Err(Refusal::Released),
            State::Expired => Err(Refusal::Expired),
        }
    }

    /// Gives back what is held. Again changes nothing.
    pub(crate) fn release(&self) -> Result<Option<State>, Refusal> {
        match self.state {
            State::Held => Ok(Some(State::Released)),
            State::Released | State::Expired | State::Barred => Ok(None),
            State::Committed => Err(Refusal::Committed),
        }
    }

    /// Gives back what is held once its time has run out; somebody else may have ended it meanwhile.
    pub(crate) fn expire(&self, now: Timestamp) -> Option<State> {
        match self.state {
            State::Held => (self.expire_time <= now).then_some(State::Expired),
            State::Committed | State::Released | State::Expired | State::Barred => None,
        }
    }

    /// How many of each SKU, in all locations together.
    pub(crate) fn quantities(&self) -> Quantities {
        sum(self.lines.iter().map(|line| (line.sku.clone(), line.quantity)))
    }

    /// The movements of its lines: by how much on hand and reserved change for each one held.
    pub(crate) fn movements(&self, kind: Kind, on_hand: i64, reserved: i64) -> Vec<Movement> {
        let movement = |line: &Line| {
            Movement::new(kind, &line.sku, &line.location, on_hand * line.quantity, reserved * line.quantity)
        };
        self.lines.iter().map(movement).collect()
    }

    /// Whether goods of it may come back: only what was sold does.
    pub(crate) fn returnable(&self) -> Result<(), Refusal> {
        match self.state {
            State::Committed => Ok(()),
            State::Held | State::Released | State::Expired | State::Barred => Err(Refusal::NotCommitted),
        }
    }

    /// What is still sold of each SKU.
    pub(crate) fn still_sold(&self) -> Quantities {
        sum(self
            .lines
            .iter()
            .filter(|line| line.quantity > line.returned)
            .map(|line| (line.sku.clone(), line.quantity - line.returned)))
    }

    /// Spreads what came back over the locations it was sold from.
    pub(crate) fn take_back(&self, back: &Quantities) -> Result<Vec<Movement>, TooManyBack> {
        let mut movements = Vec::new();
        for (sku, &wanted) in back {
            let of_sku = self.lines.iter().filter(|line| line.sku == *sku);
            let mut places: Vec<_> =
                of_sku.map(|line| (&line.location, line.quantity - line.returned)).collect();
            let taken = allocate(wanted, &mut places);
            let sold = taken.iter().map(|(_, quantity)| quantity).sum();
            if sold < wanted {
                return Err(TooManyBack { sku: sku.clone(), wanted, sold });
            }
            movements.extend(
                taken
                    .into_iter()
                    .map(|(location, quantity)| Movement::new(Kind::Return, sku, location, quantity, 0)),
            );
        }
        Ok(movements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reservation(state: State) -> Reservation {
        let line = |location: &str, quantity, returned| Line {
            sku: Sku::stored("A".into()),
            location: LocationId::stored(location.into()),
            quantity,
            returned,
        };
        let lines = vec![line("east", 3, 1), line("west", 2, 0)];
        Reservation { state, lines, ..Reservation::of("orders/1", Timestamp::from_micros(10)) }
    }

    #[test]
    fn a_reservation_is_resolved_once() {
        use State::{Barred, Committed, Expired, Held, Released};
        let table = [
            (Held, Ok(Some(Committed)), Ok(Some(Released)), Some(Expired)),
            (Committed, Ok(None), Err(Refusal::Committed), None),
            (Released, Err(Refusal::Released), Ok(None), None),
            (Expired, Err(Refusal::Expired), Ok(None), None),
            (Barred, Err(Refusal::Released), Ok(None), None),
        ];
        for (state, commit, release, expire) in table {
            let reservation = reservation(state);
            assert_eq!(reservation.commit(), commit, "{state:?}");
            assert_eq!(reservation.release(), release, "{state:?}");
            assert_eq!(reservation.expire(Timestamp::from_micros(10)), expire, "{state:?}");
        }
        assert_eq!(reservation(Held).expire(Timestamp::from_micros(9)), None);
    }

    #[test]
    fn only_what_was_sold_may_come_back() {
        assert_eq!(reservation(State::Committed).returnable(), Ok(()));
        for state in [State::Held, State::Released, State::Expired, State::Barred] {
            assert_eq!(reservation(state).returnable(), Err(Refusal::NotCommitted), "{state:?}");
        }
    }

    #[test]
    fn asking_again_for_something_else_is_refused() {
        let quantities = |quantity| Quantities::from([(Sku::stored("A".into()), quantity)]);
        assert_eq!(reservation(State::Held).reserve_again(&quantities(5)), Ok(()));
        assert_eq!(reservation(State::Held).reserve_again(&quantities(6)), Err(Refusal::Differs));
        assert_eq!(reservation(State::Barred).reserve_again(&quantities(5)), Err(Refusal::Released));
    }

    #[test]
    fn what_comes_back_lies_where_it_was_sold_from_and_never_exceeds_it() {
        let quantities = |quantity| Quantities::from([(Sku::stored("A".into()), quantity)]);
        let back = reservation(State::Committed).take_back(&quantities(3)).expect("sold");
        let back: Vec<_> =
            back.iter().map(|movement| (movement.location.as_str(), movement.on_hand)).collect();
        assert_eq!(back, [("east", 2), ("west", 1)]);
        assert_eq!(reservation(State::Committed).take_back(&quantities(5)).expect_err("too many").sold, 4);
    }
}
