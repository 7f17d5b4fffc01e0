//! The business in its own words: payments, refunds, the ledger.

pub(crate) mod attention;
pub(crate) mod ledger;
pub(crate) mod payment;
pub(crate) mod reconcile;
pub(crate) mod refund;
pub(crate) mod risk;

pub(crate) use ledger::{Entry, Line};
pub(crate) use payment::{Goal, Need, Payment, Refusal, State};
pub(crate) use refund::Refund;
