//! What happens to orders: the events that are their truth. They carry no personal data.

use chassis::id::Id;
use chassis::money::Money;
use chassis::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Amounts, Line, Return, ReturnedLine};

/// Something that happened to an order. Stored for ever: where a variant changes its form, `upcast.rs` brings what was
/// written before to the form of today.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "type")]
pub(crate) enum Event {
    /// It was accepted and is being carried out.
    Placed(Placed),
    /// It happened elsewhere, paid and sent, and was taken over.
    Imported(Imported),
    /// It was asked to be cancelled while it was being carried out.
    CancellationRequested { reason: String },
    /// Coupon, stock and payment are secured. An order that costs nothing has no payment.
    Confirmed { payment: Option<String> },
    /// It will not be carried out.
    Cancelled { reason: String },
    /// Its money was taken.
    PaymentCaptured { payment: String },
    /// Its money was given up before it was taken.
    PaymentVoided { payment: String },
    /// Money was given back: this much in all, of what had been taken.
    PaymentRefunded { payment: String, refunded: Money, captured: Money },
    /// It is on its way.
    Shipped { shipment: String },
    /// It had been cancelled, and left the warehouse all the same.
    LeftAfterCancellation { shipment: String },
    /// It arrived.
    Delivered,
    /// The customer wants to send something back.
    ReturnRequested { id: Id<Return>, lines: Vec<ReturnedLine> },
    /// Something came back, and this is given back for it, line by line.
    ReturnReceived { id: Id<Return>, lines: Vec<ReturnedLine>, refund: Money },
    /// What was to come back was not accepted.
    ReturnRefused { id: Id<Return> },
    /// A guest's order is a user's now.
    Claimed { customer: String, previous_customer: String },
}

impl Event {
    /// The type it is stored under.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Event::Placed(_) => "Placed",
            Event::Imported(_) => "Imported",
            Event::CancellationRequested { .. } => "CancellationRequested",
            Event::Confirmed { .. } => "Confirmed",
            Event::Cancelled { .. } => "Cancelled",
            Event::PaymentCaptured { .. } => "PaymentCaptured",
            Event::PaymentVoided { .. } => "PaymentVoided",
            Event::PaymentRefunded { .. } => "PaymentRefunded",
            Event::Shipped { .. } => "Shipped",
            Event::LeftAfterCancellation { .. } => "LeftAfterCancellation",
            Event::Delivered => "Delivered",
            Event::ReturnRequested { .. } => "ReturnRequested",
            Event::ReturnReceived { .. } => "ReturnReceived",
            Event::ReturnRefused { .. } => "ReturnRefused",
            Event::Claimed { .. } => "Claimed",
        }
    }
}

/// What was accepted, at which prices.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Placed {
    pub(crate) customer: String,
    pub(crate) cart: String,
    pub(crate) lines: Vec<Line>,
    pub(crate) amounts: Amounts,
    pub(crate) coupon_code: String,
    pub(crate) shipping_rate: String,
    pub(crate) country: String,
    /// Until when it is to be secured. Since form 2.
    pub(crate) expire_time: Timestamp,
}

/// What happened elsewhere.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Imported {
    pub(crate) source: String,
    pub(crate) external_id: String,
    pub(crate) customer: String,
    pub(crate) lines: Vec<Line>,
    pub(crate) amounts: Amounts,
    pub(crate) country: String,
    pub(crate) payment: String,
}

/// An event with its place in the order's history.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Recorded {
    /// Counts from 1 without gaps.
    pub(crate) version: i64,
    pub(crate) event: Event,
    /// Who caused it: `customers`, a user, or a service.
    pub(crate) actor: String,
    pub(crate) time: Timestamp,
}
