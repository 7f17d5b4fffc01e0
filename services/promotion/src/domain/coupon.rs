//! A coupon: what it takes off, of which orders, when, and how often.

use chassis::id::{Id, Resource};
use chassis::money::{Currency, Money, MoneyError};
use chassis::time::Timestamp;

use super::Code;

/// Whether a coupon can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Between its times.
    Active,
    /// Withdrawn for now.
    Disabled,
}

/// What a coupon takes off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reduction {
    /// A share, in basis points.
    Percent(i64),
    /// An amount.
    Amount(Money),
}

/// What whoever makes or changes a coupon decides.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Draft {
    pub(crate) title: String,
    pub(crate) reduction: Reduction,
    pub(crate) minimum: Option<Money>,
    pub(crate) start_time: Option<Timestamp>,
    pub(crate) expire_time: Option<Timestamp>,
    /// 0 is any number.
    pub(crate) limit: i64,
    /// 0 is any number.
    pub(crate) limit_per_customer: i64,
    /// The most it takes off in all.
    pub(crate) budget: Option<Money>,
    pub(crate) state: State,
}

/// A coupon.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Coupon {
    pub(crate) id: Id<Coupon>,
    pub(crate) code: Code,
    pub(crate) terms: Draft,
    pub(crate) redemption_count: i64,
    /// What it took off in all, in minor units of its budget's currency; 0 where it has no budget.
    pub(crate) discount_total: i64,
    /// Counts its updates; its uses change nothing here.
    pub(crate) version: i64,
    pub(crate) create_time: Timestamp,
    pub(crate) update_time: Timestamp,
}

impl Resource for Coupon {
    const COLLECTION: &'static str = "coupons";
}

/// How often a coupon was used already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) now: Timestamp,
    /// By the customer who wants to use it.
    pub(crate) by_customer: i64,
}

/// What a coupon takes off an order, and off each of its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Discount {
    pub(crate) total: Money,
    pub(crate) lines: Vec<Money>,
}

/// Why a coupon does not apply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the coupon is withdrawn")]
    Disabled,
    #[error("the coupon does not work yet")]
    NotStarted,
    #[error("the coupon has expired")]
    Expired,
    #[error("the coupon is used up")]
    Exhausted,
    #[error("the customer has used the coupon as often as it allows")]
    UsedUpByCustomer,
    #[error("the coupon is for orders in {0}")]
    Currency(Currency),
    #[error("the coupon is for orders of at least {0}")]
    BelowMinimum(Money),
    #[error("the coupon now takes off {0}")]
    Changed(Money),
}

/// A coupon that makes no sense: the field at fault, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Invalid {
    pub(crate) field: &'static str,
    pub(crate) reason: &'static str,
}

impl Draft {
    /// Checks that the terms make sense together.
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        let invalid = |field, reason| Err(Invalid { field, reason });
        match self.reduction {
            Reduction::Percent(points) if !(1..=10_000).contains(&points) => {
                return invalid("percent_off_basis_points", "must be from 1 to 10000");
            }
            Reduction::Amount(amount) if amount.minor <= 0 => {
                return invalid("amount_off", "must be more than nothing");
            }
            Reduction::Percent(_) | Reduction::Amount(_) => {}
        }
        match (self.minimum, self.reduction) {
            (Some(minimum), _) if minimum.minor < 0 => {
                return invalid("minimum_subtotal", "must not be below zero");
            }
            (Some(minimum), Reduction::Amount(amount)) if minimum.currency != amount.currency => {
                return invalid("minimum_subtotal", "must be in the currency of amount_off");
            }
            (Some(_) | None, Reduction::Amount(_) | Reduction::Percent(_)) => {}
        }
        match (self.budget, self.reduction) {
            (Some(budget), _) if budget.minor <= 0 => {
                return invalid("discount_budget", "must be more than nothing");
            }
            (Some(budget), Reduction::Amount(amount)) if budget.currency != amount.currency => {
                return invalid("discount_budget", "must be in the currency of amount_off");
            }
            (Some(_) | None, Reduction::Amount(_) | Reduction::Percent(_)) => {}
        }
        if let (Some(budget), Some(minimum)) = (self.budget, self.minimum)
            && budget.currency != minimum.currency
        {
            return invalid("discount_budget", "must be in the currency of minimum_subtotal");
        }
        if let (Some(start), Some(end)) = (self.start_time, self.expire_time)
            && end <= start
        {
            return invalid("expire_time", "must be after start_time");
        }
        if self.limit < 0 {
            return invalid("redemption_limit", "must not be below zero");
        }
        if self.limit_per_customer < 0 {
            return invalid("redemption_limit_per_customer", "must not be below zero");
        }
        Ok(())
    }
}

impl Coupon {
    /// Checks that the coupon applies to an order of so much.
    pub(crate) fn applies(&self, subtotal: Money, usage: Usage) -> Result<(), Refusal> {
        let terms = &self.terms;
        if terms.state == State::Disabled {
            return Err(Refusal::Disabled);
        }
        if terms.start_time.is_some_and(|start| usage.now < start) {
            return Err(Refusal::NotStarted);
        }
        if terms.expire_time.is_some_and(|end| usage.now >= end) {
            return Err(Refusal::Expired);
        }
        if terms.limit > 0 && self.redemption_count >= terms.limit {
            return Err(Refusal::Exhausted);
        }
        if terms.limit_per_customer > 0 && usage.by_customer >= terms.limit_per_customer {
            return Err(Refusal::UsedUpByCustomer);
        }
        match terms.reduction {
            Reduction::Amount(amount) if amount.currency != subtotal.currency => {
                return Err(Refusal::Currency(amount.currency));
            }
            Reduction::Amount(_) | Reduction::Percent(_) => {}
        }
        match terms.budget {
            Some(budget) if budget.currency != subtotal.currency => {
                return Err(Refusal::Currency(budget.currency));
            }
            Some(_) | None => {}
        }
        match terms.minimum {
            Some(minimum) if minimum.currency != subtotal.currency => {
                Err(Refusal::Currency(minimum.currency))
            }
            Some(minimum) if subtotal.minor < minimum.minor => Err(Refusal::BelowMinimum(minimum)),
            Some(_) | None => Ok(()),
        }
    }

    /// What it takes off so much: never more than there is.
    pub(crate) fn discount(&self, subtotal: Money) -> Result<Money, MoneyError> {
        let wanted = match self.terms.reduction {
            Reduction::Percent(points) => subtotal.share(points)?,
            Reduction::Amount(amount) => amount,
        };
        Ok(Money::new(wanted.minor.clamp(0, subtotal.minor.max(0)), subtotal.currency))
    }

    /// Checks that so much is left of its budget.
    pub(crate) fn affords(&self, discount: Money) -> Result<(), Refusal> {
        match self.terms.budget {
            Some(budget) if budget.minor - self.discount_total < discount.minor => Err(Refusal::Exhausted),
            Some(_) | None => Ok(()),
        }
    }

    /// What it takes off an order, split over its lines by what they cost, so that the parts add up exactly.
    pub(crate) fn evaluate(
        &self,
        lines: &[Money],
        subtotal: Money,
        usage: Usage,
    ) -> Result<Discount, Evaluation> {
        self.applies(subtotal, usage)?;
        let total = self.discount(subtotal)?;
        self.affords(total)?;
        let weights: Vec<i64> = lines.iter().map(|line| line.minor).collect();
        Ok(Discount { total, lines: total.allocate(&weights) })
    }
}

/// Why there is no discount to tell.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Evaluation {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Money(#[from] MoneyError),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn gbp(minor: i64) -> Money {
        Money::new(minor, "GBP".parse().expect("a currency"))
    }

    fn coupon(reduction: Reduction) -> Coupon {
        let (then, terms) = (Timestamp::from_micros(0), terms(reduction));
        let code = Code::parse("C").expect("a code");
        Coupon {
            id: Id::derived(&["c"]),
            code,
            terms,
            redemption_count: 0,
            discount_total: 0,
            version: 1,
            create_time: then,
            update_time: then,
        }
    }

    fn terms(reduction: Reduction) -> Draft {
        Draft {
            title: String::new(),
            reduction,
            minimum: None,
            start_time: None,
            expire_time: None,
            limit: 0,
            limit_per_customer: 0,
            budget: None,
            state: State::Active,
        }
    }

    const FIRST: Usage = Usage { now: Timestamp::from_micros(100), by_customer: 0 };

    #[test]
    fn each_reason_not_to_apply_has_its_own_name() {
        let at = |micros| Some(Timestamp::from_micros(micros));
        let plain = terms(Reduction::Percent(1000));
        let eur = Money::new(1, "EUR".parse().expect("a currency"));
        let cases = [
            (Draft { state: State::Disabled, ..plain.clone() }, Refusal::Disabled),
            (Draft { start_time: at(101), ..plain.clone() }, Refusal::NotStarted),
            (Draft { expire_time: at(100), ..plain.clone() }, Refusal::Expired),
            (Draft { limit: 3, ..plain.clone() }, Refusal::Exhausted),
            (Draft { limit_per_customer: 1, ..plain.clone() }, Refusal::UsedUpByCustomer),
            (Draft { minimum: Some(gbp(1001)), ..plain.clone() }, Refusal::BelowMinimum(gbp(1001))),
            (Draft { minimum: Some(eur), ..plain.clone() }, Refusal::Currency(eur.currency)),
            (Draft { reduction: Reduction::Amount(eur), ..plain.clone() }, Refusal::Currency(eur.currency)),
            (Draft { budget: Some(eur), ..plain.clone() }, Refusal::Currency(eur.currency)),
        ];
        for (terms, refusal) in cases {
            let coupon = Coupon { terms, redemption_count: 3, ..coupon(Reduction::Percent(1000)) };
            assert_eq!(coupon.applies(gbp(1000), Usage { by_customer: 1, ..FIRST }), Err(refusal));
        }
        assert_eq!(coupon(Reduction::Percent(1000)).applies(gbp(0), FIRST), Ok(()));
    }

    #[test]
    fn terms_that_make_no_sense_are_refused() {
        let at = |micros| Some(Timestamp::from_micros(micros));
        let plain = terms(Reduction::Percent(1000));
        let eur = Money::new(1, "EUR".parse().expect("a currency"));
        for (terms, field) in [
            (terms(Reduction::Percent(0)), "percent_off_basis_points"),
            (terms(Reduction::Percent(10_001)), "percent_off_basis_points"),
            (terms(Reduction::Percent(-5)), "percent_off_basis_points"),
            (terms(Reduction::Amount(gbp(0))), "amount_off"),
            (Draft { minimum: Some(eur), ..terms(Reduction::Amount(gbp(1))) }, "minimum_subtotal"),
            (Draft { start_time: at(2), expire_time: at(2), ..plain.clone() }, "expire_time"),
            (Draft { limit: -1, ..plain.clone() }, "redemption_limit"),
            (Draft { budget: Some(gbp(0)), ..plain.clone() }, "discount_budget"),
            (Draft { budget: Some(eur), ..terms(Reduction::Amount(gbp(1))) }, "discount_budget"),
            (Draft { budget: Some(eur), minimum: Some(gbp(1)), ..plain.clone() }, "discount_budget"),
        ] {
            assert_eq!(terms.check().map_err(|invalid| invalid.field), Err(field));
        }
        assert_eq!(plain.check(), Ok(()));
    }

    #[test]
    fn what_is_left_of_a_budget_can_be_taken_off_and_no_more() {
        let terms = Draft { budget: Some(gbp(250)), ..terms(Reduction::Percent(1000)) };
        let coupon = Coupon { terms, discount_total: 150, ..coupon(Reduction::Percent(1000)) };
        assert!(coupon.evaluate(&[gbp(1000)], gbp(1000), FIRST).is_ok());
        let refusal = coupon.evaluate(&[gbp(1010)], gbp(1010), FIRST);
        assert_eq!(refusal, Err(Evaluation::Refused(Refusal::Exhausted)));
    }

    proptest! {
        #[test]
        fn no_line_falls_below_zero_and_the_parts_add_up(
            lines in prop::collection::vec(0_i64..1_000_000, 1..20),
            percent: bool,
            much in 1_i64..=10_000,
        ) {
            let reduction = if percent { Reduction::Percent(much) } else { Reduction::Amount(gbp(much * 1000)) };
            let lines: Vec<Money> = lines.into_iter().map(gbp).collect();
            let subtotal = gbp(lines.iter().map(|line| line.minor).sum());
            let discount = coupon(reduction).evaluate(&lines, subtotal, FIRST).expect("a discount");
            prop_assert!(discount.total.minor >= 0 && discount.total.minor <= subtotal.minor);
            prop_assert_eq!(discount.lines.iter().map(|line| line.minor).sum::<i64>(), discount.total.minor);
            for (line, part) in lines.iter().zip(&discount.lines) {
                prop_assert!(part.minor >= 0 && part.minor <= line.minor, "{:?} off {:?}", part, line);
            }
        }
    }
}
