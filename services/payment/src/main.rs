//! Runs the payment service alone.
fn main() {}
