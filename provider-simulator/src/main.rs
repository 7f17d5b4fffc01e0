//! Runs the provider simulator alone.
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use provider_simulator::{Config, Script, Simulator, Webhooks};

/// A payment provider that moves no money and can be told to misbehave.
#[derive(Parser, Debug)]
struct Arguments {
    /// Where it listens.
    #[arg(long, env = "SIMULATOR_LISTEN", default_value = "127.0.0.1:8089")]
    listen: SocketAddr,
    /// The file of its journal; made when missing.
    #[arg(long, env = "SIMULATOR_JOURNAL", default_value = "provider-simulator.jsonl")]
    journal: PathBuf,
    /// What callers must show.
    #[arg(long, env = "SIMULATOR_API_KEY", hide_env_values = true)]
    api_key: String,
    /// Where operations are announced, such as `http://127.0.0.1:8080/webhooks/payments/sandbox`; nowhere where empty.
    #[arg(long, env = "SIMULATOR_WEBHOOK_URL", default_value = "")]
    webhook_url: String,
    /// The secret that announcements are signed with: `whsec_` and base64. Two are separated by a comma.
    #[arg(long, env = "SIMULATOR_WEBHOOK_SECRET", value_delimiter = ',', hide_env_values = true)]
    webhook_secret: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let arguments = Arguments::parse();
    let webhooks =
        Webhooks { url: arguments.webhook_url, secrets: arguments.webhook_secret, ..Webhooks::default() };
    let config = Config {
        listen: arguments.listen,
        journal: arguments.journal,
        api_key: arguments.api_key,
        script: Script { webhooks, ..Script::default() },
    };
    match Simulator::start(config).await {
        Ok(mut simulator) => {
            println!("{}", simulator.url());
            simulator.served().await;
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("the simulator cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}
