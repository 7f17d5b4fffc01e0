//! The settings that only inventory has.

/// What inventory can be told besides what every service can.
#[derive(clap::Args, Clone, Debug)]
#[group(skip)] // all of them are flattened into one command
pub struct Config {
    /// How often, in milliseconds, reservations whose time has run out are looked for and their stock given back.
    #[arg(long, env = "INVENTORY_EXPIRY_EVERY_MS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(10..))]
    pub inventory_expiry_every_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { inventory_expiry_every_ms: 1000 }
    }
}
