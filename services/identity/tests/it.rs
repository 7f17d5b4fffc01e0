//! Identity through its own front door.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod it {
    mod access;
    mod accounts;
    mod addresses;
    mod registering;
    mod reset;
    mod roles;
    mod sessions;
    mod sign_in;
    mod support;
}
