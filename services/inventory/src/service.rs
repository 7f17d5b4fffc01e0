//! The use cases: what inventory does, told in its own words.

mod change;
pub(crate) mod orders;
pub(crate) mod reservations;
pub(crate) mod stock;
