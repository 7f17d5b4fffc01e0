//! Prices: what a variant cost, costs and will cost.
use chassis::id::Id;
use chassis::money::Money;
use chassis::time::Timestamp;

use super::{Fault, Variant};

/// The dearest that anything may be, in minor units.
pub(crate) const PRICE_MINOR_MAX: i64 = 100_000_000_000;

/// One entry in a variant's history of prices.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Price {
    pub(crate) id: Id<Price>,
    pub(crate) variant: Id<Variant>,
    pub(crate) amount: Money,
    pub(crate) effective_time: Timestamp,
    pub(crate) actor: String,
    pub(crate) create_time: Timestamp,
    /// Which of the variant's prices it became; nothing as long as it is to come.
    pub(crate) version: Option<i64>,
}

impl Price {
    /// A price that holds from a time on, at once where that is not in the future.
    pub(crate) fn set(
        variant: Id<Variant>,
        amount: Money,
        from: Option<Timestamp>,
        actor: &str,
        now: Timestamp,
    ) -> Result<Price, Fault> {
        check("price.amount", amount)?;
        Ok(Price {
            id: Id::new(),
            variant,
            amount,
            effective_time: from.unwrap_or(now).max(now),
            actor: actor.into(),
            create_time: now,
            version: None,
        })
    }
}

/// Refuses an amount that nothing can cost.
pub(crate) fn check(field: &str, amount: Money) -> Result<(), Fault> {
    match amount.minor {
        0..=PRICE_MINOR_MAX => Ok(()),
        i64::MIN..=-1 => Err(Fault::new(field, "must not be negative")),
        _ => Err(Fault::new(
            field,
            format!("must be at most {}", Money::new(PRICE_MINOR_MAX, amount.currency)),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_of_the_past_holds_from_now_on() {
        let (now, money) = (Timestamp::from_micros(100), Money::new(5, "GBP".parse().unwrap()));
        let set = |from| Price::set(Id::new(), money, from, "users/1", now).unwrap();
        for (from, wanted) in [(None, 100), (Some(1), 100), (Some(100), 100), (Some(101), 101)] {
            let price = set(from.map(Timestamp::from_micros));
            assert_eq!((price.effective_time.micros(), price.version), (wanted, None));
        }
    }

    #[test]
    fn amounts_have_bounds() {
        let gbp = "GBP".parse().unwrap();
        for (minor, fine) in [(0, true), (PRICE_MINOR_MAX, true), (-1, false), (PRICE_MINOR_MAX + 1, false)] {
            assert_eq!(check("price", Money::new(minor, gbp)).is_ok(), fine, "{minor}");
        }
    }
}
