//! What every service stands on and no domain knows.

pub mod auth;
pub mod bus;
pub mod cache;
pub mod caller;
pub mod client;
pub mod config;
pub mod consumer;
pub mod db;
pub mod deadline;
pub mod event;
pub mod health;
pub mod host;
pub mod id;
pub mod migration;
pub mod money;
pub mod once;
pub mod operations;
pub mod outbox;
pub mod page;
pub mod policy;
pub mod saga;
pub mod server;
pub mod status;
pub mod task;
pub mod telemetry;
pub mod testing;
pub mod time;
pub mod wire;
mod error;

pub use error::Error;
pub use host::main;
