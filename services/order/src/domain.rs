//! The business of orders in its own words: what can happen to an order, what it costs, what comes back.

mod address;
mod country;
mod decisions;
mod event;
mod import;
mod number;
mod order;
mod price;
mod returns;
mod upcast;

pub(crate) use address::Address;
pub(crate) use country::is_country;
pub(crate) use decisions::{CANCELLED_BY_CUSTOMER, CANCELLED_BY_STAFF, Refused};
pub(crate) use event::{Event, Imported, Placed, Recorded};
pub(crate) use import::{Fault, Import, ImportedReturn};
pub(crate) use number::Number;
pub(crate) use order::{Broken, Order, PaymentState, State, Transition};
pub(crate) use price::{Amounts, Goods, Item, Line, PriceError};
pub(crate) use returns::{Return, ReturnState, ReturnedLine};
pub(crate) use upcast::{Unknown, schema, upcast};

#[cfg(test)]
mod tests;
