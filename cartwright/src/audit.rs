//! `cartwright audit`: whether the books balance, within each service and across them.

mod across;
mod book;
mod events;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use chassis::config::{NOUNS, Settings};
use clap::Args;
use contract::operations::v1::CheckInvariantsRequest;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::operator::Operator;

/// Checks that the books balance. Ends with 1 where they do not.
#[derive(Args)]
pub(crate) struct Audit {
    /// Prints the findings as JSON.
    #[arg(long)]
    json: bool,
    /// For how many seconds what does not hold may still be under way. What holds by then was never broken.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    wait: u64,
    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// What checking one invariant found.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    /// Who was asked: a service, or `across` for a comparison.
    pub(crate) scope: String,
    /// The number of the invariant in the list of ARCHITECTURE.md.
    pub(crate) number: String,
    /// What must hold.
    pub(crate) invariant: String,
    /// How many things were looked at.
    pub(crate) checked: i64,
    /// Who breaks it.
    pub(crate) offenders: Vec<String>,
    /// Who did not keep it when looked at last, and had not been seen before: most likely it is under way.
    pub(crate) unsettled: Vec<String>,
}

/// The whole result.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Whether everything holds.
    pub(crate) clean: bool,
    /// Whether nothing was under way at some moment of the audit.
    pub(crate) settled: bool,
    /// One for each invariant.
    pub(crate) findings: Vec<Finding>,
}

impl Audit {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let operator = Operator::new(&self.settings)?;
        let report = check(&operator, Scope::Everything, Duration::from_secs(self.wait)).await?;
        if self.json {
            say!("{}", serde_json::to_string_pretty(&report)?);
        } else {
            report.print();
        }
        Ok(if report.clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// How long the audit waits for a quiet moment before it looks for the first time.
const QUIET_SOON: Duration = Duration::from_secs(3);

/// Checks everything, and once more what does not hold: a shop at work is never quite in balance between two of its
/// services. Broken is what still does not hold when all that was under way at the first look has ended, or the time to
/// wait is up.
pub(crate) async fn check(operator: &Operator, scope: Scope, wait: Duration) -> anyhow::Result<Report> {
    let until = Instant::now() + wait;
    let mut settled = operator.settle(wait.min(QUIET_SOON), |_| ()).await?;
    let mut findings = look(operator, scope).await?;
    if !settled || findings.iter().any(|finding| !finding.offenders.is_empty()) {
        let left = until.saturating_duration_since(Instant::now());
        settled = operator.settle(left, |_| ()).await?;
        let first = std::mem::replace(&mut findings, look(operator, scope).await?);
        for finding in &mut findings {
            finding.forgive_the_new(&first);
        }
    }
    let clean = findings.iter().all(|finding| finding.offenders.is_empty());
    Ok(Report { clean, settled, findings })
}

/// What is checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Each service by itself, and all with each other.
    Everything,
    /// All with each other. Each looks at itself from time to time.
    Across,
}

/// Asks every service about itself, and compares them.
async fn look(operator: &Operator, scope: Scope) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for noun in NOUNS.into_iter().filter(|_| scope == Scope::Everything) {
        let answer =
            operator.operations(noun)?.check_invariants(operator.ask(CheckInvariantsRequest {})).await?;
        findings.extend(answer.into_inner().findings.into_iter().map(|finding| Finding {
            scope: noun.into(),
            number: finding.number,
            invariant: finding.invariant,
            checked: finding.checked,
            offenders: finding.offenders,
            unsettled: Vec::new(),
        }));
    }
    findings.extend(across::compare(operator).await?);
    findings.extend(events::compare(operator).await?);
    findings.sort_by_key(|finding| finding.number.trim_start_matches('I').parse().unwrap_or(u32::MAX));
    Ok(findings)
}

impl Report {
    /// Prints a line for each invariant, and below it who breaks it or is not settled yet.
    pub(crate) fn print(&self) {
        for finding in &self.findings {
            let mark = match (finding.offenders.is_empty(), finding.unsettled.is_empty()) {
                (false, _) => "BROKEN ",
                (true, false) => "settles",
                (true, true) => "holds  ",
            };
            say!(
                "{mark}  {:<4} {:<12}  {}  ({} checked)",
                finding.number,
                finding.scope,
                finding.invariant,
                finding.checked
            );
            for offender in &finding.offenders {
                say!("           {offender}");
            }
            for unsettled in &finding.unsettled {
                say!("           not settled yet: {unsettled}");
            }
        }
        let broken = self.findings.iter().filter(|finding| !finding.offenders.is_empty()).count();
        if self.clean {
            say!("The books balance: {} invariants hold.", self.findings.len());
        } else {
            say!("The books do not balance: {broken} of {} invariants are broken.", self.findings.len());
        }
        if !self.settled {
            say!("The shop was at work all the time: what is newer than the wait was not judged.");
        }
    }
}

/// Compares the services from time to time until shutdown, and tells by the metric and the log.
pub(crate) async fn watch(settings: Settings, shutdown: CancellationToken) {
    let every = Duration::from_secs(60 * u64::from(settings.audit_minutes));
    while !every.is_zero() && shutdown.run_until_cancelled(tokio::time::sleep(every)).await.is_some() {
        let looked = async { check(&Operator::new(&settings)?, Scope::Across, WATCH_WAIT).await };
        match shutdown.run_until_cancelled(looked).await {
            Some(Ok(report)) => report.tell(),
            Some(Err(error)) => tracing::warn!(%error, "the services could not be compared"),
            None => return,
        }
    }
}

impl Report {
    fn tell(&self) {
        let mut broken: BTreeMap<&str, u32> = BTreeMap::new();
        for finding in &self.findings {
            let offenders = u32::try_from(finding.offenders.len()).unwrap_or(u32::MAX);
            *broken.entry(&finding.number).or_default() += offenders;
            if offenders > 0 {
                let some: Vec<_> = finding.offenders.iter().take(10).collect();
                tracing::error!(
                    invariant = finding.number, offenders = ?some, "the books do not balance: {}", finding.invariant
                );
            }
        }
        for (number, offenders) in broken {
            metrics::gauge!("cartwright_audit_violations", "service" => "across", "invariant" => number.to_owned())
                .set(offenders);
        }
    }
}

/// How long what does not agree may still be under way when nobody waits for the answer.
const WATCH_WAIT: Duration = Duration::from_secs(120);

/// At most this many offenders are named for each invariant.
const OFFENDERS_MAX: usize = 100;

impl Finding {
    fn across(number: &str, invariant: &str, checked: usize, mut offenders: Vec<String>) -> Self {
        let more = offenders.len().saturating_sub(OFFENDERS_MAX);
        offenders.truncate(OFFENDERS_MAX);
        if more > 0 {
            offenders.push(format!("and {more} more"));
        }
        Finding {
            scope: "across".into(),
            number: number.into(),
            invariant: invariant.into(),
            checked: i64::try_from(checked).unwrap_or(i64::MAX),
            offenders,
            unsettled: Vec::new(),
        }
    }

    /// Keeps as offenders those that an earlier look named too.
    fn forgive_the_new(&mut self, earlier: &[Finding]) {
        let same =
            earlier.iter().find(|other| (&other.scope, &other.invariant) == (&self.scope, &self.invariant));
        let known = same.map(|same| same.offenders.as_slice()).unwrap_or_default();
        let (still, new) =
            std::mem::take(&mut self.offenders).into_iter().partition(|offender| known.contains(offender));
        (self.offenders, self.unsettled) = (still, new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(offenders: &[&str]) -> Finding {
        Finding::across("I12", "what is held is owed", 9, offenders.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn only_what_stays_wrong_is_broken() {
        let mut last = finding(&["orders/1", "orders/3"]);
        last.forgive_the_new(&[finding(&["orders/1", "orders/2"])]);
        assert_eq!((last.offenders, last.unsettled), (vec!["orders/1".into()], vec!["orders/3".into()]));
        let mut unknown = finding(&["orders/1"]);
        unknown.forgive_the_new(&[]);
        assert!(unknown.offenders.is_empty());
    }
}
