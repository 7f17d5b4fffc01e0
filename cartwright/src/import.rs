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
    /// customer. Dates are written as 2010-12-01 08:26:00. Cancellations become returns of the purchase they belong to, where the file has it. Rows that cannot be
    /// taken over are listed with the reason. Importing the same file again changes nothing.
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
        anyhow::ensure!(
            !plan.orders.is_empty(),
            "{} holds nothing to take over: {} rows, all refused",
            import.file.display(),
            plan.refused.len()
        );
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
