//! The settings that only inventory has.

/// What inventory can be told besides what every service can.
#[derive(clap::Args, Clone, Debug)]
#[group(skip)] // all of them are flattened into one command
pub struct Config {
    /// How often, in milliseconds, reservations whose time has run out are looked for and their stock given back.
    #[arg(long, env = "INVENTORY_EXPIRY_EVERY_MS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(10..))]
    pub inventory_expiry_every_ms: u64,
    /// How many calls may change reservations at once. More wait their turn: beyond a few, they would only queue in the
    /// database for the same rows, and hold a connection each.
    #[arg(long, env = "INVENTORY_RESERVING_MAX", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    pub inventory_reserving_max: u16,
}

impl Default for Config {
    fn default() -> Self {
        Self { inventory_expiry_every_ms: 1000, inventory_reserving_max: 8 }
    }
}
