//! The settings of the catalog service.

/// What the catalog needs to know besides what every service does.
#[derive(clap::Args, Clone, Debug, Default)]
#[group(skip)] // all of them are flattened into one command
pub struct Config {
    /// Where product images are kept: `s3://bucket` or `s3://bucket/prefix` of any S3-compatible store, with its
    /// credentials, region and endpoint in the usual AWS_ variables. Without it, the folder `media` in the data folder.
    #[arg(long, env = "MEDIA_URL")]
    pub media_url: Option<String>,
}
