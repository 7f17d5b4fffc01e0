//! The operator and the audit, for a shop that is simulated.

use std::sync::Arc;
use std::time::Duration;

use chassis::Caller;
use chassis::auth::Keyring;
use chassis::simulated::Network;

use crate::audit::{self, Scope};
use crate::operator::{self, Operator};

/// The operator: may do everything.
pub fn operator() -> Caller {
    operator::caller()
}

/// What an audit came to.
#[derive(Debug)]
pub struct Audited {
    /// Whether nothing was under way any more.
    pub settled: bool,
    /// How many invariants were checked.
    pub invariants: usize,
    /// What does not hold, and who breaks it.
    pub broken: Vec<String>,
}

/// Checks that the books balance, as `cartwright audit` does, once nothing is under way or the wait is over.
///
/// # Errors
///
/// When a service does not answer.
pub async fn audit(keys: Keyring, network: Arc<dyn Network>, wait: Duration) -> anyhow::Result<Audited> {
    let report = audit::check(&Operator::simulated(keys, network), Scope::Everything, wait).await?;
    let broken = report.findings.iter().flat_map(|finding| {
        let names = finding.offenders.iter();
        names.map(|offender| {
            format!("{} {}: {}: {offender}", finding.number, finding.scope, finding.invariant)
        })
    });
    Ok(Audited { settled: report.settled, invariants: report.findings.len(), broken: broken.collect() })
}
