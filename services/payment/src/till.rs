//! The till: asks channels for what payments and refunds still need, and books what they say.
//!
//! A row is taken by a lease before its channel is asked, so that two replicas do not ask at once, and written only by
//! who still holds it. No transaction is open meanwhile: a crash at any point leaves a row that is due again.

mod booking;

pub(crate) use booking::alert;

use std::collections::HashSet;
use std::time::Duration;

use chassis::db::Db;
use chassis::id::Id;
use chassis::time::Timestamp;
use futures::StreamExt;
use futures::stream::FuturesUnordered;

use crate::channel::{Authorization, Channel, Channels, Charge, Fault, Outcome};
use crate::domain::{Need, Payment, Refund, State};
use crate::error::Error;
use crate::store::{Leased, payments, refunds};

/// How long a lease goes beyond the channel's timeout: enough to book the answer.
const BOOKING: Duration = Duration::from_secs(5);
/// How many rows of a kind are worked on at once.
const AT_ONCE: usize = 8;
/// The longest way to a goal: promised, taken after all, given up, forgotten. A channel that contradicts itself goes no
/// further at once.
const STEPS_MAX: usize = 4;
/// How often the till looks for itself; a commit here wakes it sooner.
const EVERY: Duration = Duration::from_secs(1);

/// Asks channels and books what they say.
#[derive(Clone)]
pub(crate) struct Till {
    db: Db,
    channels: Channels,
    /// After what time an operator should look at what a channel does not say.
    attention_after: Duration,
}

/// What is to be worked on.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Due {
    Payment(Id<Payment>),
    Refund(Id<Refund>),
}

/// What a channel said to a need.
pub(crate) enum Said {
    Outcome(Outcome),
    /// It never heard of what it was asked about.
    Nothing,
    Fault(Fault),
}

impl From<Result<Option<Outcome>, Fault>> for Said {
    fn from(answer: Result<Option<Outcome>, Fault>) -> Said {
        match answer {
            Ok(Some(outcome)) => Said::Outcome(outcome),
            Ok(None) => Said::Nothing,
            Err(fault) => Said::Fault(fault),
        }
    }
}

impl From<Result<Outcome, Fault>> for Said {
    fn from(answer: Result<Outcome, Fault>) -> Said {
        Said::from(answer.map(Some))
    }
}

impl Till {
    pub(crate) fn new(db: &Db, channels: &Channels, attention_after: Duration) -> Till {
        Till { db: db.clone(), channels: channels.clone(), attention_after }
    }

    /// Has the channel promise the money. Asked before, it is first asked what became of that.
    pub(crate) async fn authorize(&self, id: Id<Payment>, token: &str) -> Result<Payment, Error> {
        let payment = self.payment(id).await?;
        if payment.promised()? {
            return Ok(payment);
        }
        let Some(taken) = self.lease(id).await? else {
            let payment = self.payment(id).await?;
            return if payment.promised()? { Ok(payment) } else { Err(Error::Busy) };
        };
        if taken.row.need() != Need::Promise {
            // Somebody decided otherwise in between; what is needed now is not for this call to do.
            self.conclude(&taken, Need::Nothing, Said::Nothing).await?;
            return if taken.row.promised()? { Ok(taken.row) } else { Err(Error::Busy) };
        }
        let channel = self.channels.get(&taken.row.channel);
        let key = taken.row.authorization_key();
        let asked = Authorization { order: &taken.row.order, token, amount: taken.row.amount };
        let asked_before = taken.attempts > 1 || taken.row.state == State::Unknown;
        let known = if asked_before { channel.query(&key).await } else { Ok(None) };
        let said = match known {
            Ok(None) => Said::from(channel.authorize(&key, &asked).await),
            known => Said::from(known),
        };
        let (unknown, unavailable) =
            (matches!(said, Said::Fault(Fault::Unknown)), matches!(said, Said::Fault(Fault::Unavailable(_))));
        let payment = match self.conclude(&taken, Need::Promise, said).await? {
            Some(payment) => payment,
            None => self.payment(id).await?, // somebody else knew sooner
        };
        match payment.promised()? {
            true => Ok(payment),
            false if unknown => Err(Error::Unknown),
            false if unavailable => Err(Error::ChannelUnavailable),
            false => Err(Error::Busy),
        }
    }

    /// Takes a payment as far towards its goal as its channel lets it.
    pub(crate) async fn advance(&self, id: Id<Payment>) -> Result<Payment, Error> {
        for _ in 0..STEPS_MAX {
            let Some(taken) = self.lease(id).await? else { break };
            let need = taken.row.need();
            let said = self.ask(need, &taken.row).await;
            let Some(payment) = self.conclude(&taken, need, said).await? else { break };
            if payment.need() == need || payment.need() == Need::Nothing {
                return Ok(payment);
            }
        }
        self.payment(id).await
    }

    async fn ask(&self, need: Need, payment: &Payment) -> Said {
        let channel = self.channels.get(&payment.channel);
        let authorization = payment.authorization_key();
        let charge = Charge {
            authorization: &authorization,
            reference: &payment.channel_reference,
            amount: if need == Need::Capture { payment.capturing } else { payment.amount },
        };
        match need {
            Need::Nothing => Said::Nothing,
            Need::Promise => Said::from(channel.query(&authorization).await),
            Need::Capture => Said::from(channel.capture(&payment.capture_key(), &charge).await),
            Need::CaptureOutcome => Said::from(channel.query(&payment.capture_key()).await),
            Need::Void => Said::from(channel.void(&payment.void_key(), &charge).await),
        }
    }

    /// Has the channel give a refund, unless it has.
    pub(crate) async fn refund(&self, id: Id<Refund>) -> Result<Refund, Error> {
        let span = self.channels.timeout + BOOKING;
        let taken = self.db.write(async |tx| refunds::lease(tx, id, span).await).await?;
        if let Some(taken) = taken {
            let payment = self.payment(taken.row.payment).await?;
            let authorization = payment.authorization_key();
            let charge = Charge {
                authorization: &authorization,
                reference: &payment.channel_reference,
                amount: taken.row.amount,
            };
            let answer = self.channels.get(&payment.channel).refund(&taken.row.key(), &charge).await;
            self.db.write(async |tx| self.book_refund(tx, &taken, &payment, answer).await).await?;
        }
        refunds::find(self.db.writer(), id).await?.ok_or(Error::NotFound)
    }

    /// Works on what is due until it is told to stop, and ends what it has begun. What waits for its channel holds nothing
    /// else up, as long as there is a place left.
    pub(crate) async fn run(self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let mut begun = HashSet::new();
        let mut work = FuturesUnordered::new();
        loop {
            // Made before looking, so that what commits meanwhile is not missed.
            let woken = self.db.committed().notified();
            let due = self.due(AT_ONCE.saturating_sub(begun.len())).await.unwrap_or_else(|error| {
                tracing::warn!(error = %chassis::status::chain(&error), "the till cannot see what is due");
                Vec::new()
            });
            for due in due {
                if begun.insert(due) {
                    work.push(self.carry_out(due));
                }
            }
            tokio::select! {
                Some(done) = work.next() => { begun.remove(&done); }
                () = &mut stop => break,
                () = woken => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
        while work.next().await.is_some() {}
    }

    /// What is due, up to about so much. Others may take it on as well: the lease tells them apart.
    async fn due(&self, places: usize) -> Result<Vec<Due>, Error> {
        let limit = i64::try_from(places).unwrap_or(i64::MAX);
        if limit == 0 {
            return Ok(Vec::new());
        }
        let now = Timestamp::now();
        let payments = payments::due(self.db.writer(), now, limit).await?;
        let refunds = refunds::due(self.db.writer(), now, limit).await?;
        Ok(payments.into_iter().map(Due::Payment).chain(refunds.into_iter().map(Due::Refund)).collect())
    }

    async fn carry_out(&self, due: Due) -> Due {
        let done = match due {
            Due::Payment(id) => self.advance(id).await.map(drop),
            Due::Refund(id) => self.refund(id).await.map(drop),
        };
        if let Err(error) = done {
            tracing::warn!(error = %chassis::status::chain(&error), "the till could not carry out what is due");
        }
        due
    }

    async fn lease(&self, id: Id<Payment>) -> Result<Option<Leased<Payment>>, Error> {
        let span = self.channels.timeout * 2 + BOOKING; // it may be asked twice under one lease
        Ok(self.db.write(async |tx| payments::lease(tx, id, span).await).await?)
    }

    async fn payment(&self, id: Id<Payment>) -> Result<Payment, Error> {
        payments::find(self.db.writer(), id).await?.ok_or(Error::NotFound)
    }
}
