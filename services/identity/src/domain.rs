//! People, what proves who they are, and what each may do. No I/O: values in, values or refusals out.
pub(crate) mod address;
mod country;
pub(crate) mod password;
pub(crate) mod person;
pub(crate) mod role;

use chassis::id::Resource;

/// Names users: `users/{user}`.
pub(crate) enum User {}

impl Resource for User {
    const COLLECTION: &'static str = "users";
}

/// Names guests: `guests/{guest}`.
pub(crate) enum Guest {}

impl Resource for Guest {
    const COLLECTION: &'static str = "guests";
}

/// Names sessions: `sessions/{session}`.
pub(crate) enum Session {}

impl Resource for Session {
    const COLLECTION: &'static str = "sessions";
}

/// Names addresses within their user.
pub(crate) enum Address {}

/// Names messages that are still to be handed over.
pub(crate) enum Outbound {}
