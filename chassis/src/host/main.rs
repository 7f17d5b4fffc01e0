//! The `main` of a service in its own process.
use std::{future::Future, process::ExitCode, time::Duration};

use clap::{Args, CommandFactory, Parser, Subcommand};
use sea_orm_migration::{MigrationTrait, MigratorTrait};

use super::Host;
use crate::{
    Error,
    config::{self, Listen, Settings},
    task, telemetry,
};

/// How `--help` ends.
const MANUAL: &str = "\
Every setting can be given as a flag, as an environment variable, or in the TOML file that --config names, where it is
called like its flag with _ for -. A flag wins over the environment, and the environment over the file.

The service stops on SIGTERM and Ctrl-C, and at once on the second: it reports that it is not ready, lets running calls end, and sends the events
they caused. /livez, /readyz, /health and /metrics are served on --metrics-listen.";

#[derive(Parser)]
#[command(version)]
struct Alone<C: Args> {
    #[command(flatten)]
    own: C,
    #[command(flatten)]
    listen: Listen,
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Brings the database's schema up to date, and ends.
    Migrate,
}

/// The migrations of a service without a database.
#[derive(Debug)]
pub struct Stateless;

impl MigratorTrait for Stateless {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        Vec::new()
    }
}

/// Reads the settings, starts telemetry, binds the sockets and serves until SIGTERM or Ctrl-C. `C` are the service's
/// own settings, `M` its migrations; `serve` gets its surroundings and its settings.
pub fn main<C, M, F, W>(noun: &'static str, serve: F) -> ExitCode
where
    C: Args,
    M: MigratorTrait,
    F: FnOnce(Host, C) -> W,
    W: Future<Output = Result<(), Error>>,
{
    let alone: Alone<C> =
        config::parse_command(command::<C>(noun), std::env::args_os()).unwrap_or_else(|error| error.exit());
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(noun, &Error::io("starting the runtime")(error)),
    };
    match runtime.block_on(run::<C, M, F, W>(noun, alone, serve)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(noun, &error),
    }
}

fn command<C: Args>(noun: &'static str) -> clap::Command {
    let about = format!("The {noun} service of Cartwright");
    Alone::<C>::command().name(noun).about(about).long_about(None).after_help(MANUAL)
}

fn fail(noun: &str, error: &Error) -> ExitCode {
    // Telemetry may not have started, and the person at the terminal needs to know.
    eprintln!("{noun}: {}", error.chain());
    ExitCode::FAILURE
}

async fn run<C, M, F, W>(noun: &'static str, alone: Alone<C>, serve: F) -> Result<(), Error>
where
    C: Args,
    M: MigratorTrait,
    F: FnOnce(Host, C) -> W,
    W: Future<Output = Result<(), Error>>,
{
    install_crypto();
    let telemetry = telemetry::start(&alone.settings, noun)?;
    let result = match alone.command {
        Some(Command::Migrate) => super::database::migrate::<M>(noun, &alone.settings).await,
        None => {
            let host = Host::alone(noun, &alone.settings, &alone.listen).await?;
            super::stop_on_signal(host.shutdown.clone());
            let result = serve(host, alone.own).await;
            task::drain(Duration::from_secs(5)).await;
            result
        }
    };
    telemetry.stop().await;
    result
}

/// Makes ring the process's provider of TLS. More than one library asks for one, and two would panic.
pub fn install_crypto() {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a provider of TLS is installed already");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Args)]
    struct Nothing {}

    #[test]
    fn the_manual_names_the_service_and_explains_every_setting() {
        let mut command = command::<Nothing>("order");
        command.clone().debug_assert();
        let help = command.render_long_help().to_string();
        assert!(help.starts_with("The order service of Cartwright"), "{help}");
        for word in [
            "DATABASE_URL",
            "ORDER_DATABASE_URL",
            "INVENTORY_URL",
            "KEYS_DIR",
            "migrate",
            "--config",
            "SIGTERM",
        ] {
            assert!(help.contains(word), "{word} is missing:\n{help}");
        }
        let unexplained: Vec<_> = command.get_arguments().filter(|arg| arg.get_help().is_none()).collect();
        assert!(unexplained.is_empty(), "{unexplained:?}");
    }
}
