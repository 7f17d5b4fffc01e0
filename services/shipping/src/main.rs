//! Runs the shipping service alone.
fn main() {}
