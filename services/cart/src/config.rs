//! The settings that only cart has.

/// What cart can be told besides what every service can.
#[derive(clap::Args, Clone, Debug)]
#[group(skip)] // all of them are flattened into one command
pub struct Config {
    /// How long, in seconds, nobody changes a cart until it counts as abandoned.
    #[arg(long, env = "CART_ABANDONED_AFTER_SECONDS", default_value_t = 24 * 3600, value_parser = clap::value_parser!(u64).range(1..))]
    pub cart_abandoned_after_seconds: u64,
    /// How often, in milliseconds, abandoned carts are looked for.
    #[arg(long, env = "CART_ABANDONED_EVERY_MS", default_value_t = 60_000, value_parser = clap::value_parser!(u64).range(10..))]
    pub cart_abandoned_every_ms: u64,
    /// How long, in milliseconds, prices and stock shown in carts are believed.
    #[arg(long, env = "CART_PREVIEW_MS", default_value_t = 3000)]
    pub cart_preview_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            cart_abandoned_after_seconds: 24 * 3600,
            cart_abandoned_every_ms: 60_000,
            cart_preview_ms: 3000,
        }
    }
}
