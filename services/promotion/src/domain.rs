//! The business in its own words: coupons, what they take off, and their uses.

mod code;
mod coupon;
mod redemption;

pub(crate) use code::Code;
pub(crate) use coupon::{Coupon, Discount, Draft, Evaluation, Invalid, Reduction, Refusal, State, Usage};
pub(crate) use redemption::{Redemption, State as RedemptionState};
