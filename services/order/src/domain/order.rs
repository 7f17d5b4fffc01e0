//! An order as its events amount to it.

use chassis::id::{Id, Resource};
use chassis::money::Money;
use chassis::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Amounts, Event, Line, Number, Recorded, Return, ReturnState, ReturnedLine};

/// How far an order has got.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum State {
    Placed,
    Confirmed,
    Shipped,
    Delivered,
    Cancelled,
    Returned,
}

impl State {
    /// As it is stored and told to operators.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            State::Placed => "PLACED",
            State::Confirmed => "CONFIRMED",
            State::Shipped => "SHIPPED",
            State::Delivered => "DELIVERED",
            State::Cancelled => "CANCELLED",
            State::Returned => "RETURNED",
        }
    }
}

/// How far its payment has got.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum PaymentState {
    Pending,
    Authorized,
    Captured,
    Voided,
    PartiallyRefunded,
    Refunded,
}

impl PaymentState {
    /// As it is stored.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            PaymentState::Pending => "PENDING",
            PaymentState::Authorized => "AUTHORIZED",
            PaymentState::Captured => "CAPTURED",
            PaymentState::Voided => "VOIDED",
            PaymentState::PartiallyRefunded => "PARTIALLY_REFUNDED",
            PaymentState::Refunded => "REFUNDED",
        }
    }
}

/// A state the order got into.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Transition {
    pub(crate) state: State,
    pub(crate) time: Timestamp,
    pub(crate) actor: String,
    pub(crate) reason: String,
    /// The event behind it.
    pub(crate) version: i64,
}

/// A wish to cancel, heard while the checkout was running.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct CancelRequest {
    pub(crate) reason: String,
    /// The event behind it.
    pub(crate) version: i64,
}

/// A purchase.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Order {
    pub(crate) id: Id<Order>,
    pub(crate) version: i64,
    pub(crate) customer: String,
    pub(crate) state: State,
    pub(crate) payment_state: PaymentState,
    pub(crate) lines: Vec<Line>,
    pub(crate) amounts: Amounts,
    pub(crate) coupon_code: String,
    pub(crate) shipping_rate: String,
    pub(crate) country: String,
    pub(crate) cart: String,
    pub(crate) payment: String,
    pub(crate) cancel_reason: String,
    /// That it is to be cancelled as soon as the checkout notices.
    pub(crate) cancel_request: Option<CancelRequest>,
    /// Whether it was ever confirmed or imported: then it was a sale.
    pub(crate) confirmed: bool,
    pub(crate) returns: Vec<Return>,
    pub(crate) history: Vec<Transition>,
    pub(crate) source: String,
    pub(crate) external_id: String,
    /// Until when it is to be secured; of what was imported there is no such time.
    pub(crate) expire_time: Option<Timestamp>,
    pub(crate) create_time: Timestamp,
    pub(crate) update_time: Timestamp,
}

impl Resource for Order {
    const COLLECTION: &'static str = "orders";
}

/// A history that cannot be: an order that does not begin, begins twice, or lacks an event.
#[derive(Debug, thiserror::Error)]
#[error("the history of order {id} is broken at version {version}")]
pub(crate) struct Broken {
    id: Id<Order>,
    version: i64,
}

impl Order {
    /// What people call it.
    pub(crate) fn number(&self) -> Number {
        self.id.into()
    }

    /// The order that these events amount to.
    pub(crate) fn replay(id: Id<Order>, events: impl IntoIterator<Item = Recorded>) -> Result<Order, Broken> {
        Order::replay_watched(id, events, |_, _, _| {})
    }

    /// The same, while somebody looks at each step after the first: what the order was, what happened, what it became.
    pub(crate) fn replay_watched(
        id: Id<Order>,
        events: impl IntoIterator<Item = Recorded>,
        mut look: impl FnMut(&Order, &Event, &Order),
    ) -> Result<Order, Broken> {
        let mut events = events.into_iter();
        let first = events.next().ok_or(Broken { id, version: 0 })?;
        let mut order = Order::begin(id, &first)?;
        for next in events {
            let before = order.clone();
            order.apply(&next)?;
            look(&before, &next.event, &order);
        }
        Ok(order)
    }

    /// The order as its first event leaves it.
    pub(crate) fn begin(id: Id<Order>, first: &Recorded) -> Result<Order, Broken> {
        let mut order = match (&first.event, first.version) {
            (Event::Placed(placed), 1) => Order {
                customer: placed.customer.clone(),
                cart: placed.cart.clone(),
                lines: placed.lines.clone(),
                coupon_code: placed.coupon_code.clone(),
                shipping_rate: placed.shipping_rate.clone(),
                country: placed.country.clone(),
                expire_time: Some(placed.expire_time),
                ..Order::blank(id, placed.amounts, first)
            },
            (Event::Imported(imported), 1) => Order {
                customer: imported.customer.clone(),
                lines: imported.lines.clone(),
                country: imported.country.clone(),
                payment: imported.payment.clone(),
                source: imported.source.clone(),
                external_id: imported.external_id.clone(),
                state: State::Delivered,
                payment_state: PaymentState::Captured,
                confirmed: true,
                ..Order::blank(id, imported.amounts, first)
            },
            _ => return Err(Broken { id, version: first.version }),
        };
        order.note(order.state, "", first);
        Ok(order)
    }

    /// Takes the next event in.
    pub(crate) fn apply(&mut self, next: &Recorded) -> Result<(), Broken> {
        if next.version != self.version + 1 {
            return Err(Broken { id: self.id, version: next.version });
        }
        self.version = next.version;
        self.update_time = next.time;
        match &next.event {
            Event::Placed(_) | Event::Imported(_) => {
                return Err(Broken { id: self.id, version: next.version });
            }
            Event::CancellationRequested { reason } => {
                self.cancel_request = Some(CancelRequest { reason: reason.clone(), version: next.version });
            }
            Event::Confirmed { payment } => {
                self.confirmed = true;
                self.payment = payment.clone().unwrap_or_default();
                // Of an order that costs nothing nothing is owed.
                self.payment_state =
                    if payment.is_some() { PaymentState::Authorized } else { PaymentState::Captured };
                self.note(State::Confirmed, "", next);
            }
            Event::Cancelled { reason } => {
                self.cancel_reason.clone_from(reason);
                if !self.confirmed {
                    // The checkout gave the payment up before it cancelled.
                    self.payment_state = PaymentState::Voided;
                }
                self.note(State::Cancelled, reason, next);
            }
            Event::PaymentCaptured { payment } => {
                self.payment.clone_from(payment);
                self.payment_state = PaymentState::Captured;
            }
            Event::PaymentVoided { payment } => {
                self.payment.clone_from(payment);
                self.payment_state = PaymentState::Voided;
            }
            Event::PaymentRefunded { payment, refunded, captured } => {
                self.payment.clone_from(payment);
                self.payment_state = refund_state(*refunded, *captured);
            }
            Event::Shipped { .. } => self.note(State::Shipped, "", next),
            Event::LeftAfterCancellation { .. } => {
                self.note(State::Cancelled, "LEFT_AFTER_CANCELLATION", next)
            }
            Event::Delivered => self.note(State::Delivered, "", next),
            Event::ReturnRequested { id, lines } => self.returns.push(Return {
                id: *id,
                state: ReturnState::Requested,
                lines: lines.clone(),
                refund: sum(lines, self.amounts.total),
                requested_version: next.version,
                create_time: next.time,
                receive_time: None,
            }),
            Event::ReturnReceived { id, lines, refund } => self.take_back(*id, lines, *refund, next),
            Event::ReturnRefused { id } => self.settle(*id, |refused| refused.state = ReturnState::Refused),
            Event::Claimed { customer, .. } => self.customer.clone_from(customer),
        }
        Ok(())
    }

    /// The pieces of stocked goods that are sold now.
    pub(crate) fn units(&self) -> i64 {
        match self.state {
            State::Placed | State::Cancelled => 0,
            State::Confirmed | State::Shipped | State::Delivered | State::Returned => {
                self.lines.iter().filter(|line| line.stocked).map(|line| line.quantity - line.returned).sum()
            }
        }
    }

    /// What cancelling it after confirmation and receiving returns ask payment to give back.
    pub(crate) fn refund_due(&self) -> Money {
        let total = self.amounts.total;
        if self.state == State::Cancelled {
            return if self.confirmed { total } else { Money::zero(total.currency) };
        }
        let received = self.returns.iter().filter(|found| found.state == ReturnState::Received);
        Money::new(received.map(|found| found.refund.minor).sum(), total.currency)
    }

    /// Whether somebody without an account placed it.
    pub(crate) fn is_a_guests(&self) -> bool {
        self.customer.starts_with("guests/")
    }

    /// Whether nothing more is to be told to somebody who watches it.
    pub(crate) fn is_settled(&self) -> bool {
        match self.state {
            State::Placed | State::Confirmed | State::Shipped => false,
            State::Delivered | State::Cancelled | State::Returned => true,
        }
    }

    fn blank(id: Id<Order>, amounts: Amounts, first: &Recorded) -> Order {
        Order {
            id,
            version: first.version,
            customer: String::new(),
            state: State::Placed,
            payment_state: PaymentState::Pending,
            lines: Vec::new(),
            amounts,
            coupon_code: String::new(),
            shipping_rate: String::new(),
            country: String::new(),
            cart: String::new(),
            payment: String::new(),
            cancel_reason: String::new(),
            cancel_request: None,
            confirmed: false,
            returns: Vec::new(),
            history: Vec::new(),
            source: String::new(),
            external_id: String::new(),
            expire_time: None,
            create_time: first.time,
            update_time: first.time,
        }
    }

    fn take_back(&mut self, id: Id<Return>, lines: &[ReturnedLine], refund: Money, event: &Recorded) {
        for back in lines {
            if let Some(line) = self.lines.iter_mut().find(|line| line.line_id == back.line_id) {
                line.returned += back.quantity;
            }
        }
        self.settle(id, |received| {
            received.state = ReturnState::Received;
            received.lines = lines.to_vec();
            received.refund = refund;
            received.receive_time = Some(event.time);
        });
        if self.lines.iter().all(|line| line.returned >= line.quantity) {
            self.note(State::Returned, "", event);
        }
    }

    fn settle(&mut self, id: Id<Return>, change: impl FnOnce(&mut Return)) {
        if let Some(found) = self.returns.iter_mut().find(|found| found.id == id) {
            change(found);
        }
    }

    fn note(&mut self, state: State, reason: &str, event: &Recorded) {
        self.state = state;
        self.history.push(Transition {
            state,
            time: event.time,
            actor: event.actor.clone(),
            reason: reason.to_owned(),
            version: event.version,
        });
    }
}

pub(super) fn refund_state(refunded: Money, captured: Money) -> PaymentState {
    if refunded.minor >= captured.minor { PaymentState::Refunded } else { PaymentState::PartiallyRefunded }
}

fn sum(lines: &[ReturnedLine], total: Money) -> Money {
    Money::new(lines.iter().map(|line| line.refund.minor).sum(), total.currency)
}
