//! Runs the notification service alone.
fn main() {}
