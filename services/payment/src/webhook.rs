//! What channels announce by themselves: taken in once, in whatever order it comes, and never believed over what is known.
//!
//! An announcement is booked like an answer to a question, in the transaction that takes it in. It may be early, before
//! the answer it tells of; then the answer tells nothing new. It may be late: what has gone further never steps back. Of
//! a payment that is not known it is kept until the payment appears. What nobody asked for, or what contradicts what was
//! asked, is not booked but shown to an operator.

use chassis::db::Db;
use chassis::time::Timestamp;
use sea_orm::DatabaseTransaction;
use std::time::Duration;

use crate::channel::{Movement, Notice, Outcome};
use crate::domain::refund::State as RefundState;
use crate::domain::{Goal, Need, Payment, State, attention};
use crate::error::Error;
use crate::store::webhooks::{self, Event, State as Taken};
use crate::store::{payments, refunds};
use crate::till::{Answered, Said, Till, alert};

/// How often what waits for its payment is looked at: rarely anything does, since an intent is stored before it is asked.
const EVERY: Duration = Duration::from_secs(1);
const BATCH: i64 = 64;

/// What an announcement tells of a payment.
#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    /// The answer to what the payment needs, or may need.
    Answer(Need),
    /// Nothing new.
    Nothing,
    /// Something that cannot be, for this reason.
    Contradiction(&'static str),
}

impl Till {
    /// Takes an announcement in. The same one again changes nothing.
    pub(crate) async fn hear(
        &self,
        tx: &DatabaseTransaction,
        channel: &str,
        notice: Notice,
    ) -> Result<(), Error> {
        let event = Event::received(channel, notice, Timestamp::now());
        if webhooks::insert(tx, &event).await? {
            self.apply(tx, &event).await?;
        }
        Ok(())
    }

    /// Books what an announcement tells, if its payment is known.
    async fn apply(&self, tx: &DatabaseTransaction, event: &Event) -> Result<(), Error> {
        let Some(payment) = payments::load(tx, Payment::id_of(&event.notice.order)).await? else {
            return Ok(());
        };
        let (state, reason) = match event.notice.movement {
            _ if payment.channel != event.channel => (Taken::Flagged, "OTHER_CHANNEL".to_owned()),
            Movement::Refund => self.apply_to_refund(tx, &payment, &event.notice).await?,
            Movement::Authorize | Movement::Capture | Movement::Void => {
                self.apply_to_payment(tx, &payment, &event.notice).await?
            }
        };
        webhooks::settle(tx, event.id, state, &reason).await?;
        Ok(())
    }

    async fn apply_to_payment(
        &self,
        tx: &DatabaseTransaction,
        payment: &Payment,
        notice: &Notice,
    ) -> Result<(Taken, String), Error> {
        let need = match meaning(payment, notice) {
            Meaning::Nothing => return Ok(nothing_new()),
            Meaning::Contradiction(reason) => return flag(tx, payment, reason).await,
            Meaning::Answer(need) => need,
        };
        // Whoever is asking the channel at this moment finds that the answer is known.
        let taken = payments::seize(tx, payment.id).await?;
        let answered = Answered { taken, need, said: Said::Outcome(notice.outcome.clone()) };
        let booked = self.booking.book(tx, &[answered]).await?.pop().flatten();
        Ok(told(&payment.attention, booked.map(|booked| booked.attention)))
    }

    async fn apply_to_refund(
        &self,
        tx: &DatabaseTransaction,
        payment: &Payment,
        notice: &Notice,
    ) -> Result<(Taken, String), Error> {
        let known = refunds::of(tx, payment.id).await?;
        let Some(refund) = known.into_iter().find(|refund| refund.key() == notice.key) else {
            return flag(tx, payment, attention::UNASKED).await;
        };
        match (refund.state, &notice.outcome) {
            (RefundState::Pending, outcome) => {
                let taken = refunds::seize(tx, refund.id).await?;
                let booked = self.booking.book_refund(tx, &taken, payment, Ok(outcome.clone())).await?;
                Ok(told(&refund.attention, booked.map(|booked| booked.attention)))
            }
            (RefundState::Succeeded, Outcome::Accepted(done)) if done.amount != refund.amount => {
                flag(tx, payment, attention::AMOUNT_MISMATCH).await
            }
            (RefundState::Failed, Outcome::Accepted(_)) => flag(tx, payment, attention::CONTRADICTION).await,
            (RefundState::Succeeded, Outcome::Accepted(_) | Outcome::Refused(_))
            | (RefundState::Failed, Outcome::Refused(_)) => Ok(nothing_new()),
        }
    }

    /// Applies what came before its payment, until it is told to stop.
    pub(crate) async fn listen(self, db: Db, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        loop {
            if let Err(error) = self.catch_up(&db).await {
                tracing::warn!(error = %chassis::status::chain(&error), "announcements cannot be applied");
            }
            tokio::select! {
                () = &mut stop => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    async fn catch_up(&self, db: &Db) -> Result<(), Error> {
        for event in webhooks::awaited(db.writer(), BATCH).await? {
            db.write(async |tx| self.apply(tx, &event).await).await?;
        }
        Ok(())
    }
}

fn nothing_new() -> (Taken, String) {
    (Taken::Ignored, String::new())
}

/// What came of an announcement that was booked: an operator has to look where there is a reason that was not there.
fn told(was: &str, now_is: Option<String>) -> (Taken, String) {
    match now_is {
        None => nothing_new(),
        Some(reason) if reason.is_empty() || reason == was => (Taken::Applied, String::new()),
        Some(reason) => (Taken::Flagged, reason),
    }
}

async fn flag(
    tx: &DatabaseTransaction,
    payment: &Payment,
    reason: &'static str,
) -> Result<(Taken, String), Error> {
    payments::flag(tx, payment.id, reason).await?;
    alert(&payment.attention, reason, &payment.id.name());
    Ok((Taken::Flagged, reason.to_owned()))
}

/// What an announcement that is no refund tells of its payment.
fn meaning(payment: &Payment, notice: &Notice) -> Meaning {
    let key = match notice.movement {
        Movement::Authorize => payment.authorization_key(),
        Movement::Capture => payment.capture_key(),
        Movement::Void => payment.void_key(),
        Movement::Refund => return Meaning::Nothing,
    };
    let unasked = Meaning::Contradiction(attention::UNASKED);
    let done = match &notice.outcome {
        _ if notice.key != key => return unasked,
        Outcome::Accepted(done) => done,
        // A refusal ends only what was not promised yet. Of a capture or a void the till asks by itself.
        Outcome::Refused(_) => {
            return match (notice.movement, payment.state) {
                (Movement::Authorize, State::Pending | State::Unknown) => Meaning::Answer(Need::Promise),
                _ => Meaning::Nothing,
            };
        }
    };
    let agrees = |amount| match done.amount == amount {
        true => Meaning::Nothing,
        false => Meaning::Contradiction(attention::AMOUNT_MISMATCH),
    };
    match (notice.movement, payment.state) {
        (Movement::Refund, _) => Meaning::Nothing,
        (Movement::Authorize, State::Pending | State::Unknown) => Meaning::Answer(Need::Promise),
        (Movement::Authorize, State::Declined) => Meaning::Contradiction(attention::CONTRADICTION),
        (Movement::Authorize, _) => agrees(payment.amount),
        // Given up, it may have been sent as well, and have arrived after the channel was asked about it.
        (Movement::Capture, State::Authorized) if payment.capture_sent || payment.goal == Goal::GiveUp => {
            Meaning::Answer(Need::CaptureOutcome)
        }
        (Movement::Capture, State::Pending | State::Unknown | State::Authorized) => unasked,
        (Movement::Capture, State::Voided | State::Declined) => unasked,
        (Movement::Capture, State::Captured | State::PartiallyRefunded | State::Refunded) => {
            agrees(payment.captured)
        }
        (Movement::Void, State::Pending | State::Unknown | State::Authorized) => match payment.goal {
            Goal::GiveUp => Meaning::Answer(Need::Void),
            Goal::Authorize | Goal::Capture => unasked,
        },
        (Movement::Void, State::Voided | State::Declined) => Meaning::Nothing,
        (Movement::Void, State::Captured | State::PartiallyRefunded | State::Refunded) => {
            Meaning::Contradiction(attention::CONTRADICTION)
        }
    }
}

#[cfg(test)]
mod tests {
    use chassis::money::Money;

    use super::*;
    use crate::channel::Accepted;

    fn payment(state: State, goal: Goal) -> Payment {
        let amount = Money::parse("10", "GBP".parse().expect("a currency")).expect("an amount");
        let captured = match state {
            State::Captured | State::PartiallyRefunded | State::Refunded => amount,
            State::Pending | State::Unknown | State::Authorized | State::Voided | State::Declined => {
                Money::zero(amount.currency)
            }
        };
        let intended = Payment::intended("orders/1", "users/1", "sandbox", amount, Timestamp::from_micros(0));
        Payment { state, goal, captured, ..intended }
    }

    fn notice(of: &Payment, movement: Movement, minor: Option<i64>) -> Notice {
        let key = match movement {
            Movement::Authorize => of.authorization_key(),
            Movement::Capture => of.capture_key(),
            Movement::Void | Movement::Refund => of.void_key(),
        };
        let accepted = |minor| {
            let (reference, method_summary) = ("r".to_owned(), String::new());
            let amount = Money::new(minor, of.amount.currency);
            Outcome::Accepted(Accepted { reference, method_summary, amount, fee: 0 })
        };
        let outcome = minor.map_or(Outcome::Refused("NO".to_owned()), accepted);
        Notice { event: "e".to_owned(), movement, key, order: of.order.clone(), outcome }
    }

    #[test]
    fn what_has_gone_further_never_steps_back() {
        for state in [State::Captured, State::PartiallyRefunded, State::Refunded] {
            let payment = payment(state, Goal::Capture);
            for (movement, minor) in [
                (Movement::Authorize, Some(1000)),
                (Movement::Authorize, None),
                (Movement::Capture, Some(1000)),
                (Movement::Capture, None),
                (Movement::Void, None),
            ] {
                assert_eq!(
                    meaning(&payment, &notice(&payment, movement, minor)),
                    Meaning::Nothing,
                    "{movement:?}"
                );
            }
        }
    }

    #[test]
    fn what_nobody_asked_for_is_not_believed() {
        use attention::{AMOUNT_MISMATCH, CONTRADICTION, UNASKED};
        let authorized = payment(State::Authorized, Goal::Authorize);
        for (payment, movement, minor, reason) in [
            (authorized.clone(), Movement::Capture, 1000, UNASKED),
            (authorized.clone(), Movement::Void, 1000, UNASKED),
            (authorized, Movement::Authorize, 999, AMOUNT_MISMATCH),
            (payment(State::Captured, Goal::Capture), Movement::Capture, 999, AMOUNT_MISMATCH),
            (payment(State::Captured, Goal::Capture), Movement::Void, 1000, CONTRADICTION),
            (payment(State::Declined, Goal::Authorize), Movement::Authorize, 1000, CONTRADICTION),
            (payment(State::Voided, Goal::GiveUp), Movement::Capture, 1000, UNASKED),
        ] {
            let found = meaning(&payment, &notice(&payment, movement, Some(minor)));
            assert_eq!(found, Meaning::Contradiction(reason), "{movement:?} of {:?}", payment.state);
        }
        let pending = payment(State::Pending, Goal::Authorize);
        let foreign =
            Notice { key: "another".to_owned(), ..notice(&pending, Movement::Authorize, Some(1000)) };
        assert_eq!(meaning(&pending, &foreign), Meaning::Contradiction(UNASKED));
    }

    #[test]
    fn what_is_awaited_is_an_answer() {
        let sent = Payment { capture_sent: true, ..payment(State::Authorized, Goal::Capture) };
        for (payment, movement, minor, need) in [
            (payment(State::Pending, Goal::Authorize), Movement::Authorize, Some(1000), Need::Promise),
            (payment(State::Unknown, Goal::Authorize), Movement::Authorize, None, Need::Promise),
            (sent, Movement::Capture, Some(1000), Need::CaptureOutcome),
            (payment(State::Authorized, Goal::GiveUp), Movement::Void, Some(1000), Need::Void),
        ] {
            assert_eq!(meaning(&payment, &notice(&payment, movement, minor)), Meaning::Answer(need));
        }
    }
}
