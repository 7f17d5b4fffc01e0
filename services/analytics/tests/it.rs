//! The analytics service through its own gRPC client.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

#[path = "it/support.rs"]
mod support;

#[path = "it/behaviour.rs"]
mod behaviour;
#[path = "it/people.rs"]
mod people;
#[path = "it/sales.rs"]
mod sales;
