//! What happened, in numbers.

pub(crate) mod behaviour;
pub(crate) mod profile;
pub(crate) mod sale;
pub(crate) mod span;

pub(crate) use behaviour::Behaviour;
pub(crate) use profile::Profile;
pub(crate) use sale::{Adjustment, Sale};
pub(crate) use span::Span;
