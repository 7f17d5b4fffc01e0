//! The use cases: what is decided about payments, in one transaction each. Nothing here talks to a channel.

use chassis::caller::Caller;
use chassis::id::Id;
use chassis::money::Money;
use chassis::outbox;
use chassis::time::Timestamp;
use contract::payment::v1 as pb;
use sea_orm::DatabaseTransaction;
use std::time::Duration;

use crate::domain::refund::State as RefundState;
use crate::domain::{Entry, Goal, Payment, Refund, Refusal, State};
use crate::error::Error;
use crate::store::payments::{Claim, Due};
use crate::store::{ledger, payments, refunds};

/// A call that decides something asks the channel itself, at once. The till comes when it does not.
const HEAD_START: Duration = Duration::from_secs(2);

mod intents;

pub(crate) use intents::{Asked, Intended, Intents};

/// What is asked when an order is to be paid.
#[derive(Clone, Debug)]
pub(crate) struct Intent {
    pub(crate) order: String,
    pub(crate) customer: String,
    pub(crate) channel: String,
    pub(crate) amount: Money,
}

/// Decides to take the promised money, or a part of it.
pub(crate) async fn capture(
    tx: &DatabaseTransaction,
    id: Id<Payment>,
    part: Option<Money>,
) -> Result<Payment, Error> {
    let payment = payments::load(tx, id).await?.ok_or(Error::NotFound)?;
    let Some(capturing) = payment.capture(part)? else { return Ok(payment) };
    payments::want_capture(tx, id, capturing, Timestamp::now().plus(HEAD_START)).await?;
    Ok(Payment { goal: Goal::Capture, capturing, ..payment })
}

/// Speaks for an order that is given up. From then on nobody can pay it; whether it has a payment is the answer.
pub(crate) async fn forestall(tx: &DatabaseTransaction, order: &str) -> Result<bool, Error> {
    Ok(payments::claim(tx, order, Claim::Void).await? == Claim::Payment)
}

/// Decides to give up the promised money of an order.
pub(crate) async fn void(tx: &DatabaseTransaction, order: &str) -> Result<Payment, Error> {
    let payment = payments::load(tx, Payment::id_of(order)).await?.ok_or(Error::NotFound)?;
    let Some(goal) = payment.give_up()? else { return Ok(payment) };
    payments::want(tx, payment.id, goal, Timestamp::now().plus(HEAD_START)).await?;
    Ok(Payment { goal, ..payment })
}

/// Why a cancelled order's money is given back.
pub(crate) const CANCELLED: &str = "the order was cancelled";

/// Gives back whatever a payment that was loaded holds: its promise, or what was taken of it.
pub(crate) async fn cancel(tx: &DatabaseTransaction, payment: &Payment, why: &str) -> Result<(), Error> {
    match payment.state {
        State::Pending | State::Unknown | State::Authorized => {
            payments::want(tx, payment.id, Goal::GiveUp, Timestamp::now()).await?
        }
        State::Captured | State::PartiallyRefunded => refund_rest(tx, payment, why).await?,
        State::Voided | State::Declined | State::Refunded => {}
    }
    Ok(())
}

/// Refunds all that is left of a payment, because its order is no more.
pub(crate) async fn refund_rest(tx: &DatabaseTransaction, payment: &Payment, why: &str) -> Result<(), Error> {
    let id = Id::derived(&["refund", "cancelled", &payment.id.to_string()]);
    if payment.refundable().minor == 0 || refunds::find(tx, id).await?.is_some() {
        return Ok(());
    }
    let refund = Refund::asked(id, payment, payment.refundable(), why, "service:order", Timestamp::now());
    set_aside(tx, payment, &refund, refund.create_time).await
}

/// The service that calls, for itself or for the person it serves. The gateway only passes calls on.
pub(crate) fn peer(caller: &Caller) -> Option<&str> {
    caller.service().filter(|service| *service != "gateway")
}

/// Who asks for a refund, and how much they may give.
pub(crate) struct Giver<'a> {
    pub(crate) caller: &'a Caller,
    /// In whole units of any currency.
    pub(crate) limit: i64,
}

impl Giver<'_> {
    fn name(&self) -> String {
        self.caller.subject_if_any().map_or_else(|| self.caller.key(), str::to_owned)
    }

    /// People do not refund themselves, and large refunds need a permission of their own. Splitting one makes no
    /// difference.
    fn may(&self, payment: &Payment, amount: Money) -> Result<(), Error> {
        if peer(self.caller).is_some() {
            return Ok(());
        }
        if self.caller.subject_if_any() == Some(payment.customer.as_str()) {
            return Err(Error::OwnPayment);
        }
        let limit = Money::new(
            self.limit.saturating_mul(payment.amount.currency.minor_per_unit()),
            payment.amount.currency,
        );
        let so_far = payment.refunded.minor + payment.refunding.minor;
        if so_far.saturating_add(amount.minor) > limit.minor && !self.caller.may("refund.approve") {
            return Err(Error::RefundLimit { amount, limit });
        }
        Ok(())
    }
}

/// Decides to give money back.
pub(crate) async fn refund(
    tx: &DatabaseTransaction,
    giver: &Giver<'_>,
    id: Id<Payment>,
    amount: Money,
    reason: &str,
) -> Result<Refund, Error> {
    let payment = payments::load(tx, id).await?.ok_or(Error::NotFound)?;
    payment.refund(amount)?;
    giver.may(&payment, amount)?;
    let refund = Refund::asked(Id::new(), &payment, amount, reason, &giver.name(), Timestamp::now());
    set_aside(tx, &payment, &refund, refund.create_time.plus(HEAD_START)).await?;
    Ok(refund)
}

/// Decides to give back the price of returned goods, as far as it is still there.
pub(crate) async fn refund_return(
    tx: &DatabaseTransaction,
    payment: &Payment,
    of: &str,
    amount: Money,
) -> Result<(), Error> {
    let id = Id::derived(&["refund", of]);
    if refunds::find(tx, id).await?.is_some() {
        return Ok(());
    }
    let amount = Money::new(amount.minor.min(payment.refundable().minor), amount.currency);
    if amount.minor <= 0 {
        tracing::warn!(payment.id = %payment.id, order.id = payment.order, "goods came back whose price was refunded already");
        return Ok(());
    }
    payment.refund(amount)?;
    let refund = Refund::asked(id, payment, amount, of, "service:order", Timestamp::now());
    set_aside(tx, payment, &refund, refund.create_time).await
}

async fn set_aside(
    tx: &DatabaseTransaction,
    payment: &Payment,
    refund: &Refund,
    due: Timestamp,
) -> Result<(), Error> {
    // The statement decides, whatever was checked before it.
    if !payments::set_aside(tx, payment.id, refund.amount).await? {
        let now_is = payments::find(tx, payment.id).await?.ok_or(Error::NotFound)?;
        return Err(Refusal::ExceedsCaptured(now_is.refundable()).into());
    }
    refunds::insert(tx, refund, due).await?;
    Ok(())
}

/// Takes over a payment that was made elsewhere, as of then. Again changes nothing.
pub(crate) async fn import(tx: &DatabaseTransaction, payment: &Payment) -> Result<(), Error> {
    if payments::of_order(tx, &payment.order).await?.is_some() {
        return Ok(());
    }
    if payments::claim(tx, &payment.order, Claim::Payment).await? == Claim::Void {
        return Err(Refusal::Voided.into());
    }
    payments::insert(tx, payment, Due::default()).await?;
    Ok(ledger::post(tx, &[Entry::capture_elsewhere(payment, payment.create_time)]).await?)
}

/// Takes over a refund that was made elsewhere, as of then. Again changes nothing.
pub(crate) async fn import_refund(
    tx: &DatabaseTransaction,
    payment: &Payment,
    of: &str,
    amount: Money,
    at: Timestamp,
) -> Result<(), Error> {
    let refund = Refund::asked(Id::derived(&["refund", of]), payment, amount, of, "service:order", at);
    let refund = Refund { state: RefundState::Succeeded, ..refund };
    if refunds::find(tx, refund.id).await?.is_some() {
        return Ok(());
    }
    payment.refund(amount)?;
    if !payments::set_aside(tx, payment.id, amount).await? {
        return Err(Refusal::ExceedsCaptured(payment.refundable()).into());
    }
    refunds::insert(tx, &refund, at).await?;
    given_back(tx, &refund, at).await
}

/// Books that a refund was given: the payment, the ledger, and the rest of the platform learn of it.
pub(crate) async fn given_back(
    tx: &DatabaseTransaction,
    refund: &Refund,
    at: Timestamp,
) -> Result<(), Error> {
    let payment = payments::refunded(tx, refund.payment, refund.amount).await?;
    ledger::post(tx, &[Entry::refund(&payment, refund, at)]).await?;
    let event = pb::PaymentRefunded {
        payment: payment.id.name(),
        order: payment.order.clone(),
        refund: refund.name(),
        amount: Some(refund.amount.into()),
        refunded: Some(payment.refunded.into()),
        captured: Some(payment.captured.into()),
    };
    outbox::append(tx, &payment.id.name(), &event).await?;
    Ok(())
}
