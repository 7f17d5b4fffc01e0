//! Goods on their way back, and what is given back for them.

use chassis::id::{Id, Resource};
use chassis::money::Money;
use chassis::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::price::worth;
use super::{Event, Order, Refused, State};

/// How far a return has got.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum ReturnState {
    Requested,
    Received,
    Refused,
}

/// Goods of one order on their way back.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Return {
    pub(crate) id: Id<Return>,
    pub(crate) state: ReturnState,
    pub(crate) lines: Vec<ReturnedLine>,
    /// What was given back; before it is received, what would be.
    pub(crate) refund: Money,
    /// The version of the event that asked for it: what the customer wrote is kept under it, apart from events.
    pub(crate) requested_version: i64,
    pub(crate) create_time: Timestamp,
    pub(crate) receive_time: Option<Timestamp>,
}

impl Resource for Return {
    const COLLECTION: &'static str = "returns";
}

/// Some of one line, and what is given back for it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct ReturnedLine {
    pub(crate) line_id: String,
    pub(crate) quantity: i64,
    pub(crate) refund: Money,
}

impl Order {
    /// Asks to send so many of some lines back; what is already on its way back counts.
    pub(crate) fn request_return(&self, id: Id<Return>, wanted: &[(String, i64)]) -> Result<Event, Refused> {
        match self.state {
            State::Shipped | State::Delivered => {}
            State::Placed | State::Confirmed | State::Cancelled | State::Returned => {
                return Err(Refused::NotReturnable { id: self.id, state: self.state });
            }
        }
        let on_their_way = |line_id: &str| -> i64 {
            let requested = self.returns.iter().filter(|other| other.state == ReturnState::Requested);
            requested
                .flat_map(|other| &other.lines)
                .filter(|line| line.line_id == line_id)
                .map(|line| line.quantity)
                .sum()
        };
        for (line_id, _) in wanted {
            let line = self.line(line_id)?;
            let together: i64 =
                wanted.iter().filter(|(other, _)| other == line_id).map(|(_, quantity)| quantity).sum();
            let left = line.quantity - line.returned - on_their_way(line_id);
            if together > left {
                return Err(Refused::ReturnTooLarge { line_id: line_id.clone(), left });
            }
        }
        Ok(Event::ReturnRequested { id, lines: self.refunds(wanted)? })
    }

    /// Takes a return in. Receiving it again changes nothing.
    pub(crate) fn receive_return(&self, id: Id<Return>) -> Result<Option<Event>, Refused> {
        let found = self.find_return(id)?;
        match found.state {
            ReturnState::Received => Ok(None),
            ReturnState::Refused => Err(Refused::ReturnClosed { id, state: found.state }),
            ReturnState::Requested => {
                // Counted anew: another return may have come or gone in between, and pennies must add up to the line.
                let wanted: Vec<_> =
                    found.lines.iter().map(|line| (line.line_id.clone(), line.quantity)).collect();
                let lines = self.refunds(&wanted)?;
                let refund = lines
                    .iter()
                    .try_fold(Money::zero(self.amounts.total.currency), |sum, line| sum.plus(line.refund));
                let refund = refund.map_err(|_| Refused::NoSuchReturn(id))?;
                Ok(Some(Event::ReturnReceived { id, lines, refund }))
            }
        }
    }

    /// Does not accept a return. Refusing it again changes nothing.
    pub(crate) fn refuse_return(&self, id: Id<Return>) -> Result<Option<Event>, Refused> {
        let found = self.find_return(id)?;
        match found.state {
            ReturnState::Requested => Ok(Some(Event::ReturnRefused { id })),
            ReturnState::Refused => Ok(None),
            ReturnState::Received => Err(Refused::ReturnClosed { id, state: found.state }),
        }
    }

    pub(crate) fn find_return(&self, id: Id<Return>) -> Result<&Return, Refused> {
        self.returns.iter().find(|other| other.id == id).ok_or(Refused::NoSuchReturn(id))
    }

    /// What is given back for pieces that come back after those that are back already: in the end, the line's total.
    fn refunds(&self, wanted: &[(String, i64)]) -> Result<Vec<ReturnedLine>, Refused> {
        let mut lines: Vec<ReturnedLine> = Vec::with_capacity(wanted.len());
        for (line_id, quantity) in wanted {
            let line = self.line(line_id)?;
            let earlier: i64 =
                lines.iter().filter(|other| other.line_id == *line_id).map(|other| other.quantity).sum();
            let before = line.returned + earlier;
            let refund = worth(line.total, before + quantity, line.quantity).minor
                - worth(line.total, before, line.quantity).minor;
            let refund = Money::new(refund, line.total.currency);
            lines.push(ReturnedLine { line_id: line_id.clone(), quantity: *quantity, refund });
        }
        Ok(lines)
    }

    fn line(&self, line_id: &str) -> Result<&super::Line, Refused> {
        self.lines
            .iter()
            .find(|line| line.line_id == line_id)
            .ok_or_else(|| Refused::NoSuchLine(line_id.to_owned()))
    }
}
