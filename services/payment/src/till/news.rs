//! What payments that have changed leave in the ledger and tell the rest of the platform, gathered and written at once.

use chassis::outbox;
use chassis::time::Timestamp;
use contract::payment::v1 as pb;
use sea_orm::DatabaseTransaction;

use crate::domain::{Entry, Payment, State};
use crate::error::Error;
use crate::store::ledger;

/// Entries, and events each with the name of the payment it speaks of.
#[derive(Debug, Default)]
pub(super) struct News {
    entries: Vec<Entry>,
    authorized: Vec<(String, pb::PaymentAuthorized)>,
    captured: Vec<(String, pb::PaymentCaptured)>,
    voided: Vec<(String, pb::PaymentVoided)>,
    failed: Vec<(String, pb::PaymentFailed)>,
}

impl News {
    /// A payment has changed from a state to the one that it is in.
    pub(super) fn changed(&mut self, was: State, payment: &Payment, now: Timestamp) {
        if was == payment.state {
            return;
        }
        let (name, order) = (payment.id.name(), payment.order.clone());
        let amount = Some(payment.amount.into());
        match payment.state {
            State::Authorized => {
                self.entries.push(Entry::authorize(payment, now));
                let event = pb::PaymentAuthorized { payment: name.clone(), order, amount };
                self.authorized.push((name, event));
            }
            State::Captured => {
                self.entries.push(Entry::capture(payment, now));
                if payment.fee.minor > 0 {
                    self.entries.push(Entry::fee(payment, now));
                }
                let (customer, amount) = (payment.customer.clone(), Some(payment.captured.into()));
                let event = pb::PaymentCaptured { payment: name.clone(), order, customer, amount };
                self.captured.push((name, event));
            }
            State::Voided if was == State::Authorized => {
                self.entries.push(Entry::void(payment, now));
                self.voided.push((name.clone(), pb::PaymentVoided { payment: name, order, amount }));
            }
            // What was never promised leaves nothing to tell.
            State::Voided
            | State::Pending
            | State::Unknown
            | State::Declined
            | State::Refunded
            | State::PartiallyRefunded => {}
        }
    }

    /// What was wanted of a payment could not be done.
    pub(super) fn failed(&mut self, payment: &Payment, stage: &str, reason: &str) {
        tracing::info!(payment.id = %payment.id, stage, reason, "money could not be moved");
        let event = pb::PaymentFailed {
            payment: payment.id.name(),
            order: payment.order.clone(),
            stage: stage.to_owned(),
            reason: reason.to_owned(),
        };
        self.failed.push((payment.id.name(), event));
    }

    /// Writes all of it. A payment has one event at most, so that their order is of no matter.
    pub(super) async fn write(self, tx: &DatabaseTransaction) -> Result<(), Error> {
        ledger::post(tx, &self.entries).await?;
        outbox::append_many(tx, each(&self.authorized)).await?;
        outbox::append_many(tx, each(&self.captured)).await?;
        outbox::append_many(tx, each(&self.voided)).await?;
        outbox::append_many(tx, each(&self.failed)).await?;
        Ok(())
    }
}

fn each<E>(events: &[(String, E)]) -> Vec<(&str, &E)> {
    events.iter().map(|(name, event)| (name.as_str(), event)).collect()
}
