//! Notification through its own front door.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod it {
    mod events;
    mod mail;
    mod messages;
    mod peer;
    mod preferences;
    mod smtp;
    mod support;
    mod templates;
    mod watch;
}
