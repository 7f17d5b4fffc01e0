//! Shipments, and how they get on.

use std::time::Duration;

use chassis::id::{Id, Resource};
use chassis::time::Timestamp;

use super::tracking::Report;
use super::{Address, Happening, Quantities};

/// Goods of an order on their way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shipment {
    pub(crate) id: Id<Shipment>,
    pub(crate) order: String,
    pub(crate) customer: String,
    pub(crate) state: State,
    pub(crate) lines: Quantities,
    /// Nothing once the customer was erased.
    pub(crate) address: Option<Address>,
    pub(crate) rate: String,
    pub(crate) carrier: String,
    pub(crate) tracking_number: String,
    /// Oldest first.
    pub(crate) happenings: Vec<Happening>,
    pub(crate) create_time: Timestamp,
    pub(crate) update_time: Timestamp,
}

impl Resource for Shipment {
    const COLLECTION: &'static str = "shipments";
}

/// How far a shipment has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// To be packed.
    Pending,
    /// Handed to the carrier.
    Dispatched,
    /// On its way.
    InTransit,
    /// In the last van.
    OutForDelivery,
    /// Arrived.
    Delivered,
    /// Will not be sent.
    Cancelled,
}

/// Why a shipment cannot become what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the shipment is {from} and cannot go back to {to}")]
    Backwards { from: &'static str, to: &'static str },
    #[error("the shipment was cancelled")]
    Cancelled,
    #[error("the shipment was handed to the carrier")]
    Dispatched,
}

/// What a report changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) happening: Happening,
    /// Whether it left with this. A report may skip what came in between.
    pub(crate) left: bool,
    /// Whether it arrived with this.
    pub(crate) arrived: bool,
}

impl State {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Pending, "PENDING"),
        (Self::Dispatched, "DISPATCHED"),
        (Self::InTransit, "IN_TRANSIT"),
        (Self::OutForDelivery, "OUT_FOR_DELIVERY"),
        (Self::Delivered, "DELIVERED"),
        (Self::Cancelled, "CANCELLED"),
    ];

    pub(crate) fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(state, _)| *state == self).map_or("", |(_, word)| word)
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(state, _)| *state)
    }

    /// How far along the way it is; nothing where it will not be sent.
    fn along(self) -> Option<u8> {
        match self {
            Self::Pending => Some(0),
            Self::Dispatched => Some(1),
            Self::InTransit => Some(2),
            Self::OutForDelivery => Some(3),
            Self::Delivered => Some(4),
            Self::Cancelled => None,
        }
    }

    /// Whether nothing more will happen to it.
    pub(crate) fn is_final(self) -> bool {
        match self {
            Self::Delivered | Self::Cancelled => true,
            Self::Pending | Self::Dispatched | Self::InTransit | Self::OutForDelivery => false,
        }
    }
}

impl Shipment {
    /// Notes what happened. What is known already changes nothing; backwards it never goes.
    pub(crate) fn record(&self, report: &Report, now: Timestamp) -> Result<Option<Recorded>, Refusal> {
        let (Some(at), Some(to)) = (self.state.along(), report.state.along()) else {
            return Err(Refusal::Cancelled);
        };
        // A report that says when may be a late copy of an old one; one that does not speaks of now.
        let old = |happening: &Happening| report.tells_of(happening) && (report.time.is_some() || to == at);
        if self.happenings.iter().any(old) {
            return Ok(None);
        }
        if to < at {
            return Err(Refusal::Backwards { from: self.state.as_str(), to: report.state.as_str() });
        }
        Ok(Some(Recorded {
            happening: report.happening(now),
            left: self.state == State::Pending && report.state != State::Pending,
            arrived: self.state != State::Delivered && report.state == State::Delivered,
        }))
    }

    /// The shipment in another state. Each change is later than the one before, whatever the clock says.
    pub(crate) fn changed(self, state: State, now: Timestamp) -> Self {
        let update_time = now.max(self.update_time.plus(Duration::from_micros(1)));
        Self { state, update_time, ..self }
    }

    /// Cancels what was not handed to the carrier. Cancelling again changes nothing.
    pub(crate) fn cancel(&self) -> Result<Option<State>, Refusal> {
        match self.state {
            State::Pending => Ok(Some(State::Cancelled)),
            State::Cancelled => Ok(None),
            State::Dispatched | State::InTransit | State::OutForDelivery | State::Delivered => {
                Err(Refusal::Dispatched)
            }
        }
    }
}

/// Digits and capitals without those that are mistaken for each other.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The tracking number of a shipment: one id, one number.
pub(crate) fn tracking_number(id: Id<Shipment>) -> String {
    // The low 60 bits are the ones an id has to itself.
    let bits = id.uuid().as_u128();
    let letter =
        |place: u32| char::from(LETTERS[usize::try_from((bits >> (5 * place)) & 31).unwrap_or_default()]);
    let letters: String = (0..12).rev().map(letter).collect();
    format!("CW{letters}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipment(state: State) -> Shipment {
        let happening = |state| Happening {
            state,
            time: Timestamp::from_micros(1),
            location: "Leeds".to_owned(),
            description: String::new(),
        };
        let along = [State::Dispatched, State::InTransit, State::OutForDelivery, State::Delivered];
        Shipment {
            id: Id::new(),
            order: "orders/1".to_owned(),
            customer: "users/1".to_owned(),
            state,
            lines: Quantities::new(),
            address: None,
            rate: String::new(),
            carrier: String::new(),
            tracking_number: String::new(),
            happenings: along.into_iter().filter(|one| one.along() <= state.along()).map(happening).collect(),
            create_time: Timestamp::from_micros(0),
            update_time: Timestamp::from_micros(0),
        }
    }

    fn report(state: State) -> Report {
        Report { state, time: None, location: "York".to_owned(), description: String::new() }
    }

    #[test]
    fn a_shipment_only_goes_forward() {
        let along =
            [State::Pending, State::Dispatched, State::InTransit, State::OutForDelivery, State::Delivered];
        for (at, from) in along.into_iter().enumerate() {
            for (to, state) in along.into_iter().enumerate() {
                let recorded = shipment(from).record(&report(state), Timestamp::from_micros(2));
                assert_eq!(recorded.is_ok(), to >= at, "{from:?} to {state:?}");
            }
            let refused = shipment(State::Cancelled).record(&report(from), Timestamp::from_micros(2));
            assert_eq!(refused, Err(Refusal::Cancelled));
        }
    }

    #[test]
    fn what_is_told_again_changes_nothing() {
        let (now, leeds) = (Timestamp::from_micros(2), "Leeds".to_owned());
        let again = Report { location: leeds.clone(), ..report(State::InTransit) };
        assert_eq!(shipment(State::InTransit).record(&again, now), Ok(None));
        // Without a time it speaks of now, and now it is further.
        assert!(shipment(State::Delivered).record(&again, now).is_err());
        let late = Report { time: Some(Timestamp::from_micros(1)), ..again };
        assert_eq!(shipment(State::Delivered).record(&late, now), Ok(None));
    }

    #[test]
    fn a_report_that_skips_the_departure_tells_of_it_too() {
        let recorded = shipment(State::Pending).record(&report(State::Delivered), Timestamp::from_micros(2));
        let recorded = recorded.unwrap().unwrap();
        assert!(recorded.left && recorded.arrived);
        let recorded =
            shipment(State::Dispatched).record(&report(State::Dispatched), Timestamp::from_micros(2));
        let recorded = recorded.unwrap().unwrap();
        assert!(!recorded.left && !recorded.arrived);
    }

    #[test]
    fn only_what_was_not_handed_over_can_be_cancelled() {
        assert_eq!(shipment(State::Pending).cancel(), Ok(Some(State::Cancelled)));
        assert_eq!(shipment(State::Cancelled).cancel(), Ok(None));
        for state in [State::Dispatched, State::InTransit, State::OutForDelivery, State::Delivered] {
            assert_eq!(shipment(state).cancel(), Err(Refusal::Dispatched), "{state:?}");
        }
    }

    #[test]
    fn each_shipment_has_its_own_tracking_number() {
        let id = Id::derived(&["shipment", "orders/1"]);
        assert_eq!(tracking_number(id), tracking_number(id));
        assert_ne!(tracking_number(id), tracking_number(Id::new()));
        assert_eq!(tracking_number(id).len(), 14);
    }
}
