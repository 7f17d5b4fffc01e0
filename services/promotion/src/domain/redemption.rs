//! A redemption: one use of a coupon, by one order.

use chassis::id::{Id, Resource};
use chassis::money::Money;
use chassis::time::Timestamp;

use super::Coupon;

/// Whether a use counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It counts.
    Redeemed,
    /// It was given back.
    Released,
}

/// One use of a coupon.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Redemption {
    pub(crate) id: Id<Redemption>,
    pub(crate) coupon: Id<Coupon>,
    /// The code as the order spells it.
    pub(crate) code: String,
    pub(crate) order: String,
    pub(crate) customer: String,
    pub(crate) discount: Money,
    pub(crate) state: State,
    pub(crate) create_time: Timestamp,
}

impl Resource for Redemption {
    const COLLECTION: &'static str = "redemptions";
}

impl Redemption {
    /// The redemption that an order always has, however often it is asked for.
    pub(crate) fn id_of(order: &str) -> Id<Redemption> {
        Id::derived(&["redemption", order])
    }
}
