//! The settings of notification alone.
use chassis::config::Secret;

/// What notification needs to know beyond what every service does.
#[derive(clap::Args, Clone, Debug)]
#[group(skip)] // all of them are flattened into one command
pub struct Config {
    /// The mail server, such as `smtp://user:secret@host:587?tls=required`. Without it mail goes to the development inbox,
    /// which anybody may read.
    #[arg(long, env = "SMTP_URL", hide_env_values = true)]
    pub smtp_url: Option<Secret>,
    /// Who mail comes from.
    #[arg(long, env = "MAIL_FROM", default_value = "Cartwright <shop@cartwright.example>")]
    pub mail_from: String,
    /// How long after the first failure a message is tried again, in milliseconds; five times longer after each further one.
    #[arg(long, env = "MAIL_RETRY_MS", default_value_t = 5000)]
    pub mail_retry_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            smtp_url: None,
            mail_from: "Cartwright <shop@cartwright.example>".to_owned(),
            mail_retry_ms: 5000,
        }
    }
}
