//! The identity service through its own gRPC client.
