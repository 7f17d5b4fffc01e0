//! Runs the promotion service alone.
fn main() {}
