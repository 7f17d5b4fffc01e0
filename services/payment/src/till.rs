//! The till: asks channels for what payments and refunds still need, and books what they say.
//!
//! A row is taken by a lease before its channel is asked, so that two replicas do not ask at once, and written only by
//! who still holds it. No transaction is open meanwhile: a crash at any point leaves a row that is due again.

mod booking;
mod news;
mod rounds;

pub(crate) use booking::{Answered, Booking, alert};

use std::sync::Arc;
use std::time::Duration;

use chassis::db::{self, Db};
use chassis::id::Id;
use chassis::together::Together;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::channel::{Authorization, Channel, Channels, Charge, Fault, Outcome};
use crate::domain::{Need, Payment, Refund, State};
use crate::error::Error;
use crate::store::{Leased, payments, refunds};

/// How long a lease goes beyond the channel's timeout: enough to book the answer.
const BOOKING: Duration = Duration::from_secs(5);
/// How many payments and how many refunds are worked on at once.
const PAYMENTS_AT_ONCE: usize = 64;
const REFUNDS_AT_ONCE: usize = 8;
/// The longest way to a goal: promised, taken after all, given up, forgotten. A channel that contradicts itself goes no
/// further at once.
const STEPS_MAX: usize = 4;

/// Asks channels and has booked what they say.
#[derive(Clone)]
pub(crate) struct Till {
    db: Db,
    channels: Channels,
    pub(crate) booking: Booking,
    answers: Together<Answered>,
    /// Wakes the till for what a transaction makes due.
    pub(crate) wakes: Wakes,
}

/// Wakes the till once the running transaction has committed. It also looks by itself, now and then.
#[derive(Clone, Default)]
pub(crate) struct Wakes {
    payments: Arc<Notify>,
    refunds: Arc<Notify>,
}

impl Wakes {
    /// A payment is due.
    pub(crate) fn payments(&self) {
        db::wake(&self.payments);
    }

    /// A refund is due.
    pub(crate) fn refunds(&self) {
        db::wake(&self.refunds);
    }
}

/// What a channel said to a need.
#[derive(Clone, Debug)]
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
        let wakes = Wakes::default();
        let booking = Booking { db: db.clone(), attention_after, wakes: wakes.clone() };
        let answers = booking.clone().open();
        Till { db: db.clone(), channels: channels.clone(), booking, answers, wakes }
    }

    /// How long a payment is taken for: it may be asked about twice under one lease.
    pub(crate) fn lease_span(&self) -> Duration {
        self.channels.timeout * 2 + BOOKING
    }

    /// Has the channel promise the money of a payment that was asked for before.
    pub(crate) async fn authorize(&self, id: Id<Payment>, token: &str) -> Result<Payment, Error> {
        let payment = self.payment(id).await?;
        if payment.promised()? {
            return Ok(payment);
        }
        match self.lease(id).await? {
            Some(taken) => self.promise(taken, token).await,
            None => {
                let payment = self.payment(id).await?;
                if payment.promised()? { Ok(payment) } else { Err(Error::Busy) }
            }
        }
    }

    /// Has the channel promise the money. Asked before, it is first asked what became of that.
    pub(crate) async fn promise(&self, taken: Leased<Payment>, token: &str) -> Result<Payment, Error> {
        if taken.row.need() != Need::Promise {
            // Somebody decided otherwise in between; what is needed now is not for this call to do.
            let was = taken.row.clone();
            self.conclude(taken, Need::Nothing, Said::Nothing).await?;
            return if was.promised()? { Ok(was) } else { Err(Error::Busy) };
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
        let id = taken.row.id;
        let payment = match self.conclude(taken, Need::Promise, said).await? {
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
        match self.lease(id).await? {
            Some(taken) => self.carry_on(taken).await,
            None => self.payment(id).await,
        }
    }

    async fn carry_on(&self, mut taken: Leased<Payment>) -> Result<Payment, Error> {
        let id = taken.row.id;
        for _ in 0..STEPS_MAX {
            let need = taken.row.need();
            let said = self.ask(need, &taken.row).await;
            let Some(payment) = self.conclude(taken, need, said).await? else { break };
            if payment.need() == need || payment.need() == Need::Nothing {
                return Ok(payment);
            }
            let Some(next) = self.lease(id).await? else { break };
            taken = next;
        }
        self.payment(id).await
    }

    /// Has booked what the channel said to what a payment needed, however late it is for who asked. Nothing where somebody
    /// else has taken the payment since.
    async fn conclude(
        &self,
        taken: Leased<Payment>,
        need: Need,
        said: Said,
    ) -> Result<Option<Payment>, Error> {
        Ok(self.answers.ask_however_late(Answered { taken, need, said }).await?)
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
        if let Some(taken) = refunds::lease(&self.db, id, self.refund_span()).await? {
            self.give_back(taken).await?;
        }
        refunds::find(self.db.writer(), id).await?.ok_or(Error::NotFound)
    }

    async fn give_back(&self, taken: Leased<Refund>) -> Result<(), Error> {
        let payment = self.payment(taken.row.payment).await?;
        let authorization = payment.authorization_key();
        let charge = Charge {
            authorization: &authorization,
            reference: &payment.channel_reference,
            amount: taken.row.amount,
        };
        let answer = self.channels.get(&payment.channel).refund(&taken.row.key(), &charge).await;
        self.db.write(async |tx| self.booking.book_refund(tx, &taken, &payment, answer).await).await?;
        Ok(())
    }

    /// Works on what is due until it is told to stop, and ends what it has begun. What waits for its channel holds nothing
    /// else up, as long as there is a place left. Others may look as well: the lease tells them apart.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let (till, stop) = (&self, &stop);
        let payments = rounds::work(
            &till.wakes.payments,
            stop,
            PAYMENTS_AT_ONCE,
            |limit| payments::lease_due(&till.db, till.lease_span(), limit),
            |taken| async move { till.carry_on(taken).await.map(drop) },
        );
        let refunds = rounds::work(
            &till.wakes.refunds,
            stop,
            REFUNDS_AT_ONCE,
            |limit| refunds::lease_due(&till.db, till.refund_span(), limit),
            |taken| till.give_back(taken),
        );
        futures::join!(payments, refunds);
    }

    fn refund_span(&self) -> Duration {
        self.channels.timeout + BOOKING
    }

    async fn lease(&self, id: Id<Payment>) -> Result<Option<Leased<Payment>>, Error> {
        Ok(payments::lease(&self.db, id, self.lease_span()).await?)
    }

    async fn payment(&self, id: Id<Payment>) -> Result<Payment, Error> {
        payments::find(self.db.writer(), id).await?.ok_or(Error::NotFound)
    }
}
