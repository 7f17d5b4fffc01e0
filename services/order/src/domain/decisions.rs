//! What may happen to an order next: each decision gives the event, "already so", or the refusal.

use chassis::id::Id;
use chassis::money::Money;

use super::order::refund_state;
use super::{Event, Order, PaymentState, Return, ReturnState, State};

/// The reason of a cancellation the customer asked for.
pub(crate) const CANCELLED_BY_CUSTOMER: &str = "CANCELLED_BY_CUSTOMER";
/// The reason of a cancellation somebody else asked for.
pub(crate) const CANCELLED_BY_STAFF: &str = "CANCELLED_BY_STAFF";
/// The reason where promised money could not be taken.
const PAYMENT_FAILED: &str = "PAYMENT_FAILED";

/// Why something cannot happen to an order.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("the order {} is {} and cannot be cancelled any more", id.name(), state.as_str())]
    NotCancellable { id: Id<Order>, state: State },
    #[error("the order {} is {} and cannot be confirmed", id.name(), state.as_str())]
    NotConfirmable { id: Id<Order>, state: State },
    #[error("the order is to be cancelled")]
    CancellationRequested { reason: String },
    #[error("the order {} is {} and cannot be sent", id.name(), state.as_str())]
    NotShippable { id: Id<Order>, state: State },
    #[error("the order {} is {}: nothing can come back", id.name(), state.as_str())]
    NotReturnable { id: Id<Order>, state: State },
    #[error("the order has no line {0}")]
    NoSuchLine(String),
    #[error("of line {line_id} only {left} can still come back")]
    ReturnTooLarge { line_id: String, left: i64 },
    #[error("return {0} not found")]
    NoSuchReturn(Id<Return>),
    #[error("return {id} is already {state:?}")]
    ReturnClosed { id: Id<Return>, state: ReturnState },
    #[error("the order {} is still being carried out: claim it once it is confirmed", .0.name())]
    NotClaimable(Id<Order>),
}

impl Order {
    /// Whether this may happen to it. Decisions see to it; the audit looks whether they did.
    pub(crate) fn may(&self, event: &Event) -> bool {
        let is_open =
            |id: &Id<Return>| self.find_return(*id).is_ok_and(|found| found.state == ReturnState::Requested);
        match event {
            Event::Placed(_) | Event::Imported(_) => false,
            Event::CancellationRequested { .. } | Event::Confirmed { .. } => self.state == State::Placed,
            Event::Cancelled { .. } => matches!(self.state, State::Placed | State::Confirmed),
            // Payment speaks for itself, whatever has become of the order meanwhile.
            Event::PaymentCaptured { .. } | Event::PaymentVoided { .. } | Event::PaymentRefunded { .. } => {
                true
            }
            Event::Shipped { .. } => self.state == State::Confirmed,
            Event::LeftAfterCancellation { .. } => self.state == State::Cancelled && self.confirmed,
            Event::Delivered => self.state == State::Shipped,
            Event::ReturnRequested { .. } => matches!(self.state, State::Shipped | State::Delivered),
            Event::ReturnReceived { id, .. } | Event::ReturnRefused { id } => is_open(id),
            Event::Claimed { .. } => self.state != State::Placed && self.is_a_guests(),
        }
    }

    /// Secures it. Again changes nothing.
    pub(crate) fn confirm(&self, payment: Option<String>) -> Result<Option<Event>, Refused> {
        self.still_wanted()?;
        match self.state {
            State::Placed => Ok(Some(Event::Confirmed { payment })),
            State::Confirmed | State::Shipped | State::Delivered | State::Returned => Ok(None),
            State::Cancelled => Err(Refused::NotConfirmable { id: self.id, state: self.state }),
        }
    }

    /// Whether it came to nothing, so that the cart it was made of is the customer's again.
    pub(crate) fn gave_cart_back(&self) -> bool {
        self.state == State::Cancelled && !self.confirmed && !self.cart.is_empty()
    }

    /// Refuses to go on with an order that is to be cancelled.
    pub(crate) fn still_wanted(&self) -> Result<(), Refused> {
        match &self.cancel_request {
            Some(request) if self.state == State::Placed => {
                Err(Refused::CancellationRequested { reason: request.reason.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Cancels an order that has not shipped yet; while it is being carried out, asks the checkout to. Cancelling again
    /// changes nothing.
    pub(crate) fn cancel(&self, reason: &str) -> Result<Option<Event>, Refused> {
        match self.state {
            State::Placed if self.cancel_request.is_none() => {
                Ok(Some(Event::CancellationRequested { reason: reason.to_owned() }))
            }
            State::Confirmed => Ok(Some(Event::Cancelled { reason: reason.to_owned() })),
            State::Placed | State::Cancelled => Ok(None),
            State::Shipped | State::Delivered | State::Returned => {
                Err(Refused::NotCancellable { id: self.id, state: self.state })
            }
        }
    }

    /// Ends an order whose checkout has undone everything. Again changes nothing.
    pub(crate) fn abandon(&self, reason: &str) -> Result<Option<Event>, Refused> {
        match self.state {
            State::Placed => Ok(Some(Event::Cancelled { reason: reason.to_owned() })),
            State::Cancelled => Ok(None),
            State::Confirmed | State::Shipped | State::Delivered | State::Returned => {
                Err(Refused::NotCancellable { id: self.id, state: self.state })
            }
        }
    }

    /// Its goods left. Again changes nothing; of a cancelled order it is noted, because somebody must call them back.
    pub(crate) fn ship(&self, shipment: &str) -> Result<Option<Event>, Refused> {
        let shipment = shipment.to_owned();
        match self.state {
            State::Confirmed => Ok(Some(Event::Shipped { shipment })),
            State::Cancelled if self.confirmed => Ok(Some(Event::LeftAfterCancellation { shipment })),
            State::Shipped | State::Delivered | State::Returned => Ok(None),
            State::Placed | State::Cancelled => Err(Refused::NotShippable { id: self.id, state: self.state }),
        }
    }

    /// Its goods arrived. Again changes nothing.
    pub(crate) fn deliver(&self) -> Result<Option<Event>, Refused> {
        match self.state {
            State::Shipped => Ok(Some(Event::Delivered)),
            State::Delivered | State::Returned | State::Cancelled => Ok(None),
            State::Placed | State::Confirmed => Err(Refused::NotShippable { id: self.id, state: self.state }),
        }
    }

    /// Its money was taken. What came later already says more.
    pub(crate) fn captured(&self, payment: &str) -> Option<Event> {
        match self.payment_state {
            PaymentState::Pending | PaymentState::Authorized | PaymentState::Voided => {
                Some(Event::PaymentCaptured { payment: payment.to_owned() })
            }
            PaymentState::Captured | PaymentState::PartiallyRefunded | PaymentState::Refunded => None,
        }
    }

    /// Its money was given up before it was taken.
    pub(crate) fn voided(&self, payment: &str) -> Option<Event> {
        match self.payment_state {
            PaymentState::Pending | PaymentState::Authorized => {
                Some(Event::PaymentVoided { payment: payment.to_owned() })
            }
            PaymentState::Voided
            | PaymentState::Captured
            | PaymentState::PartiallyRefunded
            | PaymentState::Refunded => None,
        }
    }

    /// So much of its money was given back in all.
    pub(crate) fn refunded(&self, payment: &str, refunded: Money, captured: Money) -> Option<Event> {
        let payment = payment.to_owned();
        match (self.payment_state, refund_state(refunded, captured)) {
            (PaymentState::Refunded, _)
            | (PaymentState::PartiallyRefunded, PaymentState::PartiallyRefunded) => None,
            _ => Some(Event::PaymentRefunded { payment, refunded, captured }),
        }
    }

    /// A guest's order becomes a user's, once its checkout has ended: until then others write the guest down. The same user
    /// again changes nothing.
    pub(crate) fn claim(&self, user: &str) -> Result<Option<Event>, Refused> {
        match self.state {
            State::Placed => Err(Refused::NotClaimable(self.id)),
            State::Confirmed | State::Shipped | State::Delivered | State::Cancelled | State::Returned => {
                let claimed =
                    || Event::Claimed { customer: user.to_owned(), previous_customer: self.customer.clone() };
                Ok((self.customer != user).then(claimed))
            }
        }
    }

    /// Its promised money could not be taken: an order that has not left is cancelled.
    pub(crate) fn capture_failed(&self) -> Option<Event> {
        match self.state {
            State::Confirmed => Some(Event::Cancelled { reason: PAYMENT_FAILED.to_owned() }),
            State::Placed | State::Shipped | State::Delivered | State::Cancelled | State::Returned => None,
        }
    }
}
