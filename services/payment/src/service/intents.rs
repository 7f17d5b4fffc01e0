//! Orders that are to be paid: stored before any channel is asked, all of those that are asked for at the same time in one
//! transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chassis::db::Db;
use chassis::id::Id;
use chassis::once::{self, Key};
use chassis::time::Timestamp;
use chassis::together::{Served, Together, Wish};
use chassis::wire;
use contract::payment::v1 as pb;
use sea_orm::DatabaseTransaction;
use tonic::Status;

use super::Intent;
use crate::domain::risk::Review;
use crate::domain::{Need, Payment, Refusal, State};
use crate::error::Error;
use crate::risk::{self, Standing};
use crate::store::Leased;
use crate::store::payments::{self, Due};

/// Who comes to ask the channel when whoever stored the intent does not.
const ABANDONED_AFTER: Duration = Duration::from_secs(15);

/// An intent, and the request that it came by.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) intent: Intent,
    pub(crate) key: Key,
}

impl Wish for Asked {
    type Answer = Intended;

    fn about(&self) -> &str {
        &self.intent.order
    }
}

/// The payment that is intended.
#[derive(Debug)]
pub(crate) enum Intended {
    /// It is new, and taken to work on by whoever asked for it.
    New(Box<Leased<Payment>>),
    /// The same request was made before.
    Known(Id<Payment>),
}

/// Stores intents.
#[derive(Clone)]
pub(crate) struct Intents {
    pub(crate) db: Db,
    /// How long whoever asked for a payment has it.
    pub(crate) lease_span: Duration,
    /// After what time order is asked about it.
    pub(crate) orphaned_after: Duration,
}

impl Intents {
    /// Where it is asked for payments.
    pub(crate) fn open(self) -> Together<Asked> {
        Together::new(move |asked| {
            let intents = self.clone();
            async move { intents.serve(&asked).await }
        })
    }

    async fn serve(&self, asked: &[Asked]) -> Served<Asked> {
        let customers: BTreeSet<&str> = asked.iter().map(|asked| asked.intent.customer.as_str()).collect();
        let customers: Vec<&str> = customers.into_iter().collect();
        let standing = risk::standing(self.db.writer(), &customers).await.map_err(Error::from)?;
        let intended = self.db.write(async |tx| self.intend(tx, asked, &standing).await).await;
        Ok(intended.map_err(Status::from)?.into_iter().map(|one| one.map_err(Status::from)).collect())
    }

    /// Stores that orders are to be paid, and what the risk rules say of it. Whoever speaks for an order first decides about
    /// it: an order that is paid or given up has no second intent.
    async fn intend(
        &self,
        tx: &DatabaseTransaction,
        asked: &[Asked],
        standing: &Standing,
    ) -> Result<Vec<Result<Intended, Error>>, Error> {
        let now = Timestamp::now();
        let claimed = payments::claim_all(tx, asked.iter().map(|asked| asked.intent.order.as_str())).await?;
        let (mut new, mut replies, mut answers) = (Vec::new(), Vec::new(), BTreeMap::new());
        let mut turns: Vec<usize> = (0..asked.len()).collect();
        // Customers are held to be judged in one order everywhere, so that nobody waits for each other.
        turns.sort_by_key(|at| &asked[*at].intent.customer);
        for at in turns {
            let Asked { intent, key } = &asked[at];
            let answer = if claimed.contains(&intent.order) {
                let payment = self.judged(tx, intent, standing, now).await?;
                replies.push((key, pb::Payment::from(payment.row.clone())));
                if payment.row.review == Review::None && payment.row.state == State::Pending {
                    new.push(payment.row.clone());
                    if standing.counts() {
                        self.store(tx, &mut new, now).await?;
                    }
                    Ok(Intended::New(Box::new(payment)))
                } else {
                    Ok(Intended::Known(payment.row.id))
                }
            } else {
                known(tx, intent, key).await
            };
            answers.insert(at, answer);
        }
        if !once::answer_all(tx, replies).await? {
            // It belonged to another order: what was claimed for this one is rolled back.
            return Err(once::Error::Reused.into());
        }
        self.store(tx, &mut new, now).await?;
        Ok(answers.into_values().collect())
    }

    /// The payment of an intent as the risk rules leave it. One that is not simply allowed is written, and told of.
    async fn judged(
        &self,
        tx: &DatabaseTransaction,
        intent: &Intent,
        standing: &Standing,
        now: Timestamp,
    ) -> Result<Leased<Payment>, Error> {
        let judgement = risk::judge(tx, standing, intent, now).await?;
        let outcome = judgement.outcome;
        let Intent { order, customer, channel, amount } = intent;
        let payment = Payment::intended(order, customer, channel, *amount, now).judged(judgement);
        if let Some(outcome) = outcome {
            let due = if payment.need() == Need::Nothing { Due::default() } else { self.due(now) };
            payments::insert(tx, &payment, due).await?;
            risk::tell(tx, &payment, outcome).await?;
        }
        Ok(Leased { row: payment, fence: 1, attempts: 1, since: now })
    }

    /// Writes payments that are allowed, each taken to work on by whoever asked for it.
    async fn store(
        &self,
        tx: &DatabaseTransaction,
        new: &mut Vec<Payment>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let new = std::mem::take(new);
        Ok(payments::insert_taken(tx, &new, self.due(now), now.plus(self.lease_span)).await?)
    }

    fn due(&self, now: Timestamp) -> Due {
        Due { channel: Some(now.plus(ABANDONED_AFTER)), order: Some(now.plus(self.orphaned_after)) }
    }
}

/// What is answered about an order that somebody has spoken for: the first answer, to the same request.
async fn known(tx: &DatabaseTransaction, intent: &Intent, key: &Key) -> Result<Intended, Error> {
    if let Some(reply) = once::known::<pb::Payment>(tx, key).await? {
        return Ok(Intended::Known(wire::name("name", &reply.name)?));
    }
    match payments::of_order(tx, &intent.order).await? {
        Some(payment) => Err(payment.second_intent().into()),
        None => Err(Refusal::Voided.into()),
    }
}
