//! Breaks a shop that is being bought from, again and again, and then checks that its books balance and that every
//! customer was told the truth.

#![expect(clippy::disallowed_methods, reason = "these tasks end with the program, which nobody drains")]

mod buyer;
mod faults;
mod journal;
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
use crate::report::Report;
use crate::world::World;

/// Runs the shop as separate processes on real servers, kills, freezes and cuts off its parts while customers buy, and
/// audits it afterwards. Ends with 1 where anything was lost, doubled or told wrongly.
///
/// Start it by `just chaos`, which builds the programs and starts private servers that write through to the disk.
#[derive(Parser)]
#[command(name = "chaos")]
struct Arguments {
    /// How long faults go on.
    #[arg(long, default_value_t = 5)]
    minutes: u64,
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
    /// Where the journal of the customers, the logs of the programs and the report go.
    #[arg(long, default_value = "target/chaos")]
    out: PathBuf,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let seed = arguments.seed.unwrap_or_else(rand::random);
    println!("seed {seed}");
    std::fs::create_dir_all(&arguments.out).with_context(|| arguments.out.display().to_string())?;
    let journal = Arc::new(Journal::create(&arguments.out.join("journal.jsonl"))?);
    let Some(world) = World::open().await? else { anyhow::bail!("no servers: run it by `just chaos`") };
    let world = Arc::new(world);

    let stop = CancellationToken::new();
    let customers: Vec<_> = (0..arguments.buyers)
        .map(|number| tokio::spawn(buyer::live(number, seed, world.clone(), journal.clone(), stop.clone())))
        .collect();
    let supplier = tokio::spawn(buyer::supply(seed, world.clone(), journal.clone(), stop.clone()));
    let lasting = Duration::from_secs(arguments.minutes * 60);
    let faults = faults::inject(&world, seed, lasting, arguments.kills).await;
    println!("the faults are over; everything comes up again");
    faults::mend(&world).await?;
    stop.cancel();
    let mut told = Vec::new();
    for customer in customers {
        told.extend(customer.await?);
    }
    let supplied = supplier.await?;

    let verdict = verdict::reach(&world, &told, &supplied).await;
    let report = Report::new(seed, arguments.minutes, &told, faults, verdict);
    report.print();
    report.write(&arguments.out.join("chaos.json"))?;
    if !report.is_clean() {
        std::fs::write(arguments.out.join("logs.txt"), world.logs().await)?;
    }
    ensure!(report.is_clean(), "the promise was broken; seed {seed}, see {}", arguments.out.display());
    ensure!(
        report.kills_that_hit() >= arguments.kills_least,
        "only {} kills hit checkouts under way: the run proves little",
        report.kills_that_hit()
    );
    Ok(())
}
