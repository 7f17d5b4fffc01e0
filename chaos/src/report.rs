//! What a run came to, to read and to keep.
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use contract::order::v1::order::State;
use serde::Serialize;

use crate::buyer::{Outcome, Told};
use crate::faults::{Faults, KILL};

/// Offenders shown; all are in the file.
const SHOWN: usize = 20;

/// One run.
#[derive(Serialize)]
pub(crate) struct Report {
    seed: u64,
    /// How long faults went on at most.
    seconds: u64,
    /// Requests of customers, by how they ended.
    requests: BTreeMap<String, u64>,
    /// How long the longest of them took to be answered for good.
    longest_wait_seconds: u64,
    faults: Faults,
    violations: Vec<String>,
}

impl Report {
    pub(crate) fn new(
        seed: u64,
        lasting: Duration,
        told: &[Told],
        faults: Faults,
        violations: Vec<String>,
    ) -> Report {
        let mut requests: BTreeMap<String, u64> = BTreeMap::new();
        for one in told {
            let how = match &one.outcome {
                Outcome::Order(_) if one.cancelled => "confirmed, then cancelled by the customer".to_owned(),
                Outcome::Order(order) if order.state() == State::Cancelled => {
                    format!("cancelled: {}", order.cancel_reason)
                }
                Outcome::Order(_) => "confirmed".to_owned(),
                Outcome::Refused(why) => {
                    format!("refused: {}", why.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
                }
                Outcome::Unknown(_) => "never answered".to_owned(),
            };
            *requests.entry(how).or_default() += 1;
        }
        let longest = told.iter().map(|one| one.waited).max().unwrap_or(Duration::ZERO);
        Report {
            seed,
            seconds: lasting.as_secs(),
            requests,
            longest_wait_seconds: longest.as_secs(),
            faults,
            violations,
        }
    }

    pub(crate) fn violations(&self) -> impl Iterator<Item = &str> {
        self.violations.iter().map(String::as_str)
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    pub(crate) fn kills_that_hit(&self) -> u64 {
        self.faults.hit.get(KILL).copied().unwrap_or_default()
    }

    pub(crate) fn print(&self) {
        println!("\nRequests");
        for (how, count) in &self.requests {
            println!("{count:>7} {how}");
        }
        println!("{:>7} seconds was the longest wait for a final answer", self.longest_wait_seconds);
        println!("\nFaults (those that met checkouts under way)");
        for (kind, count) in &self.faults.done {
            println!("{count:>7} ({}) {kind}", self.faults.hit.get(kind).copied().unwrap_or_default());
        }
        match self.violations.len() {
            0 => println!(
                "\nNothing was lost, nothing was doubled, and the books balance. Seed {}.",
                self.seed
            ),
            count => println!("\n{count} violations. Seed {}.", self.seed),
        }
        for violation in self.violations.iter().take(SHOWN) {
            println!("  {violation}");
        }
    }

    pub(crate) fn write(&self, file: &Path) -> anyhow::Result<()> {
        Ok(std::fs::write(file, serde_json::to_vec_pretty(self)?)?)
    }
}
