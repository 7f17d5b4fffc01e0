//! Risk: judges payments before a channel is asked, and carries out what operators decide about those under review.

use std::collections::HashMap;

use chassis::id::Id;
use chassis::outbox;
use chassis::time::Timestamp;
use contract::payment::v1 as pb;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr};

use crate::domain::risk::{self, Blocked, Judgement, Limit, Made, Outcome, Review, Rule, Scope};
use crate::domain::{Goal, Payment};
use crate::error::Error;
use crate::service::Intent;
use crate::store::{payments, risk as store};

/// What holds at the moment when payments are asked for.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    rules: Vec<Rule>,
    blocked: HashMap<String, Id<Blocked>>,
}

impl Standing {
    /// Whether a payment is judged by those before it: then each is written before the next is judged.
    pub(crate) fn counts(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule.limit, Limit::Velocity { .. }))
    }
}

/// Reads what holds for customers. A rule that is made meanwhile holds from the next payment on.
pub(crate) async fn standing(on: &impl ConnectionTrait, customers: &[&str]) -> Result<Standing, DbErr> {
    Ok(Standing { rules: store::rules(on).await?, blocked: store::blocked(on, customers).await? })
}

/// Judges a payment that is about to be written in the same transaction.
pub(crate) async fn judge(
    tx: &DatabaseTransaction,
    standing: &Standing,
    intent: &Intent,
    now: Timestamp,
) -> Result<Judgement, DbErr> {
    let mut judgement = Judgement::default();
    if let Some(entry) = standing.blocked.get(&intent.customer) {
        judgement = judgement.and(Outcome::Deny, entry.name());
    }
    if standing.counts() {
        // Two at once would not see each other, and both pass.
        store::hold(tx, &intent.customer).await?;
    }
    for rule in &standing.rules {
        let seen = match rule.limit {
            Limit::Amount(_) => risk::Seen::default(),
            Limit::Velocity { window, scope, .. } => {
                let channel = match scope {
                    Scope::Customer => None,
                    Scope::CustomerAndChannel => Some(intent.channel.as_str()),
                };
                store::seen(tx, &intent.customer, channel, intent.amount, now.minus(window)).await?
            }
        };
        if rule.limit.is_exceeded(intent.amount, seen.with(intent.amount)) {
            judgement = judgement.and(rule.outcome, rule.id.name());
        }
    }
    Ok(judgement)
}

/// Tells of a payment that was not simply allowed, once it is written.
pub(crate) async fn tell(tx: &DatabaseTransaction, payment: &Payment, outcome: Outcome) -> Result<(), DbErr> {
    let said = match outcome {
        Outcome::Deny => "deny",
        Outcome::Review => "review",
    };
    metrics::counter!("payment_risk_total", "outcome" => said).increment(1);
    tracing::warn!(
        payment.id = %payment.id, order.id = payment.order, rules = ?payment.risk_rules, outcome = said,
        "a payment met risk rules"
    );
    match outcome {
        Outcome::Deny => fail(tx, payment, "authorize", risk::DENIED).await,
        Outcome::Review => Ok(()),
    }
}

/// Who decides about a payment, and what they found out.
#[derive(Clone, Copy)]
pub(crate) struct Reviewer<'a> {
    pub(crate) name: &'a str,
    pub(crate) note: &'a str,
}

/// Lets the money of a payment be taken: now where its order is confirmed, and otherwise when it is.
pub(crate) async fn approve(
    tx: &DatabaseTransaction,
    reviewer: Reviewer<'_>,
    id: Id<Payment>,
) -> Result<Payment, Error> {
    let payment = of_another(tx, reviewer, id).await?;
    if payment.approve()?.is_none() {
        return Ok(payment);
    }
    payments::review(tx, id, Review::Approved, reviewer).await?;
    if payment.review == Review::Held {
        payments::want(tx, id, Goal::Capture, Timestamp::now()).await?;
    }
    payments::find(tx, id).await?.ok_or(Error::NotFound)
}

/// Gives the money of a payment up. Its order is told once it is confirmed, and is cancelled then.
pub(crate) async fn refuse(
    tx: &DatabaseTransaction,
    reviewer: Reviewer<'_>,
    id: Id<Payment>,
) -> Result<Payment, Error> {
    let payment = of_another(tx, reviewer, id).await?;
    if payment.refuse()?.is_none() {
        return Ok(payment);
    }
    payments::review(tx, id, Review::Refused, reviewer).await?;
    payments::want(tx, id, Goal::GiveUp, Timestamp::now()).await?;
    if payment.review == Review::Held {
        fail(tx, &payment, "capture", risk::REFUSED).await?;
    }
    payments::find(tx, id).await?.ok_or(Error::NotFound)
}

/// What the confirmation of an order means for a payment that was loaded and that somebody has to look at, or has.
/// Whether its money may be taken is the answer.
pub(crate) async fn confirmed(tx: &DatabaseTransaction, payment: &Payment) -> Result<bool, DbErr> {
    match payment.review {
        Review::None | Review::Approved => return Ok(true),
        Review::Waiting => payments::hold_capture(tx, payment.id).await?,
        Review::Held => {}
        // Refused before its order was confirmed: only now there is something to cancel.
        Review::Refused => fail(tx, payment, "capture", risk::REFUSED).await?,
    }
    Ok(false)
}

/// Nobody decides about a payment of their own.
async fn of_another(
    tx: &DatabaseTransaction,
    reviewer: Reviewer<'_>,
    id: Id<Payment>,
) -> Result<Payment, Error> {
    let payment = payments::load(tx, id).await?.ok_or(Error::NotFound)?;
    if payment.customer == reviewer.name { Err(Error::OwnPayment) } else { Ok(payment) }
}

async fn fail(tx: &DatabaseTransaction, payment: &Payment, stage: &str, reason: &str) -> Result<(), DbErr> {
    let event = pb::PaymentFailed {
        payment: payment.id.name(),
        order: payment.order.clone(),
        stage: stage.to_owned(),
        reason: reason.to_owned(),
    };
    outbox::append(tx, &payment.id.name(), &event).await?;
    Ok(())
}

/// Makes a rule.
pub(crate) async fn create_rule(
    tx: &DatabaseTransaction,
    creator: &str,
    title: &str,
    outcome: Outcome,
    limit: Limit,
) -> Result<Rule, Error> {
    let made = Made::by(creator, Timestamp::now());
    let rule = Rule { id: Id::new(), title: title.to_owned(), outcome, limit, made };
    if store::insert_rule(tx, &rule).await? { Ok(rule) } else { Err(Error::TooManyRules) }
}

/// Ends a rule.
pub(crate) async fn delete_rule(
    tx: &DatabaseTransaction,
    deleter: &str,
    id: Id<Rule>,
) -> Result<Rule, Error> {
    store::end_rule(tx, id, deleter, Timestamp::now()).await?.ok_or(Error::NoRule)
}

/// Blocks a customer.
pub(crate) async fn block(
    tx: &DatabaseTransaction,
    creator: &str,
    customer: &str,
    reason: &str,
) -> Result<Blocked, Error> {
    let made = Made::by(creator, Timestamp::now());
    let entry = Blocked { id: Id::new(), customer: customer.to_owned(), reason: reason.to_owned(), made };
    if store::insert_entry(tx, &entry).await? { Ok(entry) } else { Err(Error::Blocked) }
}

/// Lets a customer pay again.
pub(crate) async fn unblock(
    tx: &DatabaseTransaction,
    deleter: &str,
    id: Id<Blocked>,
) -> Result<Blocked, Error> {
    store::end_entry(tx, id, deleter, Timestamp::now()).await?.ok_or(Error::NoEntry)
}
