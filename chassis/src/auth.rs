//! How callers prove who they are, and what the contract lets them do.
mod ed25519;
pub mod keys;
pub(crate) mod layer;
pub mod policies;
pub mod rule;
pub mod token;
mod verifier;

pub use keys::{Keyring, SigningKey};
pub use policies::{AccessPolicies, AccessPolicy};
pub use token::TokenError;
pub use verifier::Verifier;
