//! The cart service through its own gRPC client.
