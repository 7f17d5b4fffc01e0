//! Databases, idempotency keys, outbox, bus and consumers, on real databases and a real broker.
#![allow(clippy::unwrap_used, reason = "a test fails where something unexpected happens")]
#![allow(
    clippy::disallowed_methods,
    reason = "a test plays the stranger who publishes, and the task that is killed"
)]

#[path = "data/broker.rs"]
mod broker;
#[path = "data/consumer.rs"]
mod consumer;
#[path = "data/db.rs"]
mod db;
#[path = "data/missed.rs"]
mod missed;
#[path = "data/once.rs"]
mod once;
#[path = "data/operations.rs"]
mod operations;
#[path = "data/outbox.rs"]
mod outbox;
#[path = "data/world.rs"]
mod world;
