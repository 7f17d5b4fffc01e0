//! Measures how fast the shop is, beside what the machine could do at best, in one run.
#![expect(
    clippy::float_arithmetic,
    reason = "rates and ratios are for people to look at; no money is counted here"
)]
#![expect(clippy::disallowed_methods, reason = "these tasks end with the program, which nobody drains")]

mod checkout;
mod echo;
mod grow;
mod limit;
mod load;
mod reads;
mod report;
mod shop;
mod usage;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;

use crate::load::Load;
use crate::report::Report;
use crate::shop::Shop;

/// Measures the shop as separate processes on PostgreSQL, RabbitMQ and Redis: checkouts, reads, and the limit of the machine.
///
/// Start it by `just bench`, which builds the programs and starts private servers that write through to the disk.
#[derive(Parser)]
#[command(name = "bench")]
struct Arguments {
    /// How long each stage takes.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// How many clients place orders at once, stage by stage.
    #[arg(long, value_delimiter = ',', default_value = "1,8,32,128", value_parser = clap::value_parser!(u16).range(1..=256))]
    clients: Vec<u16>,
    /// How many orders are stored when growth is measured, step by step; 0 leaves it out.
    #[arg(long, value_delimiter = ',', default_value = "1000,100000,1000000")]
    stored: Vec<u64>,
    /// Which parts to measure.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Part::ALL)]
    parts: Vec<Part>,
    /// Where the results go: bench.json and bench.svg.
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
    /// Serves bare echo calls at this address and does nothing else: what the reads are compared with.
    #[arg(long, hide = true)]
    echo: Option<std::net::SocketAddr>,
}

/// A part of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// The least work of an order, straight at the database.
    Limit,
    /// Orders of many goods.
    Checkout,
    /// Orders of one SKU.
    Flash,
    /// Product reads and searches, directly and through the edge.
    Reads,
    /// Orders again, after many are stored.
    Growth,
}

impl Part {
    const ALL: [Part; 5] = [Part::Limit, Part::Checkout, Part::Flash, Part::Reads, Part::Growth];
}

impl std::fmt::Display for Part {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Part::Limit => "limit",
            Part::Checkout => "checkout",
            Part::Flash => "flash",
            Part::Reads => "reads",
            Part::Growth => "growth",
        })
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let Some(address) = arguments.echo {
        return echo::serve(address).await;
    }
    let mut report = Report::new(arguments.seconds);
    let outcome = measure(&arguments, &mut report).await;
    // What was measured until something failed is worth as much.
    report.print();
    report.write(&arguments.out)?;
    outcome
}

async fn measure(arguments: &Arguments, report: &mut Report) -> anyhow::Result<()> {
    let load = Load { lasting: Duration::from_secs(arguments.seconds) };
    let does = |part| arguments.parts.contains(&part);
    if does(Part::Limit) {
        limit::measure(&load, &arguments.clients, report).await.context("measuring the limit")?;
    }
    if [Part::Checkout, Part::Flash, Part::Reads].into_iter().any(does) {
        let mut shop = open(arguments.clients.iter().copied().max().unwrap_or(1)).await?;
        if does(Part::Checkout) {
            checkout::measure(&load, &mut shop, &arguments.clients, report)
                .await
                .context("measuring orders")?;
        }
        if does(Part::Flash) {
            checkout::flash(&load, &mut shop, &arguments.clients, report)
                .await
                .context("measuring one SKU")?;
        }
        if does(Part::Reads) {
            reads::measure(&load, &shop, report).await.context("measuring reads")?;
        }
        report.memory = shop.memory();
    }
    if does(Part::Growth) {
        // A shop of its own, since it begins with few orders.
        let mut shop = open(grow::CLIENTS).await?;
        grow::measure(&load, &mut shop, &arguments.stored, report).await.context("measuring growth")?;
    }
    Ok(())
}

async fn open(customers: u16) -> anyhow::Result<Shop> {
    eprintln!("starting ten services and the edge");
    Shop::open(customers).await?.context("no servers: run it by `just bench`")
}
