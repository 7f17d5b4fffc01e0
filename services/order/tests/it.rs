//! The order service through its own gRPC client, with its peers played.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests say what they expect by failing"
)]

#[path = "it/books.rs"]
mod books;
#[path = "it/cancel.rs"]
mod cancel;
#[path = "it/claims.rs"]
mod claims;
#[path = "it/events.rs"]
mod events;
#[path = "it/import.rs"]
mod import;
#[path = "it/place.rs"]
mod place;
#[path = "it/quote.rs"]
mod quote;
#[path = "it/reads.rs"]
mod reads;
#[path = "it/repeat.rs"]
mod repeat;
#[path = "it/returns.rs"]
mod returns;
#[path = "it/sagas.rs"]
mod sagas;
#[path = "it/support.rs"]
mod support;
#[path = "it/watch.rs"]
mod watch;
#[path = "it/world.rs"]
mod world;
