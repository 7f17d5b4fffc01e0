//! Tests that see only public interfaces.
