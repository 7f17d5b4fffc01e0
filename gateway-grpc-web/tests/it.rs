//! The edge through real clients, with its services played.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests say what they expect by failing"
)]

#[path = "it/access.rs"]
mod access;
#[path = "it/calls.rs"]
mod calls;
#[path = "it/desk.rs"]
mod desk;
#[path = "it/load.rs"]
mod load;
#[path = "it/misuse.rs"]
mod misuse;
#[path = "it/origins.rs"]
mod origins;
#[path = "it/pages.rs"]
mod pages;
#[path = "it/peers.rs"]
mod peers;
#[path = "it/probes.rs"]
mod probes;
#[path = "it/shop.rs"]
mod shop;
#[path = "it/tokens.rs"]
mod tokens;
#[path = "it/webhooks.rs"]
mod webhooks;
