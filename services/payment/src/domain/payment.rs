//! A payment: the money of one order, what is wanted of it, and what its channel must be asked for that.

use chassis::id::{Id, Resource};
use chassis::money::Money;
use chassis::time::Timestamp;

use super::risk::{self, Judgement, Outcome, Review};

/// How far a payment has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The intent is stored; the channel has not answered.
    Pending,
    /// The channel did not answer in time: what it did is not known.
    Unknown,
    /// Promised.
    Authorized,
    /// Taken.
    Captured,
    /// Given up before it was taken.
    Voided,
    /// Given back in full.
    Refunded,
    /// Given back in part.
    PartiallyRefunded,
    /// Refused by the channel.
    Declined,
}

/// What the shop wants to become of a payment. It only moves forward: giving up wins over taking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// Have it promised.
    Authorize,
    /// Take it.
    Capture,
    /// Leave the customer's money alone, or give it back.
    GiveUp,
}

/// What the channel must be asked next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing: the goal is reached, or cannot be.
    Nothing,
    /// Whether the money is promised.
    Promise,
    /// To take the money.
    Capture,
    /// Whether the money was taken, since nobody wants it any more.
    CaptureOutcome,
    /// To forget its promise.
    Void,
}

/// The money of one order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Payment {
    pub(crate) id: Id<Payment>,
    pub(crate) order: String,
    pub(crate) customer: String,
    pub(crate) state: State,
    pub(crate) goal: Goal,
    pub(crate) channel: String,
    pub(crate) amount: Money,
    /// How much of it is to be taken.
    pub(crate) capturing: Money,
    pub(crate) captured: Money,
    pub(crate) refunded: Money,
    /// Asked back from the channel, which has not answered: no longer there to be refunded.
    pub(crate) refunding: Money,
    /// What the channel keeps of what was taken.
    pub(crate) fee: Money,
    /// Why an operator should look at it; empty where all is well.
    pub(crate) attention: String,
    pub(crate) decline_reason: String,
    pub(crate) channel_reference: String,
    pub(crate) method_summary: String,
    /// A capture was sent: before giving up, the channel must be asked what became of it.
    pub(crate) capture_sent: bool,
    pub(crate) create_time: Timestamp,
    pub(crate) update_time: Timestamp,
    /// Whether somebody has to look at it before its money is taken.
    pub(crate) review: Review,
    /// The names of the risk rules and entries that it met.
    pub(crate) risk_rules: Vec<String>,
    /// Who decided about it, and what they found out.
    pub(crate) reviewer: String,
    pub(crate) review_note: String,
}

impl Resource for Payment {
    const COLLECTION: &'static str = "payments";
}

/// Why a payment cannot do what is asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the order has been paid")]
    AlreadyPaid,
    #[error("the order's payment is still being decided")]
    InProgress,
    #[error("the payment was declined: {0}")]
    Declined(String),
    #[error("the payment was given up")]
    Voided,
    #[error("the payment is denied")]
    Denied { met: Vec<String> },
    #[error("somebody has to look at the payment before its money is taken")]
    UnderReview,
    #[error("nobody has to decide about the payment")]
    NotUnderReview,
    #[error("no money is promised that could be taken")]
    NotAuthorized,
    #[error("the money was taken; it can only be refunded")]
    Captured,
    #[error("at most {0} is promised")]
    ExceedsAuthorized(Money),
    #[error("it is decided that {0} is taken, and the rest let go")]
    CaptureDecided(Money),
    #[error("no money was taken that could be refunded")]
    NotCaptured,
    #[error("at most {0} can still be refunded")]
    ExceedsCaptured(Money),
    #[error("must be in {0}, in which the customer paid")]
    OtherCurrency(chassis::money::Currency),
}

impl Payment {
    /// The payment that an order always has, however often it is asked for.
    pub(crate) fn id_of(order: &str) -> Id<Payment> {
        Id::derived(&["payment", order])
    }

    /// A payment that is asked for now.
    pub(crate) fn intended(
        order: &str,
        customer: &str,
        channel: &str,
        amount: Money,
        now: Timestamp,
    ) -> Payment {
        let nothing = Money::zero(amount.currency);
        Payment {
            id: Payment::id_of(order),
            order: order.to_owned(),
            customer: customer.to_owned(),
            state: State::Pending,
            goal: Goal::Authorize,
            channel: channel.to_owned(),
            amount,
            capturing: amount,
            captured: nothing,
            refunded: nothing,
            refunding: nothing,
            fee: nothing,
            attention: String::new(),
            decline_reason: String::new(),
            channel_reference: String::new(),
            method_summary: String::new(),
            capture_sent: false,
            create_time: now,
            update_time: now,
            review: Review::None,
            risk_rules: Vec::new(),
            reviewer: String::new(),
            review_note: String::new(),
        }
    }

    /// The same after it was judged: no channel is asked for one that is denied.
    pub(crate) fn judged(self, judgement: Judgement) -> Payment {
        let payment = Payment { risk_rules: judgement.met, ..self };
        match judgement.outcome {
            None => payment,
            Some(Outcome::Review) => Payment { review: Review::Waiting, ..payment },
            Some(Outcome::Deny) => {
                Payment { state: State::Declined, decline_reason: risk::DENIED.to_owned(), ..payment }
            }
        }
    }

    /// Whether somebody has yet to decide about it.
    pub(crate) fn is_under_review(&self) -> bool {
        self.review.is_open() && self.promised().is_ok()
    }

    /// Decides to let its money be taken. Again changes nothing.
    pub(crate) fn approve(&self) -> Result<Option<Review>, Refusal> {
        self.decide(Review::Approved)
    }

    /// Decides to give its money up. Again changes nothing.
    pub(crate) fn refuse(&self) -> Result<Option<Review>, Refusal> {
        self.decide(Review::Refused)
    }

    fn decide(&self, decision: Review) -> Result<Option<Review>, Refusal> {
        match self.review {
            known if known == decision => Ok(None),
            Review::Waiting | Review::Held => self.promised().map(|_| Some(decision)),
            Review::None | Review::Approved | Review::Refused => Err(Refusal::NotUnderReview),
        }
    }

    /// What the channel must be asked next, given what is wanted.
    pub(crate) fn need(&self) -> Need {
        match (self.state, self.goal) {
            (State::Pending | State::Unknown, Goal::Authorize | Goal::Capture) => Need::Promise,
            (State::Pending | State::Unknown, Goal::GiveUp) => Need::Void,
            (State::Authorized, Goal::Authorize) => Need::Nothing,
            (State::Authorized, Goal::Capture) => Need::Capture,
            (State::Authorized, Goal::GiveUp) if self.capture_sent => Need::CaptureOutcome,
            (State::Authorized, Goal::GiveUp) => Need::Void,
            (
                State::Captured
                | State::Voided
                | State::Refunded
                | State::PartiallyRefunded
                | State::Declined,
                Goal::Authorize | Goal::Capture | Goal::GiveUp,
            ) => Need::Nothing,
        }
    }

    /// Whether the money is promised; not yet known is `false`.
    pub(crate) fn promised(&self) -> Result<bool, Refusal> {
        match self.state {
            State::Declined if self.decline_reason == risk::DENIED => {
                Err(Refusal::Denied { met: self.risk_rules.clone() })
            }
            State::Declined => Err(Refusal::Declined(self.decline_reason.clone())),
            State::Voided => Err(Refusal::Voided),
            State::Pending | State::Unknown | State::Authorized if self.goal == Goal::GiveUp => {
                Err(Refusal::Voided)
            }
            State::Pending | State::Unknown => Ok(false),
            State::Authorized | State::Captured | State::Refunded | State::PartiallyRefunded => Ok(true),
        }
    }

    /// Why the order cannot be paid a second time.
    pub(crate) fn second_intent(&self) -> Refusal {
        match self.promised() {
            Ok(true) => Refusal::AlreadyPaid,
            Ok(false) => Refusal::InProgress,
            Err(refusal) => refusal,
        }
    }

    /// Decides to take the money, or as much of it. Taking as much again changes nothing.
    pub(crate) fn capture(&self, part: Option<Money>) -> Result<Option<Money>, Refusal> {
        let amount = part.unwrap_or(self.capturing);
        match self.state {
            _ if amount.currency != self.amount.currency => Err(Refusal::OtherCurrency(self.amount.currency)),
            State::Pending | State::Unknown | State::Declined => Err(Refusal::NotAuthorized),
            State::Voided => Err(Refusal::Voided),
            State::Authorized if self.goal == Goal::GiveUp => Err(Refusal::Voided),
            State::Authorized if self.review.bars_capture() => Err(Refusal::UnderReview),
            State::Authorized if amount.minor > self.amount.minor => {
                Err(Refusal::ExceedsAuthorized(self.amount))
            }
            State::Authorized if self.goal == Goal::Authorize => Ok(Some(amount)),
            _ if amount != self.capturing => Err(Refusal::CaptureDecided(self.capturing)),
            State::Authorized => Ok(Some(amount)),
            State::Captured | State::Refunded | State::PartiallyRefunded => Ok(None),
        }
    }

    /// Decides to give up what is promised. Giving up again changes nothing.
    pub(crate) fn give_up(&self) -> Result<Option<Goal>, Refusal> {
        match self.state {
            State::Pending | State::Unknown | State::Authorized => Ok(Some(Goal::GiveUp)),
            State::Voided | State::Declined => Ok(None),
            State::Captured | State::Refunded | State::PartiallyRefunded if self.goal == Goal::GiveUp => {
                Ok(None)
            }
            State::Captured | State::Refunded | State::PartiallyRefunded => Err(Refusal::Captured),
        }
    }

    /// What can still be refunded.
    pub(crate) fn refundable(&self) -> Money {
        Money::new(self.captured.minor - self.refunded.minor - self.refunding.minor, self.amount.currency)
    }

    /// Checks that so much can be refunded. The write that takes it decides; this says why not.
    pub(crate) fn refund(&self, amount: Money) -> Result<(), Refusal> {
        match self.state {
            _ if amount.currency != self.amount.currency => Err(Refusal::OtherCurrency(self.amount.currency)),
            State::Captured | State::PartiallyRefunded | State::Refunded
                if amount.minor <= self.refundable().minor =>
            {
                Ok(())
            }
            State::Captured | State::PartiallyRefunded | State::Refunded => {
                Err(Refusal::ExceedsCaptured(self.refundable()))
            }
            State::Pending | State::Unknown | State::Authorized | State::Voided | State::Declined => {
                Err(Refusal::NotCaptured)
            }
        }
    }

    /// The key under which the channel is asked to promise the money: the same each time, so that it does it once.
    pub(crate) fn authorization_key(&self) -> String {
        self.key("authorize")
    }

    /// The key under which the channel is asked to take it.
    pub(crate) fn capture_key(&self) -> String {
        Payment::capture_key_of(self.id)
    }

    /// The same of a payment that is known by its id alone.
    pub(crate) fn capture_key_of(id: Id<Payment>) -> String {
        Id::<Payment>::derived(&["capture", &id.to_string()]).to_string()
    }

    /// The key under which the channel is asked to forget it.
    pub(crate) fn void_key(&self) -> String {
        self.key("void")
    }

    fn key(&self, operation: &str) -> String {
        Id::<Payment>::derived(&[operation, &self.id.to_string()]).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn giving_up_wins_over_taking() {
        assert_eq!(payment(State::Authorized, Goal::GiveUp).need(), Need::Void);
        assert_eq!(payment(State::Authorized, Goal::GiveUp).capture(None), Err(Refusal::Voided));
        assert_eq!(payment(State::Authorized, Goal::GiveUp).promised(), Err(Refusal::Voided));
    }

    #[test]
    fn a_capture_on_its_way_is_asked_about_before_giving_up() {
        let on_its_way = Payment { capture_sent: true, ..payment(State::Authorized, Goal::GiveUp) };
        assert_eq!(on_its_way.need(), Need::CaptureOutcome);
    }

    #[test]
    fn a_part_is_taken_once_and_never_more_than_is_promised() {
        let promised = payment(State::Authorized, Goal::Authorize);
        let part = |minor| Some(Money::new(minor, promised.amount.currency));
        assert_eq!(promised.capture(None), Ok(Some(promised.amount)));
        assert_eq!(promised.capture(part(400)), Ok(part(400)));
        assert_eq!(promised.capture(part(1001)), Err(Refusal::ExceedsAuthorized(promised.amount)));
        let decided =
            Payment { goal: Goal::Capture, capturing: Money::new(400, promised.amount.currency), ..promised };
        assert_eq!(decided.capture(None), Ok(Some(decided.capturing)));
        assert_eq!(decided.capture(Some(decided.amount)), Err(Refusal::CaptureDecided(decided.capturing)));
        let taken = Payment { state: State::Captured, captured: decided.capturing, ..decided };
        assert_eq!((taken.capture(None), taken.capture(Some(taken.capturing))), (Ok(None), Ok(None)));
        assert_eq!(taken.capture(Some(taken.amount)), Err(Refusal::CaptureDecided(taken.capturing)));
    }

    #[test]
    fn what_is_asked_back_cannot_be_asked_back_again() {
        let paid = payment(State::Captured, Goal::Capture);
        assert_eq!(paid.refund(paid.amount), Ok(()));
        let asked = Payment { refunding: paid.amount, ..paid.clone() };
        assert!(matches!(asked.refund(paid.amount), Err(Refusal::ExceedsCaptured(rest)) if rest.minor == 0));
    }

    #[test]
    fn what_waits_for_a_review_is_not_taken_before_it() {
        let judged = |outcome| {
            payment(State::Authorized, Goal::Authorize)
                .judged(Judgement::default().and(outcome, "riskRules/1".to_owned()))
        };
        let waiting = judged(Outcome::Review);
        assert_eq!(waiting.capture(None), Err(Refusal::UnderReview));
        assert_eq!(
            (waiting.approve(), waiting.refuse()),
            (Ok(Some(Review::Approved)), Ok(Some(Review::Refused)))
        );
        let approved = Payment { review: Review::Approved, ..waiting.clone() };
        assert_eq!(approved.capture(None), Ok(Some(approved.amount)));
        assert_eq!((approved.approve(), approved.refuse()), (Ok(None), Err(Refusal::NotUnderReview)));
        let given_up = Payment { goal: Goal::GiveUp, ..waiting };
        assert!(!given_up.is_under_review());
        assert_eq!(given_up.approve(), Err(Refusal::Voided));
        let denied = judged(Outcome::Deny);
        assert_eq!(denied.promised(), Err(Refusal::Denied { met: vec!["riskRules/1".to_owned()] }));
        assert_eq!((denied.need(), denied.give_up()), (Need::Nothing, Ok(None)));
    }

    #[test]
    fn an_order_has_one_payment() {
        assert_eq!(Payment::id_of("orders/1"), Payment::id_of("orders/1"));
        assert_eq!(payment(State::Authorized, Goal::Authorize).second_intent(), Refusal::AlreadyPaid);
        assert_eq!(payment(State::Unknown, Goal::Authorize).second_intent(), Refusal::InProgress);
    }
}
