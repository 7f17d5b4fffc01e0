//! Every setting, once: flags win over environment, environment over the TOML file, the file over defaults.
use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::{Args, Parser, ValueEnum};

use crate::Error;

mod file;
mod peers;

pub use peers::Peers;

/// The ten services, in the order that gives them their ports.
pub const NOUNS: [&str; 10] = [
    "identity",
    "catalog",
    "inventory",
    "cart",
    "order",
    "payment",
    "shipping",
    "promotion",
    "notification",
    "analytics",
];

/// Where a service listens for gRPC when nothing else is said: 50051 up, in the order of `NOUNS`; the gateway on 8080.
pub fn default_port(noun: &str) -> u16 {
    NOUNS.iter().zip(50051..).find(|(name, _)| **name == noun).map_or(8080, |(_, port)| port)
}

/// Where a service offers metrics and HTTP health when nothing else is said: 9100 up; the gateway on 9110.
pub fn default_metrics_port(noun: &str) -> u16 {
    NOUNS.iter().zip(9100..).find(|(name, _)| **name == noun).map_or(9110, |(_, port)| port)
}

/// What every process needs to know.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// A TOML file of settings, named like the flags with `_` for `-`. Flags and environment win over it.
    #[arg(long, env = "CARTWRIGHT_CONFIG")]
    pub config: Option<PathBuf>,
    /// The folder for everything kept on disk: SQLite files, generated keys.
    #[arg(long, env = "DATA_DIR", default_value = "data")]
    pub data_dir: PathBuf,
    /// A PostgreSQL server, such as `postgres://user:secret@host`. Each service uses the database of its own name on it,
    /// made when missing. Without it each service keeps a SQLite file in the data folder.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<Secret>,
    /// Whether to bring the schema up to date at start. Turn it off where a job runs `migrate` before a rollout.
    #[arg(long, env = "MIGRATE", default_value_t = true, action = clap::ArgAction::Set)]
    pub migrate: bool,
    /// A RabbitMQ broker, such as `amqp://user:secret@host`. Without it events stay within the process.
    #[arg(long, env = "AMQP_URL", hide_env_values = true)]
    pub amqp_url: Option<Secret>,
    /// Put before the names of the exchange and the queues, so that installations can share a broker.
    #[arg(long, env = "AMQP_PREFIX", default_value = "cartwright.")]
    pub amqp_prefix: String,
    /// A Redis server as the second level of caches. Without it caches live in the process.
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<Secret>,
    /// Where traces are sent, by OTLP over gRPC. Without it none are.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub otlp_endpoint: Option<String>,
    /// The folder of the keys with which services recognise each other: {noun}.key for this one, {noun}.pub for all. A
    /// service alone must be given one; all services in one process make theirs in the data folder, below `keys`.
    #[arg(long, env = "KEYS_DIR")]
    pub keys_dir: Option<PathBuf>,
    /// Whether the server describes itself to tools such as grpcurl. By default it does where all services share one
    /// process, and a service alone does not.
    #[arg(long, env = "REFLECTION", value_name = "true|false")]
    pub reflection: Option<bool>,
    /// What to log: a level, or levels by module such as info,chassis=debug.
    #[arg(long, env = "LOG", default_value = "info")]
    pub log: String,
    /// How to log.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// The most calls a service works on at once. More wait a moment, then are refused with `RESOURCE_EXHAUSTED`.
    #[arg(long, env = "IN_FLIGHT_MAX", default_value_t = 512, value_parser = clap::value_parser!(u16).range(1..))]
    pub in_flight_max: u16,
    /// The most calls under way to any one other service at once. More wait a moment, then are refused with
    /// `RESOURCE_EXHAUSTED`. It is less than `IN_FLIGHT_MAX`, so that a slow peer does not take the whole service with it.
    #[arg(long, env = "PEER_IN_FLIGHT_MAX", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=512))]
    pub peer_in_flight_max: u16,
    /// How long a stopping process lets running calls end.
    #[arg(long, env = "DRAIN_SECONDS", default_value_t = 30)]
    pub drain_seconds: u64,
    /// How often, in minutes, a service looks whether its books balance; 0 never does. `cartwright_audit_violations` at /metrics tells.
    #[arg(long, env = "AUDIT_MINUTES", default_value_t = 15)]
    pub audit_minutes: u16,
    /// For how many days a service remembers answers to request ids, events it announced and applied, and what has ended:
    /// sagas, closed carts. All services of a shop need the same.
    #[arg(long, env = "HISTORY_DAYS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..))]
    pub history_days: u16,
    /// How long, in seconds, a starting service waits for announcers that do not answer, to read what it missed of theirs
    /// before it receives anything new.
    #[arg(long, env = "CATCH_UP_SECONDS", default_value_t = 30)]
    pub catch_up_seconds: u16,
    /// Where each service is found and keeps its data, where it differs from the above.
    #[command(flatten)]
    pub peers: Peers,
}

/// Where a single service listens.
#[derive(Args, Clone, Debug)]
pub struct Listen {
    /// Where to listen for gRPC; port 0 lets the system choose. By default all addresses, on the service's own port.
    #[arg(long, env = "LISTEN")]
    pub listen: Option<SocketAddr>,
    /// Where to offer /metrics, /livez, /readyz and /health.
    #[arg(long, env = "METRICS_LISTEN")]
    pub metrics_listen: Option<SocketAddr>,
}

/// How log lines look.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// A value that never shows itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The value itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(value: &str) -> Result<Self, Self::Err> {
        Ok(Self(value.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Reads all settings, or explains what is wrong and ends the process, as command line programs do.
pub fn parse<C: Parser>() -> C {
    parse_from(std::env::args_os()).unwrap_or_else(|error| error.exit())
}

/// `parse` with the command line given.
pub fn parse_from<C: Parser>(args: impl IntoIterator<Item = std::ffi::OsString>) -> Result<C, clap::Error> {
    parse_command(C::command(), args)
}

/// `parse_from` with the command already made, for programs that name themselves or show less of it.
pub fn parse_command<C: Parser>(
    command: clap::Command,
    args: impl IntoIterator<Item = std::ffi::OsString>,
) -> Result<C, clap::Error> {
    let args: Vec<_> = args.into_iter().collect();
    let command = file::apply(command, &args)?;
    let matches = command.try_get_matches_from(args)?;
    C::from_arg_matches(&matches)
}

impl Settings {
    /// The settings when nothing is said. Unlike `parse` it reads neither flags nor the file.
    pub fn defaults(data_dir: &Path) -> Self {
        #[derive(Parser)]
        struct Bare {
            #[command(flatten)]
            settings: Settings,
        }
        let bare = Bare::parse_from(["cartwright"]);
        Self { data_dir: data_dir.to_owned(), ..bare.settings }
    }

    /// Where the service keeps its data: its own URL, its database on the common server, or its SQLite file.
    pub fn database(&self, noun: &str) -> Result<Secret, Error> {
        if let Some(own) = self.peers.database_url(noun) {
            return Ok(own.clone());
        }
        match &self.database_url {
            Some(server) => on_server(server.expose(), noun).map(Secret),
            None => Ok(Secret(format!("sqlite://{}/{noun}.db?mode=rwc", self.data_dir.display()))),
        }
    }

    /// Where the service may read what can be a moment old.
    pub fn database_replica(&self, noun: &str) -> Option<Secret> {
        self.peers.database_replica_url(noun).cloned()
    }
}

/// The URL of one database on a server: `postgres://host?x=y` and `order` give `postgres://host/order?x=y`.
fn on_server(server: &str, database: &str) -> Result<String, Error> {
    let wrong = || Error::Settings("DATABASE_URL must look like postgres://user:secret@host:5432".to_owned());
    let (scheme, rest) = server.split_once("://").ok_or_else(wrong)?;
    if !matches!(scheme, "postgres" | "postgresql") {
        return Err(wrong());
    }
    let (rest, query) =
        rest.split_once('?').map_or((rest, String::new()), |(rest, query)| (rest, format!("?{query}")));
    let authority = rest.split_once('/').map_or(rest, |(authority, _)| authority);
    Ok(format!("{scheme}://{authority}/{database}{query}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Parser, Debug)]
    struct Tool {
        #[command(flatten)]
        settings: Settings,
    }

    fn parse_with(file: &str, flags: &[&str]) -> Result<Settings, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        std::fs::write(&path, file).unwrap();
        let args = ["tool", "--config", path.to_str().unwrap()].into_iter().chain(flags.iter().copied());
        parse_from::<Tool>(args.map(Into::into)).map(|tool| tool.settings).map_err(|error| error.to_string())
    }

    #[test]
    fn the_file_fills_in_what_flags_do_not_say() {
        let settings = parse_with(
            "log = 'debug'\nin_flight_max = 7\norder_url = 'http://order:1'\n",
            &["--log", "warn"],
        )
        .unwrap();
        assert_eq!(settings.log, "warn");
        assert_eq!(settings.in_flight_max, 7);
        assert_eq!(settings.peers.url("order"), Some("http://order:1"));
        assert_eq!(settings.drain_seconds, 30);
    }

    #[test]
    fn an_unknown_key_in_the_file_is_named() {
        let error = parse_with("lgo = 'debug'\n", &[]).unwrap_err();
        assert!(error.contains("`lgo`"), "{error}");
    }

    #[test]
    fn a_value_that_cannot_be_right_is_refused() {
        assert!(parse_with("in_flight_max = 0\n", &[]).is_err());
        assert!(parse_with("reflection = 'perhaps'\n", &[]).is_err());
    }

    #[test]
    fn secrets_do_not_show() {
        let settings = parse_with("database_url = 'postgres://u:hunter2@h'\n", &[]).unwrap();
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn each_service_has_its_own_database_on_the_server() {
        let settings = parse_with(
            "database_url = 'postgres://u:p@h:1/x?sslmode=disable'\ncart_database_url = 'postgres://c'",
            &[],
        )
        .unwrap();
        assert_eq!(settings.database("order").unwrap().expose(), "postgres://u:p@h:1/order?sslmode=disable");
        assert_eq!(settings.database("cart").unwrap().expose(), "postgres://c");
    }

    #[test]
    fn ports_follow_the_order_of_the_services() {
        assert_eq!(
            (default_port("identity"), default_port("analytics"), default_port("gateway")),
            (50051, 50060, 8080)
        );
        assert_eq!((default_metrics_port("identity"), default_metrics_port("gateway")), (9100, 9110));
    }
}
