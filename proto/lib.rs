//! The contract: what every service boundary of Cartwright promises, compiled from the files beside this one.

pub mod card;
pub mod codec;
pub mod text;
pub mod validate;

#[allow(
    dead_code,
    missing_docs,
    clippy::all,
    clippy::unwrap_used,
    clippy::doc_markdown,
    clippy::wildcard_enum_match_arm
)]
pub(crate) mod generated {
    include!(concat!(env!("OUT_DIR"), "/contract.rs"));
}

pub use generated::cartwright::{
    analytics, cart, catalog, common, identity, inventory, notification, operations, order, payment,
    promotion, shipping,
};
pub use generated::google::r#type::Money;

/// The descriptor set of the whole contract, with its options and comments: the source of policy.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
