//! Runs the edge alone.
fn main() {}
