//! Risk: by which rules a payment is denied or looked at first. What is counted comes in; nothing here reads anything.

use std::time::Duration;

use chassis::id::{Id, Resource};
use chassis::money::Money;
use chassis::time::Timestamp;

/// Why a payment that a rule denies was refused.
pub(crate) const DENIED: &str = "RISK_DENIED";
/// Why an operator should look at a payment under review.
pub(crate) const REVIEW: &str = "RISK_REVIEW";
/// Why the money of a payment that an operator refused is not taken.
pub(crate) const REFUSED: &str = "RISK_REFUSED";

/// The longest that payments count together.
pub(crate) const WINDOW_MAX: Duration = Duration::from_secs(31 * 24 * 3600);
/// How many rules hold at once: each payment meets all of them.
pub(crate) const RULES_MAX: i64 = 100;

/// What becomes of a payment that is beyond a limit. The graver one wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// Its money is promised, and taken once somebody has approved.
    Review,
    /// No channel is asked for it.
    Deny,
}

/// Which payments count together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Customer,
    CustomerAndChannel,
}

/// What is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// So much in one payment.
    Amount(Money),
    /// So much, and so often, within a time.
    Velocity { window: Duration, scope: Scope, attempts_max: Option<i64>, amount_max: Option<Money> },
}

/// A rule. It is never changed: another takes its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rule {
    pub(crate) id: Id<Rule>,
    pub(crate) title: String,
    pub(crate) outcome: Outcome,
    pub(crate) limit: Limit,
    pub(crate) made: Made,
}

impl Resource for Rule {
    const COLLECTION: &'static str = "riskRules";
}

/// A customer whose payments are denied.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Blocked {
    pub(crate) id: Id<Blocked>,
    pub(crate) customer: String,
    pub(crate) reason: String,
    pub(crate) made: Made,
}

impl Resource for Blocked {
    const COLLECTION: &'static str = "blocklistEntries";
}

/// Who made something and when, and who ended it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Made {
    pub(crate) creator: String,
    pub(crate) create_time: Timestamp,
    pub(crate) ended: Option<(String, Timestamp)>,
}

impl Made {
    pub(crate) fn by(creator: &str, now: Timestamp) -> Made {
        Made { creator: creator.to_owned(), create_time: now, ended: None }
    }
}

/// What a customer asked for within a rule's time, the payment that is judged included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// How many payments, whatever became of them.
    pub(crate) attempts: i64,
    /// How much of the judged payment's currency, less what was declined or given up.
    pub(crate) minor: i64,
}

impl Seen {
    /// The same with one more payment.
    pub(crate) fn with(self, amount: Money) -> Seen {
        Seen { attempts: self.attempts.saturating_add(1), minor: self.minor.saturating_add(amount.minor) }
    }
}

impl Limit {
    /// Whether a payment of this amount is beyond it.
    pub(crate) fn is_exceeded(&self, amount: Money, seen: Seen) -> bool {
        match self {
            Limit::Amount(most) => amount.currency == most.currency && amount.minor > most.minor,
            Limit::Velocity { attempts_max, amount_max, .. } => {
                attempts_max.is_some_and(|most| seen.attempts > most)
                    || amount_max
                        .is_some_and(|most| amount.currency == most.currency && seen.minor > most.minor)
            }
        }
    }
}

/// What the rules say of a payment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// Nothing where it is allowed.
    pub(crate) outcome: Option<Outcome>,
    /// The names of the rules and entries it met.
    pub(crate) met: Vec<String>,
}

impl Judgement {
    /// Adds what one rule or entry says.
    #[must_use]
    pub(crate) fn and(mut self, outcome: Outcome, name: String) -> Judgement {
        self.outcome = self.outcome.max(Some(outcome));
        self.met.push(name);
        self
    }
}

/// Whether somebody has to look at a payment before its money is taken, and what they said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Review {
    /// Nobody has to.
    None,
    /// Somebody has to; its order is not confirmed yet.
    Waiting,
    /// Somebody has to, and its order is confirmed: the capture waits for that alone.
    Held,
    Approved,
    Refused,
}

impl Review {
    /// Whether the money may not be taken for it.
    pub(crate) fn bars_capture(self) -> bool {
        match self {
            Review::Waiting | Review::Held | Review::Refused => true,
            Review::None | Review::Approved => false,
        }
    }

    /// Whether somebody has yet to decide.
    pub(crate) fn is_open(self) -> bool {
        match self {
            Review::Waiting | Review::Held => true,
            Review::None | Review::Approved | Review::Refused => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn gbp(minor: i64) -> Money {
        Money::new(minor, "GBP".parse().expect("a currency"))
    }

    fn velocity(attempts_max: Option<i64>, amount_max: Option<Money>) -> Limit {
        let window = Duration::from_secs(60);
        Limit::Velocity { window, scope: Scope::Customer, attempts_max, amount_max }
    }

    #[test]
    fn a_limit_is_still_within_itself() {
        let most = Limit::Amount(gbp(1000));
        assert!(!most.is_exceeded(gbp(1000), Seen::default()));
        assert!(most.is_exceeded(gbp(1001), Seen::default()));
        let often = velocity(Some(3), None);
        assert!(!often.is_exceeded(gbp(1), Seen { attempts: 3, minor: 99_999 }));
        assert!(often.is_exceeded(gbp(1), Seen { attempts: 4, minor: 4 }));
        let much = velocity(None, Some(gbp(1000)));
        assert!(!much.is_exceeded(gbp(1), Seen { attempts: 99, minor: 1000 }));
        assert!(much.is_exceeded(gbp(1), Seen { attempts: 1, minor: 1001 }));
    }

    #[test]
    fn an_amount_concerns_its_currency_alone() {
        let yen = Money::new(1_000_000, "JPY".parse().expect("a currency"));
        let seen = Seen { attempts: 9, minor: 9_000_000 };
        assert!(!Limit::Amount(gbp(1)).is_exceeded(yen, seen));
        assert!(!velocity(None, Some(gbp(1))).is_exceeded(yen, seen));
    }

    proptest! {
        #[test]
        fn the_gravest_outcome_wins_and_every_rule_is_named(outcomes in prop::collection::vec(any::<bool>(), 0..8)) {
            let judgement = outcomes.iter().enumerate().fold(Judgement::default(), |judgement, (number, deny)| {
                judgement.and(if *deny { Outcome::Deny } else { Outcome::Review }, number.to_string())
            });
            prop_assert_eq!(judgement.met.len(), outcomes.len());
            let expected = match outcomes.as_slice() {
                [] => None,
                some if some.contains(&true) => Some(Outcome::Deny),
                _ => Some(Outcome::Review),
            };
            prop_assert_eq!(judgement.outcome, expected);
        }

        #[test]
        fn who_is_beyond_a_limit_stays_beyond_it_with_more(
            attempts in 0_i64..1000, minor in 0_i64..1_000_000, more in 1_i64..1_000_000,
            attempts_max in prop::option::of(0_i64..1000), amount_max in prop::option::of(0_i64..1_000_000),
        ) {
            let limit = velocity(attempts_max, amount_max.map(gbp));
            let seen = Seen { attempts, minor };
            if limit.is_exceeded(gbp(more), seen) {
                prop_assert!(limit.is_exceeded(gbp(more), seen.with(gbp(more))));
            }
        }
    }
}
