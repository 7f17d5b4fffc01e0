//! The whole shop, seen from outside.
//!
//! Tests of the same kind share a module; each starts a shop of its own.

#![expect(clippy::unwrap_used, reason = "what should be refused and is not, fails the test")]

#[path = "it/browser.rs"]
mod browser;
#[path = "it/failpoints.rs"]
mod failpoints;
#[path = "it/faults.rs"]
mod faults;
#[path = "it/import.rs"]
mod import;
#[path = "it/layers.rs"]
mod layers;
#[path = "it/probing.rs"]
mod probing;
#[path = "it/race.rs"]
mod race;
#[path = "it/stopping.rs"]
mod stopping;
#[path = "it/story.rs"]
mod story;
