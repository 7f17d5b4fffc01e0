//! Breaks a shop that is being bought from, again and again, and then checks that its books balance and that every
//! customer was told the truth.

#![expect(clippy::disallowed_methods, reason = "these tasks end with the program, which nobody drains")]

mod buyer;
mod faults;
mod journal;
mod mutation;
mod report;
mod verdict;
mod world;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Parser;
use tokio_util::sync::CancellationToken;

use crate::journal::Journal;
use crate::mutation::Mutation;
use crate::report::Report;
use crate::world::World;

/// Runs the shop as separate processes on real servers, kills, freezes and cuts off its parts while customers buy, and
/// audits it afterwards. Ends with 1 where anything was lost, doubled or told wrongly.
///
/// Start it by `just chaos`, which builds the programs and starts private servers that write through to the disk.
#[derive(Parser)]
#[command(name = "chaos")]
struct Arguments {
    /// How long faults go on; parts of a minute are allowed.
    #[arg(long, default_value = "5", value_parser = minutes)]
    minutes: Duration,
    /// Ends early once so many kills have hit checkouts under way; 0: only time counts.
    #[arg(long, default_value_t = 0)]
    kills: u64,
    /// Fails where fewer kills than this have hit checkouts under way.
    #[arg(long, default_value_t = 1)]
    kills_least: u64,
    /// What chance is drawn from; printed, so that a run can be had again. Drawn itself by default.
    #[arg(long)]
    seed: Option<u64>,
    /// Customers who buy at the same time.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=200))]
    buyers: u16,
    /// Units of each good at first.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(i64).range(1..))]
    units: i64,
    /// Lets no more goods come in.
    #[arg(long)]
    no_supply: bool,
    /// How long what is under way may take to end after the last fault.
    #[arg(long, default_value_t = 240)]
    settle_seconds: u32,
    /// Takes a guard away, and ends with 1 unless that is noticed: what cannot find a broken shop proves nothing about a
    /// whole one. Debug builds only.
    #[arg(long)]
    mutation: Option<Mutation>,
    /// Where the journal of the customers, the logs of the programs and the report go.
    #[arg(long, default_value = "target/chaos")]
    out: PathBuf,
}

fn minutes(text: &str) -> Result<Duration, String> {
    let minutes: f64 = text.parse().map_err(|_| format!("{text} is no number"))?;
    let seconds = Duration::try_from_secs_f64(minutes).map_err(|error| error.to_string())?.checked_mul(60);
    seconds.ok_or_else(|| "it is too long".to_owned())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let seed = arguments.seed.unwrap_or_else(rand::random);
    println!("seed {seed}");
    std::fs::create_dir_all(&arguments.out).with_context(|| arguments.out.display().to_string())?;
    let journal = Arc::new(Journal::create(&arguments.out.join("journal.jsonl"))?);
    let Some(world) = World::open(arguments.units, arguments.mutation).await? else {
        anyhow::bail!("no servers: run it by `just chaos`")
    };
    let world = Arc::new(world);

    let stop = CancellationToken::new();
    let customers: Vec<_> = (0..arguments.buyers)
        .map(|number| tokio::spawn(buyer::live(number, seed, world.clone(), journal.clone(), stop.clone())))
        .collect();
    let supplier = (!arguments.no_supply)
        .then(|| tokio::spawn(buyer::supply(seed, world.clone(), journal.clone(), stop.clone())));
    let faults = faults::inject(&world, seed, arguments.minutes, arguments.kills).await;
    println!("the faults are over; everything comes up again");
    faults::mend(&world).await?;
    stop.cancel();
    let mut told = Vec::new();
    for customer in customers {
        told.extend(customer.await?);
    }
    let supplied = match supplier {
        Some(supplier) => supplier.await?,
        None => Vec::new(),
    };

    let verdict = verdict::reach(&world, &told, &supplied, arguments.settle_seconds).await;
    let report = Report::new(seed, arguments.minutes, &told, faults, verdict);
    report.print();
    report.write(&arguments.out.join("chaos.json"))?;
    if !report.is_clean() {
        std::fs::write(arguments.out.join("logs.txt"), world.logs().await)?;
    }
    if let Some(mutation) = arguments.mutation {
        ensure!(
            report.violations().any(|violation| mutation.shows_in(violation)),
            "{mutation:?} went unnoticed"
        );
        println!("{mutation:?} was noticed, as it should be.");
        return Ok(());
    }
    ensure!(report.is_clean(), "the promise was broken; seed {seed}, see {}", arguments.out.display());
    ensure!(
        report.kills_that_hit() >= arguments.kills_least,
        "only {} kills hit checkouts under way: the run proves little",
        report.kills_that_hit()
    );
    Ok(())
}
