//! The shop's real services in one thread, where the clock, chance, the network, the broker and the payment provider are
//! played from a seed: the same seed is the same run, with every death and every lost answer in it.

mod broker;
mod carts;
mod catalog;
mod chance;
mod customers;
mod fleet;
mod machine;
mod network;
mod play;
mod processes;
mod provider;
mod shop;
mod truth;
mod webhooks;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;

/// Plays checkouts in which processes die, calls are lost and the payment provider misbehaves, seed after seed, and audits
/// the shop after each. Ends with 1 where anything was lost, doubled or told wrongly; a seed that fails fails again.
#[derive(Parser)]
#[command(name = "simulate")]
pub(crate) struct Arguments {
    /// How many seeds are played.
    #[arg(long, default_value_t = 1000)]
    pub(crate) seeds: u64,
    /// The first of them. Drawn itself by default.
    #[arg(long)]
    pub(crate) first: Option<u64>,
    /// Goes on for so many minutes instead of a number of seeds; parts of a minute are allowed.
    #[arg(long, value_parser = minutes)]
    pub(crate) minutes: Option<Duration>,
    /// How many are played side by side.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) jobs: u16,
    /// Plays each seed twice, and fails where the two runs differ.
    #[arg(long)]
    pub(crate) twice: bool,
    /// Ends with the first seed that fails.
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// Plays this seed alone, and prints what it came to as JSON.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Tells the story of that seed while it is played.
    #[arg(long)]
    pub(crate) trace: bool,
    /// The databases and keys to begin with; made when missing.
    #[arg(long, hide = true)]
    pub(crate) prepared: Option<PathBuf>,
}

fn minutes(text: &str) -> Result<Duration, String> {
    let minutes: f64 = text.parse().map_err(|_| "it is a number of minutes".to_owned())?;
    Duration::try_from_secs_f64(minutes.max(0.0).mul_add(60.0, 0.0)).map_err(|error| error.to_string())
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let prepared = fleet::prepared(arguments.prepared.as_deref()).context("preparing databases")?;
    match arguments.seed {
        Some(seed) => fleet::alone(seed, prepared.path(), arguments.trace),
        None => fleet::all(&arguments, prepared.path()),
    }
}
