//! A refund: money given back of one payment.

use chassis::id::Id;
use chassis::money::Money;
use chassis::time::Timestamp;

use super::Payment;

/// How far a refund has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Set aside of what was captured, and asked of the channel.
    Pending,
    /// Given back.
    Succeeded,
    /// The channel refused; what was set aside can be refunded again.
    Failed,
}

/// Money given back.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refund {
    pub(crate) id: Id<Refund>,
    pub(crate) payment: Id<Payment>,
    pub(crate) amount: Money,
    pub(crate) state: State,
    pub(crate) reason: String,
    pub(crate) actor: String,
    pub(crate) create_time: Timestamp,
    /// Why an operator should look at it; empty where all is well.
    pub(crate) attention: String,
}

impl Refund {
    /// A refund that is asked for now.
    pub(crate) fn asked(
        id: Id<Refund>,
        payment: &Payment,
        amount: Money,
        reason: &str,
        actor: &str,
        now: Timestamp,
    ) -> Refund {
        Refund {
            id,
            payment: payment.id,
            amount,
            state: State::Pending,
            reason: reason.to_owned(),
            actor: actor.to_owned(),
            create_time: now,
            attention: String::new(),
        }
    }

    /// Its resource name.
    pub(crate) fn name(&self) -> String {
        format!("{}/refunds/{}", self.payment.name(), self.id)
    }

    /// The key under which the channel is asked to give the money back.
    pub(crate) fn key(&self) -> String {
        Refund::key_of(self.id)
    }

    /// The same of a refund that is known by its id alone.
    pub(crate) fn key_of(id: Id<Refund>) -> String {
        Id::<Refund>::derived(&["refund", &id.to_string()]).to_string()
    }
}
