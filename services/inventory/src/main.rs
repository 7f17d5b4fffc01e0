//! Runs the inventory service alone.
fn main() {}
