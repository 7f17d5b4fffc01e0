//! The settings of identity alone.
use chassis::config::Secret;

/// What identity needs to know beyond what every service does.
#[derive(clap::Args, Clone, Debug, Default)]
#[group(skip)] // all of them are flattened into one command
pub struct Config {
    /// Secrets of at least 32 characters, separated by commas. The first seals signing keys and codes and peppers
    /// passwords; the others still open what was sealed before. Without any, a secret kept in the database is used.
    #[arg(long, env = "IDENTITY_SECRETS", hide_env_values = true)]
    pub identity_secrets: Option<Secret>,
}
