//! The payment service through its own gRPC client.
