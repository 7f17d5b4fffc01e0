//! Runs the identity service alone.
fn main() {}
