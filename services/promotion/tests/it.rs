//! Promotion through its own front door.
mod it {
    mod coupons;
    mod evaluate;
    mod orders;
    mod race;
    mod recommend;
    mod redeem;
    mod support;
}
