//! The settings of the edge.
use std::path::PathBuf;

use clap::Args;

/// What the edge can be told besides what every service can.
#[derive(Args, Clone, Debug)]
#[group(skip)] // all of them are flattened into one command
pub struct Config {
    /// The folder of the storefront's built files. Without it the edge serves no pages; all services in one process look
    /// for it in storefront/dist.
    #[arg(long, env = "STOREFRONT_DIR")]
    pub storefront_dir: Option<PathBuf>,
    /// An origin whose pages may call the edge from a browser, such as `https://shop.example`; several separated by
    /// commas. Pages that the edge serves itself always may.
    #[arg(long, env = "CORS_ORIGINS", value_delimiter = ',')]
    pub cors_origins: Vec<String>,
}
