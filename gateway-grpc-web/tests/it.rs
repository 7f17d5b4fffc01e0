//! The edge through real clients.
