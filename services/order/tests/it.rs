//! The order service through its own gRPC client.
