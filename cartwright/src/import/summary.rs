//! The closing summary: read back from the services' own reports, so that it says what they hold and not what was sent.
use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use chassis::Money;
use contract::analytics::v1::analytics_service_client::AnalyticsServiceClient;
use contract::analytics::v1::{GetSalesReportRequest, SalesRow, get_sales_report_request::GroupBy};
use serde::Serialize;

use super::file::{DATES_IN_WORDS, Refused};
use super::load::Outcomes;
use super::plan::Plan;
use crate::operator::Operator;

const DAY: Duration = Duration::from_secs(86_400);

/// What the shop holds of the file's time.
#[derive(Serialize)]
pub(crate) struct Summary {
    products: usize,
    products_made: usize,
    orders_made: usize,
    orders_unchanged: usize,
    total: Vec<Sales>,
    by_country: Vec<Sales>,
    by_day: Vec<Sales>,
    refused_by_reason: BTreeMap<&'static str, usize>,
    refused: Vec<Refused>,
}

/// A row of the sales report.
#[derive(Serialize)]
struct Sales {
    key: String,
    currency: String,
    orders: i64,
    lines: i64,
    units: i64,
    gross: String,
    returned: String,
    returned_units: i64,
}

/// Asks analytics for the sales of the file's time.
pub(crate) async fn read_back(
    operator: &Operator,
    plan: &Plan,
    outcomes: Outcomes,
) -> anyhow::Result<Summary> {
    let mut refused = plan.refused.clone();
    refused.extend(outcomes.refused);
    let mut refused_by_reason = BTreeMap::new();
    for row in &refused {
        *refused_by_reason.entry(row.reason).or_default() += 1;
    }
    Ok(Summary {
        products: plan.products.len(),
        products_made: outcomes.products_made,
        orders_made: outcomes.orders_made,
        orders_unchanged: outcomes.orders_unchanged,
        total: sales(operator, plan, GroupBy::Total).await?,
        by_country: sales(operator, plan, GroupBy::Country).await?,
        by_day: sales(operator, plan, GroupBy::Day).await?,
        refused_by_reason,
        refused,
    })
}

async fn sales(operator: &Operator, plan: &Plan, group_by: GroupBy) -> anyhow::Result<Vec<Sales>> {
    let times = plan.orders.iter().map(|order| order.time);
    let (Some(first), Some(last)) = (times.clone().min(), times.max()) else { return Ok(Vec::new()) };
    let request = GetSalesReportRequest {
        start_time: Some(first.into()),
        end_time: Some(last.plus(Duration::from_micros(1)).into()),
        group_by: group_by.into(),
    };
    anyhow::ensure!(
        last.since(first) < 366 * DAY,
        "the file spans more than a year; a report does not: import it in parts"
    );
    let mut analytics = AnalyticsServiceClient::new(operator.channel("analytics")?);
    let report =
        analytics.get_sales_report(operator.ask(request)).await.context("reading the sales report")?;
    report.into_inner().rows.into_iter().map(Sales::try_from).collect()
}

impl TryFrom<SalesRow> for Sales {
    type Error = anyhow::Error;

    fn try_from(row: SalesRow) -> anyhow::Result<Self> {
        let decimal = |money: Option<contract::Money>| {
            let money = money.as_ref().context("the report lacks an amount")?;
            anyhow::Ok(Money::try_from(money)?.decimal())
        };
        Ok(Sales {
            key: row.key,
            currency: row.currency_code,
            orders: row.orders,
            lines: row.lines,
            units: row.units,
            gross: decimal(row.gross)?,
            returned: decimal(row.returned)?,
            returned_units: row.returned_units,
        })
    }
}

impl Summary {
    /// Prints it as tables.
    pub(crate) fn print(&self) {
        say!(
            "{} products ({} new), {} orders new, {} there already",
            self.products,
            self.products_made,
            self.orders_made,
            self.orders_unchanged
        );
        for (title, rows) in
            [("In all", &self.total), ("By country", &self.by_country), ("By day", &self.by_day)]
        {
            say!(
                "\n{title:<22} {:>7} {:>7} {:>9} {:>14} {:>13}",
                "orders",
                "lines",
                "units",
                "gross",
                "returned"
            );
            for row in rows {
                say!(
                    "{:<22} {:>7} {:>7} {:>9} {:>10} {} {:>13}",
                    row.key,
                    row.orders,
                    row.lines,
                    row.units,
                    row.gross,
                    row.currency,
                    row.returned
                );
            }
        }
        say!("\n{} rows refused", self.refused.len());
        for (reason, count) in &self.refused_by_reason {
            say!("  {count:>5}  {reason}");
        }
        if self.refused_by_reason.contains_key("DATE_UNREADABLE") {
            say!("  Dates are read that are written as {DATES_IN_WORDS}.");
        }
        for row in &self.refused {
            say!(
                "  line {:<6} invoice {:<8} stock code {:<14} {} {:?}",
                row.line,
                row.invoice,
                row.sku,
                row.reason,
                row.value
            );
        }
    }
}
