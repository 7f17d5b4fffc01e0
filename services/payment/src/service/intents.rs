//! Orders that are to be paid: stored before any channel is asked, all of those that are asked for at the same time in one
//! transaction.

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
use crate::domain::{Payment, Refusal};
use crate::error::Error;
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
        let intended = self.db.write(async |tx| self.intend(tx, asked).await).await;
        Ok(intended.map_err(Status::from)?.into_iter().map(|one| one.map_err(Status::from)).collect())
    }

    /// Stores that orders are to be paid. Whoever speaks for an order first decides about it: an order that is paid or given
    /// up has no second intent.
    async fn intend(
        &self,
        tx: &DatabaseTransaction,
        asked: &[Asked],
    ) -> Result<Vec<Result<Intended, Error>>, Error> {
        let now = Timestamp::now();
        let claimed = payments::claim_all(tx, asked.iter().map(|asked| asked.intent.order.as_str())).await?;
        let (mut new, mut replies, mut answers) = (Vec::new(), Vec::new(), Vec::new());
        for Asked { intent, key } in asked {
            answers.push(if claimed.contains(&intent.order) {
                let Intent { order, customer, channel, amount } = intent;
                let payment = Payment::intended(order, customer, channel, *amount, now);
                replies.push((key, pb::Payment::from(payment.clone())));
                new.push(payment.clone());
                let taken = Leased { row: payment, fence: 1, attempts: 1, since: now };
                Ok(Intended::New(Box::new(taken)))
            } else {
                known(tx, intent, key).await
            });
        }
        if !once::answer_all(tx, replies).await? {
            // It belonged to another order: what was claimed for this one is rolled back.
            return Err(once::Error::Reused.into());
        }
        let due =
            Due { channel: Some(now.plus(ABANDONED_AFTER)), order: Some(now.plus(self.orphaned_after)) };
        payments::insert_taken(tx, &new, due, now.plus(self.lease_span)).await?;
        Ok(answers)
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
