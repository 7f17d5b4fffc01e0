//! The use cases: what shipping does, told in its own words.

pub(crate) mod fulfillments;
pub(crate) mod shipments;
pub(crate) mod tariff;
