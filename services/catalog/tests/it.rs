//! The catalog through its own gRPC client.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

#[path = "it/support.rs"]
mod support;

#[path = "it/batch.rs"]
mod batch;
#[path = "it/categories.rs"]
mod categories;
#[path = "it/images.rs"]
mod images;
#[path = "it/input.rs"]
mod input;
#[path = "it/prices.rs"]
mod prices;
#[path = "it/products.rs"]
mod products;
#[path = "it/search.rs"]
mod search;
#[path = "it/variants.rs"]
mod variants;
