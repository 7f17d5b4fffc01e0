//! Rates: one way of sending to a zone, and what a parcel costs by it.

use chassis::id::{Id, Resource};
use chassis::money::Money;
use chassis::time::Timestamp;

use super::Zone;

const GRAMS_PER_KILOGRAM: i64 = 1000;

/// One way of sending to a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) id: Id<Rate>,
    pub(crate) zone: Id<Zone>,
    pub(crate) terms: Terms,
    pub(crate) create_time: Timestamp,
}

/// Its name is that of its zone followed by this.
impl Resource for Rate {
    const COLLECTION: &'static str = "rates";
}

/// What a rate's name says: its zone, and itself.
pub(crate) type Name = (Id<Zone>, Id<Rate>);

/// What a rate offers. All its amounts are in one currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) title: String,
    pub(crate) carrier: String,
    pub(crate) base: Money,
    /// What each kilogram begun costs on top.
    pub(crate) per_kilogram: Option<Money>,
    /// From this subtotal on it costs nothing.
    pub(crate) free_from: Option<Money>,
    /// The heaviest it takes; 0 means any.
    pub(crate) weight_grams_max: i64,
    pub(crate) days_min: i32,
    pub(crate) days_max: i32,
}

/// What an update changes of a rate.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    pub(crate) title: Option<String>,
    pub(crate) carrier: Option<String>,
    pub(crate) base: Option<Money>,
    pub(crate) per_kilogram: Option<Option<Money>>,
    pub(crate) free_from: Option<Option<Money>>,
    pub(crate) weight_grams_max: Option<i64>,
    pub(crate) days_min: Option<i32>,
    pub(crate) days_max: Option<i32>,
}

/// What is to be sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parcel {
    pub(crate) weight_grams: i64,
    pub(crate) subtotal: Money,
}

/// What no rate can offer: the field at fault and what is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {fault}")]
pub(crate) struct Unsound {
    pub(crate) field: &'static str,
    pub(crate) fault: &'static str,
}

impl Rate {
    /// Its name: `zones/{zone}/rates/{rate}`.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.zone.name(), self.id.name())
    }

    /// Reads a name.
    pub(crate) fn parse_name(name: &str) -> Option<Name> {
        let at = name.find("/rates/")?;
        Some((Id::parse_name(&name[..at])?, Id::parse_name(&name[at + 1..])?))
    }

    /// What sending the parcel costs; nothing where this rate does not take it, or not for that currency.
    pub(crate) fn price(&self, parcel: &Parcel) -> Option<Money> {
        let terms = &self.terms;
        let too_heavy = terms.weight_grams_max > 0 && parcel.weight_grams > terms.weight_grams_max;
        if too_heavy || parcel.subtotal.currency != terms.base.currency {
            return None;
        }
        if terms.free_from.is_some_and(|from| parcel.subtotal.minor >= from.minor) {
            return Some(Money::zero(terms.base.currency));
        }
        let Some(per_kilogram) = terms.per_kilogram else { return Some(terms.base) };
        let whole = parcel.weight_grams / GRAMS_PER_KILOGRAM;
        let kilograms = if parcel.weight_grams % GRAMS_PER_KILOGRAM > 0 { whole + 1 } else { whole };
        // What would cost more than amounts may be is not offered.
        per_kilogram.times(kilograms).and_then(|weight| terms.base.plus(weight)).ok()
    }
}

impl Terms {
    /// The terms, unless no rate can offer them.
    pub(crate) fn sound(self) -> Result<Self, Unsound> {
        let unsound = |field, fault| Err(Unsound { field, fault });
        if self.base.minor < 0 {
            return unsound("base_price", "must not be negative");
        }
        for (field, amount) in [("price_per_kilogram", self.per_kilogram), ("free_from", self.free_from)] {
            match amount {
                Some(amount) if amount.minor < 0 => return unsound(field, "must not be negative"),
                Some(amount) if amount.currency != self.base.currency => {
                    return unsound(field, "must be in the currency of the base price");
                }
                Some(_) | None => {}
            }
        }
        if self.days_max < self.days_min {
            return unsound("days_max", "must not be less than days_min");
        }
        Ok(self)
    }

    /// The terms as an update leaves them.
    pub(crate) fn changed(self, changes: Changes) -> Result<Self, Unsound> {
        let terms = Self {
            title: changes.title.unwrap_or(self.title),
            carrier: changes.carrier.unwrap_or(self.carrier),
            base: changes.base.unwrap_or(self.base),
            per_kilogram: changes.per_kilogram.unwrap_or(self.per_kilogram),
            free_from: changes.free_from.unwrap_or(self.free_from),
            weight_grams_max: changes.weight_grams_max.unwrap_or(self.weight_grams_max),
            days_min: changes.days_min.unwrap_or(self.days_min),
            days_max: changes.days_max.unwrap_or(self.days_max),
        };
        terms.sound()
    }
}

/// The rates that take a parcel, each with its price, the cheapest first; among equals the one that is there first.
pub(crate) fn offers(rates: Vec<Rate>, parcel: &Parcel) -> Vec<(Rate, Money)> {
    let priced = rates.into_iter().filter_map(|rate| rate.price(parcel).map(|price| (rate, price)));
    let mut offers: Vec<_> = priced.collect();
    offers.sort_by_key(|(rate, price)| (price.minor, rate.terms.days_max, rate.id));
    offers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gbp(minor: i64) -> Money {
        Money::new(minor, "GBP".parse().unwrap())
    }

    fn rate() -> Rate {
        let terms = Terms {
            title: "Standard".to_owned(),
            carrier: "Post".to_owned(),
            base: gbp(300),
            per_kilogram: Some(gbp(50)),
            free_from: Some(gbp(5000)),
            weight_grams_max: 20_000,
            days_min: 2,
            days_max: 4,
        };
        Rate { id: Id::new(), zone: Id::new(), terms, create_time: Timestamp::from_micros(0) }
    }

    #[test]
    fn each_kilogram_begun_costs_its_price() {
        for (weight_grams, price) in [(0, 300), (1, 350), (1000, 350), (1001, 400), (20_000, 1300)] {
            let parcel = Parcel { weight_grams, subtotal: gbp(4999) };
            assert_eq!(rate().price(&parcel), Some(gbp(price)), "{weight_grams} g");
        }
    }

    #[test]
    fn what_is_too_heavy_or_in_another_currency_is_not_taken() {
        assert_eq!(rate().price(&Parcel { weight_grams: 20_001, subtotal: gbp(100) }), None);
        let euros = Money::new(100, "EUR".parse().unwrap());
        assert_eq!(rate().price(&Parcel { weight_grams: 1, subtotal: euros }), None);
    }

    #[test]
    fn from_the_subtotal_named_on_it_costs_nothing() {
        assert_eq!(rate().price(&Parcel { weight_grams: 5000, subtotal: gbp(5000) }), Some(gbp(0)));
    }

    #[test]
    fn a_price_beyond_what_amounts_may_be_is_not_offered() {
        let dear = Terms {
            per_kilogram: Some(gbp(1_000_000_000_000)),
            free_from: None,
            weight_grams_max: 0,
            ..rate().terms
        };
        let parcel = Parcel { weight_grams: 100_000_000, subtotal: gbp(100) };
        assert_eq!(Rate { terms: dear, ..rate() }.price(&parcel), None);
    }

    #[test]
    fn terms_that_contradict_themselves_are_refused_by_field() {
        let euros = Some(Money::new(1, "EUR".parse().unwrap()));
        let cases = [
            ("base_price", Changes { base: Some(gbp(-1)), ..Changes::default() }),
            ("price_per_kilogram", Changes { per_kilogram: Some(euros), ..Changes::default() }),
            ("free_from", Changes { free_from: Some(Some(gbp(-1))), ..Changes::default() }),
            ("days_max", Changes { days_min: Some(5), ..Changes::default() }),
        ];
        for (field, changes) in cases {
            assert_eq!(rate().terms.changed(changes).unwrap_err().field, field);
        }
    }

    #[test]
    fn a_name_leads_back_to_the_rate() {
        let rate = rate();
        assert_eq!(Rate::parse_name(&rate.name()), Some((rate.zone, rate.id)));
        for name in ["zones/1/rates/2", "rates/1", "", "zones//rates/"] {
            assert_eq!(Rate::parse_name(name), None, "{name}");
        }
    }
}
