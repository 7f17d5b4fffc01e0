//! `cartwright import`: taking over what happened elsewhere.

mod file;
mod load;
mod plan;
mod summary;

use std::path::PathBuf;
use std::process::ExitCode;

use chassis::config::Settings;
use clap::{Args, Subcommand};

use crate::operator::Operator;

/// Takes over products, stock and orders from elsewhere.
#[derive(Subcommand)]
pub(crate) enum Import {
    /// Takes over a file of the UCI "Online Retail" data set: CSV, plain or gzipped.
    ///
    /// Each invoice becomes an order with its prices and times; each stock code a product; each customer number a
    /// customer. Cancellations become returns of the purchase they belong to, where the file has it. Rows that cannot be
    /// taken over are listed with the reason and what stands there. Importing the same file again changes nothing.
    #[command(after_help = format!(
        "Columns: InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice (pounds), CustomerID, Country.\n\
         Dates:   {}.",
        file::DATES_IN_WORDS
    ))]
    OnlineRetail(Box<OnlineRetail>),
}

/// The file to take over.
#[derive(Args)]
pub(crate) struct OnlineRetail {
    /// The file.
    file: PathBuf,
    /// Prints the closing summary as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings,
}

impl Import {
    pub(crate) fn settings(&self) -> &Settings {
        let Import::OnlineRetail(import) = self;
        &import.settings
    }

    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let Import::OnlineRetail(import) = self;
        let operator = Operator::new(&import.settings)?;
        let rows = file::read(&import.file)?;
        let plan = plan::Plan::of(rows);
        if plan.orders.is_empty() {
            let first = plan.refused.first();
            let which = first
                .map(|row| format!(", the first in line {}: {} {:?}", row.line, row.reason, row.value))
                .unwrap_or_default();
            let dates = match first.is_some_and(|row| row.reason == file::DATE_UNREADABLE) {
                true => format!(" (dates are written as {})", file::DATES_IN_WORDS),
                false => String::new(),
            };
            anyhow::bail!(
                "{} holds nothing to take over: {} rows, all refused{which}{dates}",
                import.file.display(),
                plan.refused.len(),
            );
        }
        let outcome = load::load(&operator, &plan).await?;
        let summary = summary::read_back(&operator, &plan, outcome).await?;
        if import.json {
            say!("{}", serde_json::to_string_pretty(&summary)?);
        } else {
            summary.print();
        }
        Ok(ExitCode::SUCCESS)
    }
}
