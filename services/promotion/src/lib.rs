//! The promotion service.
