//! The catalog service through its own gRPC client.
