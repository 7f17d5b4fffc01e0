//! The inventory service through its own gRPC client.
