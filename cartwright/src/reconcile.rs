//! `cartwright reconcile`: our books against what a channel states of a day.
use std::process::ExitCode;

use chassis::Money;
use chassis::config::Settings;
use clap::Args;
use contract::payment::v1::reconciliation_service_client::ReconciliationServiceClient;
use contract::payment::v1::{
    ListReconciliationBreaksRequest, Reconciliation, ReconciliationBreak, RunReconciliationRequest,
};
use serde::Serialize;

use crate::operator::Operator;

/// Compares our books with what a channel states of a day, and names what differs. Ends with 1 where something does.
#[derive(Args)]
pub(crate) struct Reconcile {
    /// The channel.
    #[arg(long, default_value = "sandbox")]
    channel: String,
    /// The day in UTC, such as 2026-11-20; yesterday where not said.
    #[arg(long, default_value = "")]
    day: String,
    /// Prints the report as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// A report, as it is printed.
#[derive(Serialize)]
struct Shown {
    name: String,
    channel: String,
    day: String,
    operations: i64,
    break_count: i64,
    totals: Vec<Total>,
    breaks: Vec<Row>,
}

/// What both sides add up to.
#[derive(Serialize)]
struct Total {
    captured: String,
    channel_captured: String,
    refunded: String,
    channel_refunded: String,
}

/// A break, as it is printed.
#[derive(Serialize)]
struct Row {
    kind: &'static str,
    operation: String,
    operation_key: String,
    channel_reference: String,
    order: String,
    payment: String,
    amount: String,
    channel_amount: String,
    status: String,
}

impl Reconcile {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let operator = Operator::new(&self.settings)?;
        let mut reconciler = ReconciliationServiceClient::new(operator.channel("payment")?);
        let request = RunReconciliationRequest { channel: self.channel, day: self.day };
        let report = reconciler.run_reconciliation(operator.ask(request)).await?.into_inner();
        let (mut breaks, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListReconciliationBreaksRequest {
                parent: report.name.clone(),
                page_size: 1000,
                page_token,
                show_resolved: false,
            };
            let page = reconciler.list_reconciliation_breaks(operator.ask(request)).await?.into_inner();
            breaks.extend(page.reconciliation_breaks.into_iter().map(Row::from));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        let shown = Shown::of(report, breaks);
        if self.json {
            say!("{}", serde_json::to_string_pretty(&shown)?);
        } else {
            shown.tell();
        }
        Ok(if shown.break_count == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Shown {
    fn of(report: Reconciliation, breaks: Vec<Row>) -> Shown {
        let total = |total: contract::payment::v1::ReconciliationTotal| Total {
            captured: amount(total.captured.as_ref()),
            channel_captured: amount(total.channel_captured.as_ref()),
            refunded: amount(total.refunded.as_ref()),
            channel_refunded: amount(total.channel_refunded.as_ref()),
        };
        Shown {
            name: report.name,
            channel: report.channel,
            day: report.day,
            operations: report.operation_count,
            break_count: report.break_count,
            totals: report.totals.into_iter().map(total).collect(),
            breaks,
        }
    }

    fn tell(&self) {
        say!("{:<9} {:>20} {:>20}", self.day, "our books", self.channel);
        for total in &self.totals {
            say!("{:<9} {:>20} {:>20}", "captured", total.captured, total.channel_captured);
            say!("{:<9} {:>20} {:>20}", "refunded", total.refunded, total.channel_refunded);
        }
        for row in &self.breaks {
            say!("{:<9} {:>20} {:>20}  {}", row.operation, row.amount, row.channel_amount, row.kind);
            let known = [&row.status, &row.order, &row.payment, &row.operation_key, &row.channel_reference];
            let known: Vec<&str> =
                known.into_iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
            say!("    {}", known.join(" "));
        }
        match self.break_count {
            0 => say!("{} operations, and both sides say the same.", self.operations),
            some => say!("{} operations, and {some} of them differ: {}.", self.operations, self.name),
        }
    }
}

impl From<ReconciliationBreak> for Row {
    fn from(found: ReconciliationBreak) -> Row {
        Row {
            kind: found.kind().as_str_name().trim_start_matches("KIND_"),
            operation: found.operation,
            operation_key: found.operation_key,
            channel_reference: found.channel_reference,
            order: found.order,
            payment: found.payment,
            amount: amount(found.amount.as_ref()),
            channel_amount: amount(found.channel_amount.as_ref()),
            status: found.status,
        }
    }
}

/// An amount as people write it; a dash where a side says nothing.
fn amount(amount: Option<&contract::Money>) -> String {
    let amount = amount.and_then(|amount| Money::try_from(amount).ok());
    amount.map_or_else(|| "-".to_owned(), |amount| amount.to_string())
}
