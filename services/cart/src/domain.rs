//! A cart: what may be put in, how much of it, and what becomes of it. Its prices are memories, never decisions.

use std::collections::BTreeMap;

use chassis::id::{Id, Resource};
use chassis::money::{Currency, Money};
use chassis::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The most of one variant.
pub(crate) const QUANTITY_MAX: i64 = 999;
/// The most lines.
pub(crate) const LINES_MAX: usize = 100;

/// What became of a cart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Open,
    Ordered,
    Merged,
    Abandoned,
}

impl State {
    const ALL: [(State, &'static str); 4] = [
        (State::Open, "OPEN"),
        (State::Ordered, "ORDERED"),
        (State::Merged, "MERGED"),
        (State::Abandoned, "ABANDONED"),
    ];

    /// How it is stored.
    pub(crate) fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(state, _)| *state == self).map_or("", |(_, word)| word)
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(state, _)| *state)
    }
}

/// What a shopper intends to buy.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cart {
    pub(crate) id: Id<Cart>,
    pub(crate) owner: String,
    pub(crate) state: State,
    pub(crate) coupon_code: String,
    pub(crate) order: String,
    pub(crate) version: i64,
    pub(crate) create_time: Timestamp,
    pub(crate) update_time: Timestamp,
    pub(crate) lines: Vec<Line>,
}

impl Resource for Cart {
    const COLLECTION: &'static str = "carts";
}

/// Some of one variant.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) variant: String,
    pub(crate) sku: String,
    /// What it was called when it was put in.
    pub(crate) title: String,
    pub(crate) quantity: i64,
    /// What one cost when it was put in.
    pub(crate) added_price: Money,
}

/// What the catalog offers of a variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Offer {
    pub(crate) variant: String,
    pub(crate) sku: String,
    pub(crate) title: String,
    pub(crate) image: String,
    pub(crate) price: Money,
    /// Whether it can be bought.
    pub(crate) on_sale: bool,
    /// Whether stock is kept of it.
    pub(crate) stocked: bool,
}

/// Why a cart stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the cart is not open any more")]
    NotOpen,
    #[error("the variant is not sold any more")]
    NotOnSale,
    #[error("at most {QUANTITY_MAX} of one variant fit into a cart")]
    TooMany,
    #[error("at most {LINES_MAX} lines fit into a cart")]
    Full,
    #[error("the cart is in {0}, the variant's price in {1}")]
    OtherCurrency(Currency, Currency),
    #[error("the variant is not in the cart")]
    NotIn,
}

impl Cart {
    /// Whether it can be changed.
    pub(crate) fn changeable(&self) -> Result<(), Refusal> {
        match self.state {
            State::Open => Ok(()),
            State::Ordered | State::Merged | State::Abandoned => Err(Refusal::NotOpen),
        }
    }

    /// The line after putting in some of a variant: more of one that is in already adds up.
    pub(crate) fn add(&self, offer: &Offer, quantity: i64) -> Result<Line, Refusal> {
        self.changeable()?;
        if !offer.on_sale {
            return Err(Refusal::NotOnSale);
        }
        let other = self.lines.iter().find(|line| line.added_price.currency != offer.price.currency);
        if let Some(other) = other.filter(|other| other.variant != offer.variant || self.lines.len() > 1) {
            return Err(Refusal::OtherCurrency(other.added_price.currency, offer.price.currency));
        }
        let quantity = match self.line(&offer.variant) {
            Some(line) => line.quantity.saturating_add(quantity),
            None if self.lines.len() >= LINES_MAX => return Err(Refusal::Full),
            None => quantity,
        };
        if quantity > QUANTITY_MAX {
            return Err(Refusal::TooMany);
        }
        Ok(Line {
            variant: offer.variant.clone(),
            sku: offer.sku.clone(),
            title: offer.title.clone(),
            quantity,
            added_price: offer.price,
        })
    }

    /// The line with another quantity; nothing where it has it already.
    pub(crate) fn set(&self, variant: &str, quantity: i64) -> Result<Option<Line>, Refusal> {
        self.changeable()?;
        if quantity > QUANTITY_MAX {
            return Err(Refusal::TooMany);
        }
        let line = self.line(variant).ok_or(Refusal::NotIn)?;
        Ok((line.quantity != quantity).then(|| Line { quantity, ..line.clone() }))
    }

    /// What is in it beyond what an order has of it. An order that tells of no lines, as those of older releases, has all.
    pub(crate) fn beyond(&self, ordered: &BTreeMap<&str, i64>) -> Vec<Line> {
        if ordered.is_empty() {
            return Vec::new();
        }
        let has = |line: &Line| ordered.get(line.variant.as_str()).copied().unwrap_or_default();
        let rest = self.lines.iter().map(|line| Line { quantity: line.quantity - has(line), ..line.clone() });
        rest.filter(|line| line.quantity > 0).collect()
    }

    /// What it lacks of what an order has.
    pub(crate) fn missing<'a>(&self, ordered: &BTreeMap<&'a str, i64>) -> BTreeMap<&'a str, i64> {
        let has = |variant: &str| self.line(variant).map_or(0, |line| line.quantity);
        let lacks = ordered.iter().map(|(variant, quantity)| (*variant, quantity - has(variant)));
        lacks.filter(|(_, quantity)| *quantity > 0).collect()
    }

    /// As much of what is wanted as is in it.
    pub(crate) fn some_of(&self, wanted: &BTreeMap<&str, i64>) -> Vec<Line> {
        let some = |(variant, quantity): (&&str, &i64)| {
            let line = self.line(variant)?;
            Some(Line { quantity: line.quantity.min(*quantity), ..line.clone() })
        };
        wanted.iter().filter_map(some).collect()
    }

    /// Its lines that change when these are taken out, down to a quantity of nothing.
    pub(crate) fn without(&self, taken: &[Line]) -> Vec<Line> {
        let left =
            |line: &Line, taken: &Line| Line { quantity: line.quantity - taken.quantity, ..line.clone() };
        taken.iter().filter_map(|taken| Some(left(self.line(&taken.variant)?, taken))).collect()
    }

    /// The lines that change when another cart's are added: quantities up to the most, no line beyond the last that
    /// fits, none in another currency. Somebody who signs in should get in, not be refused.
    pub(crate) fn merge(&self, others: &[Line]) -> Vec<Line> {
        let currency = self.lines.first().or(others.first()).map(|line| line.added_price.currency);
        let mut room = LINES_MAX.saturating_sub(self.lines.len());
        let mut merged = Vec::new();
        for line in others.iter().filter(|line| Some(line.added_price.currency) == currency) {
            match self.line(&line.variant) {
                Some(mine) => {
                    let quantity = mine.quantity.saturating_add(line.quantity).min(QUANTITY_MAX);
                    merged.push(Line { quantity, ..mine.clone() });
                }
                None if room > 0 => {
                    room -= 1;
                    merged.push(line.clone());
                }
                None => {}
            }
        }
        merged
    }

    fn line(&self, variant: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.variant == variant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(variant: &str, currency: &str) -> Offer {
        Offer {
            variant: variant.into(),
            sku: variant.into(),
            title: variant.into(),
            image: String::new(),
            price: Money::new(100, currency.parse().expect("a currency")),
            on_sale: true,
            stocked: true,
        }
    }

    fn cart(lines: &[(&str, i64)]) -> Cart {
        let empty = Cart {
            id: Id::new(),
            owner: "users/1".into(),
            state: State::Open,
            coupon_code: String::new(),
            order: String::new(),
            version: 1,
            create_time: Timestamp::now(),
            update_time: Timestamp::now(),
            lines: Vec::new(),
        };
        let line = |(variant, quantity): &(&str, i64)| Line {
            quantity: *quantity,
            ..empty.add(&offer(variant, "GBP"), 1).expect("room")
        };
        Cart { lines: lines.iter().map(line).collect(), ..empty.clone() }
    }

    fn full() -> Cart {
        let variants: Vec<String> = (0..LINES_MAX).map(|number| number.to_string()).collect();
        cart(&variants.iter().map(|variant| (variant.as_str(), 1)).collect::<Vec<_>>())
    }

    #[test]
    fn more_of_the_same_adds_up_to_the_most() {
        let cart = cart(&[("a", 998)]);
        assert_eq!(cart.add(&offer("a", "GBP"), 1).map(|line| line.quantity), Ok(999));
        assert_eq!(cart.add(&offer("a", "GBP"), 2), Err(Refusal::TooMany));
    }

    #[test]
    fn the_hundred_and_first_line_does_not_fit_but_more_of_a_line_does() {
        assert_eq!(full().add(&offer("new", "GBP"), 1), Err(Refusal::Full));
        assert_eq!(full().add(&offer("7", "GBP"), 1).map(|line| line.quantity), Ok(2));
    }

    #[test]
    fn a_cart_is_in_one_currency() {
        let refusal = cart(&[("a", 1)]).add(&offer("b", "EUR"), 1).expect_err("another currency");
        assert!(matches!(refusal, Refusal::OtherCurrency(..)));
        // The only line may be added again after its currency changed.
        assert!(cart(&[("a", 1)]).add(&offer("a", "EUR"), 1).is_ok());
    }

    #[test]
    fn what_is_not_sold_or_not_in_is_refused() {
        let gone = Offer { on_sale: false, ..offer("a", "GBP") };
        assert_eq!(cart(&[]).add(&gone, 1), Err(Refusal::NotOnSale));
        assert_eq!(cart(&[("a", 1)]).set("b", 2), Err(Refusal::NotIn));
        assert_eq!(cart(&[("a", 1)]).set("a", 1), Ok(None));
    }

    #[test]
    fn only_an_open_cart_changes() {
        for state in [State::Ordered, State::Merged, State::Abandoned] {
            let closed = Cart { state, ..cart(&[("a", 1)]) };
            assert_eq!(closed.add(&offer("a", "GBP"), 1), Err(Refusal::NotOpen));
            assert_eq!(closed.set("a", 2), Err(Refusal::NotOpen));
        }
    }

    #[test]
    fn what_an_order_does_not_have_is_beyond_it() {
        let cart = cart(&[("a", 3), ("b", 1), ("c", 2)]);
        let told = |lines: &[Line]| {
            lines.iter().map(|line| (line.variant.clone(), line.quantity)).collect::<Vec<_>>()
        };
        // More of one, another, and one of which there is less by now.
        let beyond = cart.beyond(&BTreeMap::from([("a", 2), ("c", 5)]));
        assert_eq!(told(&beyond), [("a".to_owned(), 1), ("b".to_owned(), 1)]);
        assert_eq!(told(&cart.without(&beyond)), [("a".to_owned(), 2), ("b".to_owned(), 0)]);
        assert!(cart.beyond(&BTreeMap::new()).is_empty());
        // What it lacks, and how much of that another has.
        let missing = cart.missing(&BTreeMap::from([("a", 2), ("c", 5), ("d", 1)]));
        assert_eq!(missing, BTreeMap::from([("c", 3), ("d", 1)]));
        assert_eq!(told(&cart.some_of(&missing)), [("c".to_owned(), 2)]);
    }

    #[test]
    fn merging_keeps_within_the_limits() {
        let merged = cart(&[("a", 600), ("b", 1)]).merge(&cart(&[("a", 600), ("c", 2)]).lines);
        let merged: Vec<_> = merged.iter().map(|line| (line.variant.as_str(), line.quantity)).collect();
        assert_eq!(merged, [("a", 999), ("c", 2)]);
        assert!(full().merge(&cart(&[("new", 1)]).lines).is_empty());
    }
}
