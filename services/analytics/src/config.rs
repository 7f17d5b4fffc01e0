//! The settings of the analytics service.

const BEHAVIOUR_DAYS: u16 = 400;

/// What analytics needs to know besides what every service does.
#[derive(clap::Args, Clone, Debug)]
#[group(skip)] // all of them are flattened into one command
pub struct Config {
    /// How many days behaviour is kept. Sales are kept for ever.
    #[arg(long, env = "BEHAVIOUR_DAYS", default_value_t = BEHAVIOUR_DAYS, value_parser = clap::value_parser!(u16).range(1..))]
    pub behaviour_days: u16,
}

impl Default for Config {
    fn default() -> Config {
        Config { behaviour_days: BEHAVIOUR_DAYS }
    }
}
