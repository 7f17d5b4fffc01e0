//! What follows from a channel's answer: the new state, the ledger, the events, and when to look again.

use std::time::Duration;

use chassis::db::Db;
use chassis::money::Money;
use chassis::time::Timestamp;
use chassis::together::{Served, Together, Wish};
use sea_orm::DatabaseTransaction;
use tonic::Status;

use super::news::News;
use super::{Said, Wakes};
use crate::channel::{Accepted, Answer, Fault, Outcome};
use crate::domain::refund::State as RefundState;
use crate::domain::{Goal, Need, Payment, Refund, State, attention};
use crate::error::Error;
use crate::service;
use crate::store::payments::Settled;
use crate::store::{Later, Leased, payments, refunds};

/// An authorization that never reached its channel, and that nobody has asked for again, is given up after this.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(120);
/// How often a capture may be refused before an operator has to look.
const REFUSALS_MAX: i64 = 8;
const WAIT_MIN: Duration = Duration::from_millis(500);
const WAIT_MAX: Duration = Duration::from_secs(60);

/// What follows for a payment.
struct Follows {
    payment: Payment,
    next: Next,
    error: String,
    /// What could not be done, and why: announced.
    failed: Option<(&'static str, String)>,
    /// Why an operator should look.
    attention: &'static str,
}

/// When to look at it again.
enum Next {
    Never,
    Now,
    Later,
}

/// What a channel said to what a payment needed that was taken to work on.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    pub(crate) taken: Leased<Payment>,
    pub(crate) need: Need,
    pub(crate) said: Said,
}

impl Wish for Answered {
    /// The payment as it is now; nothing where somebody else has taken it since.
    type Answer = Option<Payment>;

    fn about(&self) -> &str {
        &self.taken.row.order
    }
}

/// Books what channels say.
#[derive(Clone)]
pub(crate) struct Booking {
    pub(super) db: Db,
    /// After what time an operator should look at what a channel does not say.
    pub(super) attention_after: Duration,
    pub(super) wakes: Wakes,
}

impl Booking {
    /// Where answers are handed in, to be booked together with those that come at the same time.
    pub(super) fn open(self) -> Together<Answered> {
        Together::new(move |answered| {
            let booking = self.clone();
            async move { booking.serve(&answered).await }
        })
    }

    async fn serve(&self, answered: &[Answered]) -> Served<Answered> {
        let booked = self.db.write(async |tx| self.book(tx, answered).await).await;
        Ok(booked.map_err(Status::from)?.into_iter().map(Ok).collect())
    }

    /// Books what channels said, each to another payment.
    pub(crate) async fn book(
        &self,
        tx: &DatabaseTransaction,
        answered: &[Answered],
    ) -> Result<Vec<Option<Payment>>, Error> {
        let now = Timestamp::now();
        let follow: Vec<Follows> = answered
            .iter()
            .map(|Answered { taken, need, said }| follows(taken, *need, said.clone(), now))
            .collect();
        let settled: Vec<Settled<'_>> =
            answered.iter().zip(&follow).map(|(of, follows)| self.settled(&of.taken, follows, now)).collect();
        let mut booked = payments::settle(tx, &settled).await?;
        let mut news = News::default();
        for (Answered { taken, .. }, follows) in answered.iter().zip(&follow) {
            let Some(payment) = booked.get(&taken.row.id) else { continue };
            news.changed(taken.row.state, payment, now);
            if let Some((stage, reason)) = &follows.failed {
                news.failed(payment, stage, reason);
            }
            if matches!(follows.next, Next::Now) || payment.goal != follows.payment.goal {
                self.wakes.payments();
            }
            alert(&taken.row.attention, &payment.attention, &payment.id.name());
        }
        news.write(tx).await?;
        for Answered { taken, .. } in answered {
            let Some(payment) = booked.get(&taken.row.id) else { continue };
            // Taken although by now nobody wants it: it goes straight back.
            let unwanted = payment.state == State::Captured && payment.goal == Goal::GiveUp;
            if unwanted && taken.row.state != State::Captured {
                service::refund_rest(tx, payment, service::CANCELLED).await?;
                self.wakes.refunds();
            }
        }
        Ok(answered.iter().map(|answered| booked.remove(&answered.taken.row.id)).collect())
    }

    fn settled<'a>(&self, taken: &'a Leased<Payment>, follows: &'a Follows, now: Timestamp) -> Settled<'a> {
        let at = match follows.next {
            Next::Never => None,
            Next::Now => Some(now),
            Next::Later => Some(now.plus(wait(taken.attempts))),
        };
        let stuck = matches!(follows.next, Next::Later) && self.is_long(taken.since, now);
        let progress = follows.payment.state != taken.row.state;
        let attention = attention::next(&taken.row.attention, follows.attention, progress, stuck);
        let later = Later { at, error: &follows.error, attention };
        Settled { taken, now_is: &follows.payment, later }
    }

    /// Books what the channel said to a refund. Nothing where somebody else has taken the refund since.
    pub(crate) async fn book_refund(
        &self,
        tx: &DatabaseTransaction,
        taken: &Leased<Refund>,
        payment: &Payment,
        answer: Answer,
    ) -> Result<Option<Refund>, Error> {
        // An announcement takes hold of the payment before its refund. Who does it the other way round may wait for one that
        // waits for it.
        payments::load(tx, payment.id).await?;
        let now = Timestamp::now();
        let again = Some(now.plus(wait(taken.attempts)));
        let (state, at, error, says) = match &answer {
            Ok(Outcome::Accepted(done)) if done.amount != taken.row.amount => {
                let error = format!("the channel gave back {}", done.amount);
                (RefundState::Pending, again, error, attention::AMOUNT_MISMATCH)
            }
            Ok(Outcome::Accepted(_)) => (RefundState::Succeeded, None, String::new(), ""),
            Ok(Outcome::Refused(reason)) => {
                (RefundState::Failed, None, reason.clone(), attention::REFUND_REFUSED)
            }
            Err(fault) => (RefundState::Pending, again, fault.to_string(), ""),
        };
        let stuck = at.is_some() && self.is_long(taken.since, now);
        let progress = state != RefundState::Pending;
        let attention = attention::next(&taken.row.attention, says, progress, stuck);
        let later = Later { at, error: &error, attention };
        if !refunds::settle(tx, taken, state, later).await? {
            return Ok(None);
        }
        match state {
            RefundState::Pending => {}
            RefundState::Succeeded => service::given_back(tx, &taken.row, now).await?,
            RefundState::Failed => {
                payments::put_back(tx, payment.id, taken.row.amount).await?;
                let mut news = News::default();
                news.failed(payment, "refund", &error);
                news.write(tx).await?;
            }
        }
        alert(&taken.row.attention, attention, &taken.row.name());
        Ok(Some(Refund { state, attention: attention.to_owned(), ..taken.row.clone() }))
    }

    fn is_long(&self, since: Timestamp, now: Timestamp) -> bool {
        now.since(since) > self.attention_after
    }
}

/// Tells operators, once.
pub(crate) fn alert(was: &str, now_is: &str, name: &str) {
    if !now_is.is_empty() && was != now_is {
        metrics::counter!("payment_attention_total", "reason" => now_is.to_owned()).increment(1);
        tracing::error!(payment.name = name, reason = now_is, "an operator should look at this payment");
    }
}

/// Doubles from half a second to a minute.
fn wait(attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts.clamp(1, 10) - 1).unwrap_or_default();
    WAIT_MIN.saturating_mul(2_u32.saturating_pow(doublings)).min(WAIT_MAX)
}

fn follows(taken: &Leased<Payment>, need: Need, said: Said, now: Timestamp) -> Follows {
    let was = &taken.row;
    let stays =
        |next| Follows { payment: was.clone(), next, error: String::new(), failed: None, attention: "" };
    let becomes = |payment: Payment| {
        let next = if payment.need() == Need::Nothing { Next::Never } else { Next::Now };
        Follows { payment, next, ..stays(Next::Never) }
    };
    match (need, said) {
        (Need::Nothing, _) => becomes(was.clone()),
        // Not what was asked for: it is given up, and what the customer's bank holds with it.
        (Need::Promise, Said::Outcome(Outcome::Accepted(done))) if done.amount != was.amount => {
            let payment = Payment {
                goal: Goal::GiveUp,
                channel_reference: done.reference,
                decline_reason: attention::AMOUNT_MISMATCH.to_owned(),
                ..was.clone()
            };
            let failed = Some(("authorize", attention::AMOUNT_MISMATCH.to_owned()));
            Follows { failed, attention: attention::AMOUNT_MISMATCH, ..becomes(payment) }
        }
        (Need::Promise, Said::Outcome(Outcome::Accepted(done))) => becomes(Payment {
            state: State::Authorized,
            channel_reference: done.reference,
            method_summary: done.method_summary,
            ..was.clone()
        }),
        (Need::Promise, Said::Outcome(Outcome::Refused(reason))) => {
            let declined = Payment { state: State::Declined, decline_reason: reason.clone(), ..was.clone() };
            Follows { failed: Some(("authorize", reason)), ..becomes(declined) }
        }
        (Need::Promise, Said::Nothing) if now.since(was.create_time) > FORGOTTEN_AFTER => {
            becomes(Payment { goal: Goal::GiveUp, ..was.clone() })
        }
        (Need::Promise, Said::Fault(Fault::Unknown)) => {
            let unknown = Payment { state: State::Unknown, ..was.clone() };
            Follows { payment: unknown, error: Fault::Unknown.to_string(), ..stays(Next::Later) }
        }
        (Need::Capture | Need::CaptureOutcome, Said::Outcome(Outcome::Accepted(done)))
            if done.amount != was.capturing =>
        {
            let error = format!("the channel took {} instead of {}", done.amount, was.capturing);
            Follows { error, attention: attention::AMOUNT_MISMATCH, ..stays(Next::Never) }
        }
        (Need::Capture | Need::CaptureOutcome, Said::Outcome(Outcome::Accepted(done))) => {
            captured(was, &done, becomes)
        }
        (Need::Capture, Said::Outcome(Outcome::Refused(reason))) if taken.attempts >= REFUSALS_MAX => {
            Follows {
                error: reason.clone(),
                failed: Some(("capture", reason)),
                attention: attention::CAPTURE_REFUSED,
                ..stays(Next::Never)
            }
        }
        (Need::Capture, Said::Outcome(Outcome::Refused(reason))) => {
            Follows { error: reason, ..stays(Next::Later) }
        }
        (Need::CaptureOutcome, Said::Outcome(Outcome::Refused(_)) | Said::Nothing) => {
            becomes(Payment { capture_sent: false, ..was.clone() })
        }
        (Need::Void, Said::Outcome(Outcome::Accepted(_))) => {
            becomes(Payment { state: State::Voided, ..was.clone() })
        }
        // Not voidable because it was taken after all: asking about the capture will tell.
        (Need::Void, Said::Outcome(Outcome::Refused(reason))) => {
            let asked = Payment { capture_sent: was.state == State::Authorized, ..was.clone() };
            Follows { payment: asked, error: reason, ..stays(Next::Later) }
        }
        (Need::Promise | Need::Capture | Need::Void, Said::Nothing) => stays(Next::Later),
        (Need::Promise | Need::Capture | Need::CaptureOutcome | Need::Void, Said::Fault(fault)) => {
            Follows { error: fault.to_string(), ..stays(Next::Later) }
        }
    }
}

/// Taken, less what the channel keeps. A fee that cannot be right is not booked.
fn captured(was: &Payment, done: &Accepted, becomes: impl FnOnce(Payment) -> Follows) -> Follows {
    let plausible = (0..=done.amount.minor).contains(&done.fee);
    let fee = Money::new(if plausible { done.fee } else { 0 }, was.amount.currency);
    let follows = becomes(Payment { state: State::Captured, captured: done.amount, fee, ..was.clone() });
    Follows { attention: if plausible { "" } else { attention::FEE_IMPLAUSIBLE }, ..follows }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(state: State, goal: Goal, attempts: i64) -> Leased<Payment> {
        let amount = Money::parse("10", "GBP".parse().expect("a currency")).expect("an amount");
        let intended = Payment::intended("orders/1", "users/1", "sandbox", amount, Timestamp::from_micros(0));
        Leased {
            row: Payment { state, goal, ..intended },
            fence: 1,
            attempts,
            since: Timestamp::from_micros(0),
        }
    }

    fn refused() -> Said {
        Said::Outcome(Outcome::Refused("NO".to_owned()))
    }

    #[test]
    fn a_capture_that_is_refused_for_good_is_left_to_an_operator() {
        let now = Timestamp::from_micros(0);
        let again = follows(&taken(State::Authorized, Goal::Capture, 1), Need::Capture, refused(), now);
        assert!(matches!((again.next, again.failed), (Next::Later, None)));
        let last =
            follows(&taken(State::Authorized, Goal::Capture, REFUSALS_MAX), Need::Capture, refused(), now);
        assert!(matches!((last.next, last.failed), (Next::Never, Some(("capture", _)))));
        assert_eq!(last.payment.state, State::Authorized);
    }

    #[test]
    fn a_void_that_is_refused_asks_whether_the_money_was_taken() {
        let refused = follows(
            &taken(State::Authorized, Goal::GiveUp, 1),
            Need::Void,
            refused(),
            Timestamp::from_micros(0),
        );
        assert_eq!(refused.payment.need(), Need::CaptureOutcome);
        let never = taken(State::Authorized, Goal::GiveUp, 1);
        let never = follows(&never, Need::CaptureOutcome, Said::Nothing, Timestamp::from_micros(0));
        assert_eq!(never.payment.need(), Need::Void);
    }

    #[test]
    fn an_authorization_that_never_arrived_is_forgotten_only_after_a_while() {
        let (pending, soon) = (taken(State::Pending, Goal::Authorize, 5), Timestamp::from_micros(1_000_000));
        assert_eq!(follows(&pending, Need::Promise, Said::Nothing, soon).payment.goal, Goal::Authorize);
        let later = Timestamp::from_micros(0).plus(FORGOTTEN_AFTER * 2);
        assert_eq!(follows(&pending, Need::Promise, Said::Nothing, later).payment.goal, Goal::GiveUp);
    }

    fn accepted(minor: i64, fee: i64) -> Said {
        let (reference, method_summary) = ("r".to_owned(), String::new());
        let amount = Money::new(minor, "GBP".parse().expect("a currency"));
        Said::Outcome(Outcome::Accepted(Accepted { reference, method_summary, amount, fee }))
    }

    #[test]
    fn another_amount_than_was_asked_is_given_up_and_looked_at() {
        let now = Timestamp::from_micros(0);
        let promised =
            follows(&taken(State::Pending, Goal::Authorize, 1), Need::Promise, accepted(1001, 0), now);
        assert_eq!((promised.payment.need(), promised.attention), (Need::Void, attention::AMOUNT_MISMATCH));
        let taken_ =
            follows(&taken(State::Authorized, Goal::Capture, 1), Need::Capture, accepted(999, 0), now);
        assert_eq!((taken_.payment.state, taken_.attention), (State::Authorized, attention::AMOUNT_MISMATCH));
    }

    #[test]
    fn a_fee_is_part_of_what_was_taken() {
        let now = Timestamp::from_micros(0);
        for (fee, booked, attention) in
            [(34, 34, ""), (-1, 0, attention::FEE_IMPLAUSIBLE), (1001, 0, attention::FEE_IMPLAUSIBLE)]
        {
            let taken = taken(State::Authorized, Goal::Capture, 1);
            let captured = follows(&taken, Need::Capture, accepted(1000, fee), now);
            assert_eq!((captured.payment.fee.minor, captured.attention), (booked, attention), "{fee}");
            assert_eq!(captured.payment.state, State::Captured);
        }
    }

    #[test]
    fn waiting_grows_to_a_minute() {
        assert_eq!([1, 2, 3, 50].map(|attempts| wait(attempts).as_millis()), [500, 1000, 2000, 60_000]);
    }
}
