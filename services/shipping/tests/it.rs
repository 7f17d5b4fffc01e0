//! The shipping service through its own gRPC client.
