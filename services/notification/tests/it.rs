//! The notification service through its own gRPC client.
