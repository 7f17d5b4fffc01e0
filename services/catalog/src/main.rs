//! Runs the catalog service alone.
fn main() {}
