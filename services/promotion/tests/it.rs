//! The promotion service through its own gRPC client.
