//! The analytics service through its own gRPC client.
