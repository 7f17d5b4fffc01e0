//! Cart through its own front door.
mod it {
    mod coupon;
    mod events;
    mod input;
    mod lines;
    mod merge;
    mod peers;
    mod preview;
    mod support;
}
