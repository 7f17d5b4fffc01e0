//! Runs the cart service alone.
fn main() {}
