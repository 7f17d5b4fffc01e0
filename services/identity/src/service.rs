//! What identity does, as functions over a transaction, each named like its RPC.
pub(crate) mod addresses;
pub(crate) mod admin;
pub(crate) mod guests;
pub(crate) mod password;
pub(crate) mod register;
pub(crate) mod reset;
pub(crate) mod roles;
pub(crate) mod sessions;
pub(crate) mod sign_in;
pub(crate) mod users;
