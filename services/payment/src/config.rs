//! What an operator can set about payment.
use chassis::config::Secret;

/// The settings of the payment service.
#[derive(clap::Args, Clone, Debug)]
#[group(skip)] // all of them are flattened into one command
pub struct Config {
    /// The channels that customers may pay through, separated by commas. `sandbox` moves no money: leave it out where
    /// real customers pay.
    #[arg(long, env = "PAYMENT_CHANNELS", value_delimiter = ',', default_value = "sandbox")]
    pub payment_channels: Vec<String>,
    /// How long a channel may take to answer, in milliseconds. After that the outcome counts as unknown, and the
    /// channel is asked until it says what happened.
    #[arg(long, env = "PAYMENT_CHANNEL_TIMEOUT_MS", default_value_t = 5000, value_parser = clap::value_parser!(u64).range(50..=7000))]
    pub payment_channel_timeout_ms: u64,
    /// After how many seconds a payment or refund whose channel does not say what it did needs an operator's attention. It
    /// goes on being asked about.
    #[arg(long, env = "PAYMENT_ATTENTION_SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub payment_attention_seconds: u64,
    /// The address of a payment provider that speaks the sandbox's protocol, such as the provider simulator:
    /// `http://127.0.0.1:8089`. Without it the sandbox is within this process.
    #[arg(long, env = "SANDBOX_URL")]
    pub sandbox_url: Option<String>,
    /// What is shown to that provider.
    #[arg(long, env = "SANDBOX_API_KEY", hide_env_values = true)]
    pub sandbox_api_key: Option<Secret>,
    /// The secret that provider signs its announcements with: `whsec_` and base64. While one replaces another there are two,
    /// separated by a comma. Without it nothing is believed that arrives at `/webhooks/payments/sandbox`.
    #[arg(long, env = "SANDBOX_WEBHOOK_SECRETS", hide_env_values = true)]
    pub sandbox_webhook_secrets: Option<Secret>,
    /// After how many seconds order is asked whether an order still wants the money held or taken for it. What is held for
    /// an order that does not exist or is cancelled is given back.
    #[arg(long, env = "PAYMENT_ORPHAN_SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..=604_800))]
    pub payment_orphan_seconds: u64,
    /// How much of one payment may be refunded without the permission refund.approve, in whole units of its currency.
    #[arg(long, env = "PAYMENT_REFUND_LIMIT", default_value_t = 500, value_parser = clap::value_parser!(i64).range(0..=1_000_000_000))]
    pub payment_refund_limit: i64,
    /// From which hour of the day in UTC on our books are compared with what channels state of the day before.
    #[arg(long, env = "PAYMENT_RECONCILE_HOUR", default_value_t = 3, value_parser = clap::value_parser!(u8).range(0..=23))]
    pub payment_reconcile_hour: u8,
    /// For how many seconds what a channel is still being asked for, or what its statement does not have yet, counts as
    /// merely under way when books are compared.
    #[arg(long, env = "PAYMENT_RECONCILE_TOLERANCE_SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u64).range(0..=86_400))]
    pub payment_reconcile_tolerance_seconds: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            payment_channels: vec!["sandbox".to_owned()],
            payment_channel_timeout_ms: 5000,
            payment_attention_seconds: 900,
            sandbox_url: None,
            sandbox_api_key: None,
            sandbox_webhook_secrets: None,
            payment_orphan_seconds: 3600,
            payment_refund_limit: 500,
            payment_reconcile_hour: 3,
            payment_reconcile_tolerance_seconds: 900,
        }
    }
}
