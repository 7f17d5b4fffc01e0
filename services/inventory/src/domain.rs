//! Stock and its arithmetic: what lies where, what is held of it, and how a wish is spread over locations.

pub(crate) mod movement;
pub(crate) mod reservation;
pub(crate) mod sku;

use std::collections::BTreeMap;

use chassis::time::Timestamp;

pub(crate) use self::movement::{Cause, Kind, Movement};
pub(crate) use self::reservation::{Reservation, State};
pub(crate) use self::sku::Sku;

/// No stock counts beyond this, so that sums of many have room.
pub(crate) const ON_HAND_MAX: i64 = 1_000_000_000_000;

/// How many of each SKU.
pub(crate) type Quantities = BTreeMap<Sku, i64>;

/// What there is of a SKU, in one location or in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Level {
    pub(crate) on_hand: i64,
    pub(crate) reserved: i64,
}

impl Level {
    /// What can be sold.
    pub(crate) fn available(self) -> i64 {
        self.on_hand - self.reserved
    }
}

/// What there is of a SKU, and where.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stock {
    pub(crate) sku: Sku,
    pub(crate) level: Level,
    pub(crate) low_threshold: i64,
    pub(crate) low: bool,
    pub(crate) update_time: Timestamp,
    pub(crate) locations: Vec<(LocationId, Level)>,
}

/// A SKU in all locations together, right after a change.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Total {
    pub(crate) sku: Sku,
    pub(crate) level: Level,
    pub(crate) low_threshold: i64,
    /// Whether it was low before the change.
    pub(crate) was_low: bool,
}

impl Total {
    /// Whether it is low now. A threshold of 0 means never.
    pub(crate) fn is_low(&self) -> bool {
        self.low_threshold > 0 && self.level.available() <= self.low_threshold
    }
}

/// The id of a location: lower case letters, digits and hyphens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LocationId(String);

impl LocationId {
    /// The location that is always there.
    pub(crate) fn default_one() -> Self {
        Self("default".to_owned())
    }

    /// Reads an id.
    pub(crate) fn parse(id: &str) -> Option<Self> {
        let sound = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (!id.is_empty() && id.len() <= 40 && id.bytes().all(sound)).then(|| Self(id.to_owned()))
    }

    /// Reads a name: `locations/{location}`.
    pub(crate) fn parse_name(name: &str) -> Option<Self> {
        Self::parse(name.strip_prefix("locations/")?)
    }

    /// An id that was checked when it was stored.
    pub(crate) fn stored(id: String) -> Self {
        Self(id)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Its name: `locations/{location}`.
    pub(crate) fn name(&self) -> String {
        format!("locations/{}", self.0)
    }
}

/// A place where stock lies.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Location {
    pub(crate) id: LocationId,
    pub(crate) title: String,
    pub(crate) priority: i32,
    pub(crate) create_time: Timestamp,
}

/// Some of a SKU that is wanted and not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lacking {
    pub(crate) sku: Sku,
    pub(crate) wanted: i64,
    pub(crate) available: i64,
}

/// Adds lines up by SKU: the same SKU may stand on several.
pub(crate) fn sum(lines: impl IntoIterator<Item = (Sku, i64)>) -> Quantities {
    let mut sums = Quantities::new();
    for (sku, quantity) in lines {
        *sums.entry(sku).or_default() += quantity;
    }
    sums
}

/// Takes quantities from what is left, all or none: otherwise what lacks.
pub(crate) fn subtract(left: &mut Quantities, wanted: &Quantities) -> Result<(), Vec<Lacking>> {
    let has = |sku: &Sku| left.get(sku).copied().unwrap_or_default();
    let short = wanted.iter().filter(|(sku, wanted)| has(sku) < **wanted);
    let lacking: Vec<_> = short
        .map(|(sku, wanted)| Lacking { sku: sku.clone(), wanted: *wanted, available: has(sku) })
        .collect();
    if !lacking.is_empty() {
        return Err(lacking);
    }
    for (sku, quantity) in wanted {
        *left.entry(sku.clone()).or_default() -= quantity;
    }
    Ok(())
}

/// Takes a quantity out of places in their order, as much as each has. What they lack together is not taken.
pub(crate) fn allocate<P: Clone>(quantity: i64, places: &mut [(P, i64)]) -> Vec<(P, i64)> {
    let mut wanted = quantity;
    let mut taken = Vec::new();
    for (place, has) in places {
        let take = wanted.min(*has);
        if take > 0 {
            *has -= take;
            wanted -= take;
            taken.push((place.clone(), take));
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stock_is_low_from_its_threshold_down_and_never_without_one() {
        let total = |available: i64, low_threshold| Total {
            sku: Sku::stored("A".into()),
            level: Level { on_hand: available + 2, reserved: 2 },
            low_threshold,
            was_low: false,
        };
        for (available, threshold, low) in [(6, 5, false), (5, 5, true), (0, 5, true), (0, 0, false)] {
            assert_eq!(total(available, threshold).is_low(), low, "{available} of {threshold}");
        }
    }

    #[test]
    fn the_first_location_gives_first() {
        let mut places = [("a", 5), ("b", 0), ("c", 9)];
        assert_eq!(allocate(7, &mut places), [("a", 5), ("c", 2)]);
        assert_eq!(allocate(1, &mut places), [("c", 1)]);
    }

    #[test]
    fn all_that_is_wanted_is_taken_or_nothing() {
        let quantities = |list: &[(&str, i64)]| {
            sum(list.iter().map(|(sku, quantity)| (Sku::stored((*sku).into()), *quantity)))
        };
        let mut left = quantities(&[("A", 5), ("B", 1)]);
        let lacking =
            subtract(&mut left, &quantities(&[("A", 2), ("B", 2), ("C", 1)])).expect_err("too little");
        assert_eq!(
            lacking.iter().map(|one| (one.sku.as_str(), one.wanted, one.available)).collect::<Vec<_>>(),
            [("B", 2, 1), ("C", 1, 0)]
        );
        assert_eq!(left, quantities(&[("A", 5), ("B", 1)]));
        assert_eq!(subtract(&mut left, &quantities(&[("A", 5)])), Ok(()));
        assert_eq!(left, quantities(&[("A", 0), ("B", 1)]));
    }

    #[test]
    fn a_location_id_has_one_spelling() {
        for wrong in ["locations/Main", "locations/", "locations/a b", "main", "locations/a/b"] {
            assert_eq!(LocationId::parse_name(wrong), None, "{wrong}");
        }
        assert_eq!(
            LocationId::parse_name("locations/main-2").map(|id| id.name()).as_deref(),
            Some("locations/main-2")
        );
    }

    proptest! {
        #[test]
        fn what_is_taken_is_there_and_is_what_was_wanted(
            quantity in 1_i64..100, places in prop::collection::vec(0_i64..40, 0..6),
        ) {
            let places: Vec<(usize, i64)> = places.into_iter().enumerate().collect();
            let there: i64 = places.iter().map(|(_, has)| has).sum();
            let taken = allocate(quantity, &mut places.clone());
            prop_assert_eq!(taken.iter().map(|(_, take)| take).sum::<i64>(), quantity.min(there));
            for (place, take) in taken {
                prop_assert!(take > 0 && take <= places[place].1);
            }
        }
    }
}
