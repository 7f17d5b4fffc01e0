//! What an operator can set about promotion.

/// The settings of the promotion service.
#[derive(clap::Args, Clone, Debug)]
#[group(skip)] // all of them are flattened into one command
pub struct Config {
    /// How many unknown coupon codes one caller may try a minute. Beyond that all codes are refused for the rest of it.
    #[arg(long, env = "PROMOTION_UNKNOWN_CODES_PER_MINUTE", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub promotion_unknown_codes_per_minute: u32,
}

impl Default for Config {
    fn default() -> Self {
        Config { promotion_unknown_codes_per_minute: 20 }
    }
}
