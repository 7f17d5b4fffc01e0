//! The settings that only shipping has.

/// What shipping can be told besides what every service can.
#[derive(clap::Args, Clone, Debug)]
#[group(skip)] // all of them are flattened into one command
pub struct Config {
    /// How often, in milliseconds, paid orders that still lack their shipment are looked for. News of a payment wakes the
    /// search at once; this is for what another replica left behind.
    #[arg(long, env = "SHIPPING_PACK_EVERY_MS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(10..))]
    pub shipping_pack_every_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { shipping_pack_every_ms: 1000 }
    }
}
