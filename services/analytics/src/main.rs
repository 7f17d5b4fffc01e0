//! Runs the analytics service alone.
fn main() {}
