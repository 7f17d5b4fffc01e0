//! The command: every service in one process, and the tools of those who run a shop.
//!
//! `serve` starts the shop; `demo` tells one purchase step by step; `import` takes over orders from elsewhere; `audit`
//! checks that the books balance; `reconcile` compares them with what payment channels state;
//! `parked` looks after messages that failed; `admin` and `keys` make what an installation begins with.

#![warn(clippy::print_stdout, clippy::print_stderr)] // they panic where nobody reads: see say

#[macro_use]
mod say;

mod addresses;
mod admin;
mod audit;
mod customer;
mod demo;
mod help;
mod import;
mod operator;
mod parked;
mod rebuild;
mod reconcile;
mod sample;
mod serve;
pub mod simulated;

use std::process::ExitCode;

use chassis::config::{self, Settings};
use chassis::{host, telemetry};
use clap::{CommandFactory, Parser, Subcommand};

/// Runs a shop and looks after it.
///
/// `cartwright serve` starts everything in one process, with nothing installed: SQLite files and generated keys are kept
/// in the data folder. The same settings turn it into separate services on PostgreSQL, RabbitMQ and Redis; each can be
/// a flag, an environment variable or a line of the TOML file that --config names.
#[derive(Parser)]
#[command(version, name = "cartwright")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Starts every service and the edge in this process.
    Serve(Box<serve::Serve>),
    /// Makes one purchase and tells it step by step; starts a shop of its own if none runs. Ends with the audit.
    Demo(Box<demo::Demo>),
    /// Fills an empty shop with a few products, ways to send them and a coupon.
    Sample {
        #[command(flatten)]
        settings: Box<Settings>,
    },
    /// Takes over products, stock and orders from elsewhere.
    #[command(subcommand)]
    Import(import::Import),
    /// Checks that the books balance, within each service and across them, and names what does not.
    Audit(Box<audit::Audit>),
    /// Looks after messages that a service could not handle.
    #[command(subcommand)]
    Parked(parked::Parked),
    /// Compares the books with what a payment channel states of a day, and names what differs.
    Reconcile(Box<reconcile::Reconcile>),
    /// Brings what is shown of orders in step with their events, while the shop serves.
    Rebuild {
        #[command(flatten)]
        settings: Box<Settings>,
    },
    /// Looks after administrators.
    #[command(subcommand)]
    Admin(admin::Admin),
    /// Makes the keys with which services recognise each other: one pair each, for `KEYS_DIR`.
    Keys {
        /// The folder to make them in. Keys that are there already stay.
        folder: std::path::PathBuf,
    },
}

/// Reads the command line and carries it out.
pub fn main() -> ExitCode {
    let cli: Cli = config::parse_command(help::shown(Cli::command()), std::env::args_os())
        .unwrap_or_else(|error| error.exit());
    host::install_crypto();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    match runtime.block_on(run(cli.command)) {
        Ok(code) => code,
        Err(error) => fail(&error),
    }
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(serve) => {
            let telemetry = telemetry::start(&serve.settings, "cartwright")?;
            let result = serve.run().await;
            telemetry.stop().await;
            result.map(|()| ExitCode::SUCCESS)
        }
        Command::Demo(demo) => {
            quiet(&demo.settings)?;
            demo.run().await
        }
        Command::Sample { settings } => {
            quiet(&settings)?;
            match sample::fill(&settings).await? {
                0 => say!("the shop has products already: nothing was added"),
                made => say!("{made} products with stock are in the shop"),
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Import(import) => {
            quiet(import.settings())?;
            import.run().await
        }
        Command::Audit(audit) => {
            quiet(&audit.settings)?;
            audit.run().await
        }
        Command::Parked(parked) => {
            quiet(parked.settings())?;
            parked.run().await
        }
        Command::Reconcile(reconcile) => {
            quiet(&reconcile.settings)?;
            reconcile.run().await
        }
        Command::Rebuild { settings } => {
            quiet(&settings)?;
            rebuild::orders(&settings).await.map(|()| ExitCode::SUCCESS)
        }
        Command::Admin(admin) => {
            quiet(admin.settings())?;
            admin.run().await.map(|()| ExitCode::SUCCESS)
        }
        Command::Keys { folder } => {
            chassis::auth::keys::generate(&folder, &host::signers())?;
            say!("The keys are in {}. Give each process its own .key and every .pub.", folder.display());
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Tools speak for themselves: of the log they show warnings, unless told otherwise.
fn quiet(settings: &Settings) -> anyhow::Result<()> {
    let mut settings = settings.clone();
    if settings.log == "info" {
        settings.log = "warn".into();
    }
    telemetry::start(&settings, "cartwright")?;
    Ok(())
}

fn fail(error: &anyhow::Error) -> ExitCode {
    say::complain(error);
    ExitCode::FAILURE
}
