//! The use cases: what inventory does, told in its own words.

pub(crate) mod orders;
pub(crate) mod reservations;
pub(crate) mod stock;
