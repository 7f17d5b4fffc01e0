//! Sending goods, in its own words: where to and for how much, what is packed for an order, and how far it has got.

pub(crate) mod address;
pub(crate) mod fulfillment;
pub(crate) mod rate;
pub(crate) mod shipment;
pub(crate) mod tracking;
pub(crate) mod zone;

use std::collections::BTreeMap;

pub(crate) use self::address::Address;
pub(crate) use self::fulfillment::{Order, Payment, Progress};
pub(crate) use self::rate::{Parcel, Rate, Terms};
pub(crate) use self::shipment::{Shipment, State};
pub(crate) use self::tracking::Happening;
pub(crate) use self::zone::{Country, Zone};

/// How many of each SKU.
pub(crate) type Quantities = BTreeMap<String, i64>;

/// The sum of lines by SKU.
pub(crate) fn sum(lines: impl IntoIterator<Item = (String, i64)>) -> Quantities {
    let mut all = Quantities::new();
    for (sku, quantity) in lines {
        *all.entry(sku).or_default() += quantity;
    }
    all
}
