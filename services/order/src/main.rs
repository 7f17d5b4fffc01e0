//! Runs the order service alone.
fn main() {}
