//! `cartwright audit`: whether the books balance, within each service and across them.

mod across;
mod book;
mod events;

use std::process::ExitCode;
use std::time::Duration;

use chassis::config::{NOUNS, Settings};
use clap::Args;
use contract::operations::v1::CheckInvariantsRequest;
use serde::Serialize;

use crate::operator::Operator;

/// Checks that the books balance. Ends with 1 where they do not.
#[derive(Args)]
pub(crate) struct Audit {
    /// Prints the findings as JSON.
    #[arg(long)]
    json: bool,
    /// How many seconds to wait until nothing is under way before services are compared with each other.
    #[arg(long, default_value_t = 30)]
    settle_seconds: u64,
    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// What checking one invariant found.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    /// Who was asked: a service, or `across` for a comparison.
    pub(crate) scope: String,
    /// What must hold.
    pub(crate) invariant: String,
    /// How many things were looked at.
    pub(crate) checked: i64,
    /// Who breaks it.
    pub(crate) offenders: Vec<String>,
}

/// The whole result.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Whether everything holds.
    pub(crate) clean: bool,
    /// Whether nothing was under way when the services were compared.
    pub(crate) settled: bool,
    /// One for each invariant.
    pub(crate) findings: Vec<Finding>,
}

impl Audit {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let operator = Operator::new(&self.settings)?;
        let report = check(&operator, Duration::from_secs(self.settle_seconds)).await?;
        if self.json {
            say!("{}", serde_json::to_string_pretty(&report)?);
        } else {
            report.print();
        }
        Ok(if report.clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Checks everything.
pub(crate) async fn check(operator: &Operator, settle: Duration) -> anyhow::Result<Report> {
    let settled = operator.settle(settle, |_| ()).await?;
    let mut findings = Vec::new();
    for noun in NOUNS {
        let answer =
            operator.operations(noun)?.check_invariants(operator.ask(CheckInvariantsRequest {})).await?;
        findings.extend(answer.into_inner().findings.into_iter().map(|finding| Finding {
            scope: noun.into(),
            invariant: finding.invariant,
            checked: finding.checked,
            offenders: finding.offenders,
        }));
    }
    findings.extend(across::compare(operator).await?);
    findings.extend(events::compare(operator).await?);
    if !settled {
        findings.push(Finding {
            scope: "across".into(),
            invariant: "everything under way comes to an end".into(),
            checked: 1,
            offenders: vec![format!(
                "events, messages or sagas were still under way after {} s",
                settle.as_secs()
            )],
        });
    }
    let clean = findings.iter().all(|finding| finding.offenders.is_empty());
    Ok(Report { clean, settled, findings })
}

impl Report {
    /// Prints a line for each invariant, and the offenders below those that are broken.
    pub(crate) fn print(&self) {
        for finding in &self.findings {
            let mark = if finding.offenders.is_empty() { "holds " } else { "BROKEN" };
            say!("{mark}  {:<12}  {}  ({} checked)", finding.scope, finding.invariant, finding.checked);
            for offender in &finding.offenders {
                say!("          {offender}");
            }
        }
        let broken = self.findings.iter().filter(|finding| !finding.offenders.is_empty()).count();
        if self.clean {
            say!("The books balance: {} invariants hold.", self.findings.len());
        } else {
            say!("The books do not balance: {broken} of {} invariants are broken.", self.findings.len());
        }
    }
}

/// At most this many offenders are named for each invariant.
const OFFENDERS_MAX: usize = 100;

impl Finding {
    fn across(invariant: &str, checked: usize, mut offenders: Vec<String>) -> Self {
        let more = offenders.len().saturating_sub(OFFENDERS_MAX);
        offenders.truncate(OFFENDERS_MAX);
        if more > 0 {
            offenders.push(format!("and {more} more"));
        }
        Finding {
            scope: "across".into(),
            invariant: invariant.into(),
            checked: i64::try_from(checked).unwrap_or(i64::MAX),
            offenders,
        }
    }
}
