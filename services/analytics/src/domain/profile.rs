//! Profiles: what purchases and behaviour say of a person.
use std::time::Duration;

use chassis::money::Money;
use chassis::time::Timestamp;

/// From so many whole units on, in any one currency, somebody spends a lot.
const BIG_UNITS: i64 = 1_000;
/// From so many orders on, somebody is loyal.
const LOYAL_ORDERS: i64 = 5;
/// Whoever looked at so many products without buying is only looking.
const LOOKING_VIEWS: i64 = 10;
/// After so long without an order, somebody who bought is lapsed.
const LAPSED: Duration = Duration::from_secs(180 * 86_400);

/// What is known of a person.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Profile {
    pub(crate) orders: i64,
    pub(crate) cancelled_orders: i64,
    pub(crate) orders_with_returns: i64,
    /// What was spent, less what was given back, by currency.
    pub(crate) spent: Vec<Money>,
    pub(crate) last_order_time: Option<Timestamp>,
    pub(crate) views: i64,
    pub(crate) last_cart_time: Option<Timestamp>,
    pub(crate) last_seen_time: Option<Timestamp>,
    /// The products looked at last, the latest first.
    pub(crate) recent_products: Vec<String>,
}

impl Profile {
    /// What a person amounts to, rule by rule.
    pub(crate) fn tags(&self, now: Timestamp) -> Vec<&'static str> {
        let big = |money: &Money| money.minor >= BIG_UNITS * money.currency.minor_per_unit();
        let lapsed = |time: Timestamp| now.since(time) > LAPSED;
        let rules = [
            ("new", self.orders == 0 && self.last_seen_time.is_some()),
            ("first-order", self.orders == 1),
            ("returning", self.orders >= 2),
            ("loyal", self.orders >= LOYAL_ORDERS),
            ("big-spender", self.spent.iter().any(big)),
            ("sends-back", self.orders_with_returns >= 2 && self.orders_with_returns * 2 >= self.orders),
            ("cancels", self.cancelled_orders >= 2 && self.cancelled_orders * 2 >= self.orders),
            ("left-a-cart", self.last_cart_time > self.last_order_time),
            ("only-looking", self.orders == 0 && self.views >= LOOKING_VIEWS),
            ("lapsed", self.last_order_time.is_some_and(lapsed)),
        ];
        rules.into_iter().filter(|(_, holds)| *holds).map(|(tag, _)| tag).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_follow_from_rules() {
        let now = Timestamp::from_micros(400 * 86_400_000_000);
        let ago = |days: u64| Some(now.minus(Duration::from_secs(days * 86_400)));
        let money = |minor, code: &str| Money::new(minor, code.parse().unwrap());
        for (profile, tags) in [
            (Profile::default(), vec![]),
            (
                Profile { last_seen_time: ago(0), views: 10, ..Profile::default() },
                vec!["new", "only-looking"],
            ),
            (
                Profile {
                    orders: 1,
                    last_order_time: ago(1),
                    spent: vec![money(99_999, "GBP")],
                    ..Profile::default()
                },
                vec!["first-order"],
            ),
            (
                Profile {
                    orders: 5,
                    last_order_time: ago(181),
                    spent: vec![money(1, "GBP"), money(1_000, "JPY")],
                    ..Profile::default()
                },
                vec!["returning", "loyal", "big-spender", "lapsed"],
            ),
            (
                Profile {
                    orders: 2,
                    orders_with_returns: 2,
                    cancelled_orders: 2,
                    last_order_time: ago(2),
                    last_cart_time: ago(1),
                    ..Profile::default()
                },
                vec!["returning", "sends-back", "cancels", "left-a-cart"],
            ),
        ] {
            assert_eq!(profile.tags(now), tags, "{profile:?}");
        }
    }
}
