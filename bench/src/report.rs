//! The results: a table to read, JSON to compare, a chart to look at.
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context;
use plotters::prelude::*;
use serde::Serialize;

use crate::load::Outcome;

/// Everything one run has measured.
#[derive(Serialize)]
pub(crate) struct Report {
    /// How long each stage took.
    seconds: u64,
    rows: Vec<Row>,
    ratios: Vec<Ratio>,
    /// Resident memory at the end, in MiB, by process.
    pub(crate) memory: BTreeMap<String, f64>,
}

/// One stage.
#[derive(Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) clients: u16,
    /// Calls that succeeded.
    pub(crate) calls: usize,
    /// Calls that succeeded in a second.
    pub(crate) rate: f64,
    /// The same, counting the time until everything that follows from them had happened.
    pub(crate) settled_rate: Option<f64>,
    p50_ms: f64,
    p99_ms: f64,
    /// CPU seconds for a thousand calls, by process; the client's own are left out.
    cpu: BTreeMap<String, f64>,
    refused: BTreeMap<String, u64>,
}

/// How two stages of one run compare.
#[derive(Serialize)]
struct Ratio {
    what: String,
    ratio: f64,
}

impl Row {
    /// What a stage came to; `before` and `after` are the CPU seconds of all processes at its ends.
    pub(crate) fn of(
        name: &str,
        clients: u16,
        outcome: &Outcome,
        before: &BTreeMap<String, f64>,
        after: &BTreeMap<String, f64>,
    ) -> Row {
        let calls = outcome.latencies.len();
        let used = |(name, after): (&String, &f64)| {
            let before = before.get(name).copied().unwrap_or_default();
            (name.clone(), (after - before) * 1_000.0 / calls.max(1) as f64)
        };
        Row {
            name: name.to_owned(),
            clients,
            calls,
            rate: outcome.rate(),
            settled_rate: None,
            p50_ms: outcome.percentile(50),
            p99_ms: outcome.percentile(99),
            cpu: after.iter().map(used).collect(),
            refused: outcome.refused.clone(),
        }
    }

    fn cpu_sum(&self) -> f64 {
        self.cpu.values().sum()
    }
}

impl Report {
    pub(crate) fn new(seconds: u64) -> Report {
        Report { seconds, rows: Vec::new(), ratios: Vec::new(), memory: BTreeMap::new() }
    }

    /// Takes a stage down, and tells it at once.
    pub(crate) fn add(&mut self, row: Row) {
        eprintln!("  {:.0}/s, p50 {:.2} ms, p99 {:.2} ms", row.rate, row.p50_ms, row.p99_ms);
        self.rows.push(row);
    }

    fn rate(&self, name: &str, clients: u16) -> Option<f64> {
        self.rows.iter().find(|row| row.name == name && row.clients == clients).map(|row| row.rate)
    }

    fn compare(&mut self) {
        let mut ratios = Vec::new();
        let mut compare = |row: &Row, other: &str| {
            if let Some(rate) = self.rate(other, row.clients) {
                let what = format!("{} / {other}, {} clients", row.name, row.clients);
                ratios.push(Ratio { what, ratio: row.rate / rate });
            }
        };
        for row in &self.rows {
            match row.name.as_str() {
                "orders of 3 goods" => compare(row, "limit, pipelined"),
                "orders of one SKU" => {
                    compare(row, "limit, pipelined, one SKU");
                    compare(row, "orders of 3 goods");
                }
                name if name.starts_with("product") || name.starts_with("search") => {
                    compare(row, "bare echo")
                }
                _ => {}
            }
        }
        let grown: Vec<&Row> =
            self.rows.iter().filter(|row| row.name.starts_with(crate::grow::NAME)).collect();
        if let (Some(first), [_, .., last]) = (grown.first(), grown.as_slice()) {
            ratios.push(Ratio {
                what: format!("{} / {}", last.name, first.name),
                ratio: last.rate / first.rate,
            });
        }
        self.ratios = ratios;
    }

    /// Prints the table.
    pub(crate) fn print(&mut self) {
        self.compare();
        println!(
            "{:<34} {:>7} {:>9} {:>9} {:>10} {:>10} {:>12}",
            "", "clients", "calls/s", "settled/s", "p50 ms", "p99 ms", "CPU s/1,000"
        );
        for row in &self.rows {
            let settled = row.settled_rate.map(|rate| format!("{rate:.0}")).unwrap_or_default();
            println!(
                "{:<34} {:>7} {:>9.0} {settled:>9} {:>10.2} {:>10.2} {:>12.3}",
                row.name,
                row.clients,
                row.rate,
                row.p50_ms,
                row.p99_ms,
                row.cpu_sum()
            );
            for (why, count) in &row.refused {
                println!("{:<34} {count} not served: {why}", "");
            }
        }
        println!("\nRatios");
        for Ratio { what, ratio } in &self.ratios {
            println!("{what:<60} {ratio:.3}");
        }
        if let Some(row) = self.rows.iter().rfind(|row| row.name == "orders of 3 goods") {
            println!("\nCPU seconds for 1,000 orders, {} clients", row.clients);
            for (name, seconds) in &row.cpu {
                println!("{name:<16} {seconds:.3}");
            }
        }
        if !self.memory.is_empty() {
            println!("\nMemory in MiB");
            for (name, mebibytes) in &self.memory {
                println!("{name:<16} {mebibytes:.0}");
            }
        }
    }

    /// Writes `bench.json` and `bench.svg`.
    pub(crate) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        fs::write(folder.join("bench.json"), serde_json::to_vec_pretty(self)?)?;
        self.draw(&folder.join("bench.svg"))?;
        println!("\nWritten to {}", folder.display());
        Ok(())
    }

    /// Orders a second by the number of clients: one line for each kind of order.
    fn draw(&self, file: &Path) -> anyhow::Result<()> {
        const LINES: [(&str, RGBColor); 5] = [
            ("limit, statement by statement", RGBColor(170, 170, 170)),
            ("limit, pipelined", RGBColor(90, 90, 90)),
            ("limit, pipelined, one SKU", RGBColor(222, 165, 90)),
            ("orders of 3 goods", RGBColor(30, 100, 200)),
            ("orders of one SKU", RGBColor(200, 60, 60)),
        ];
        let shown = |row: &&Row| LINES.iter().any(|(name, _)| *name == row.name);
        let most = self.rows.iter().filter(shown).map(|row| row.clients).max().unwrap_or(1);
        let top = self.rows.iter().filter(shown).map(|row| row.rate).fold(1.0, f64::max) * 1.1;
        let area = SVGBackend::new(file, (900, 520)).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption("Orders a second, by clients at once", ("sans-serif", 20))
            .margin(20)
            .x_label_area_size(40)
            .y_label_area_size(60)
            .build_cartesian_2d((1.0..f64::from(most.max(2))).log_scale(), 0.0..top)?;
        chart.configure_mesh().x_desc("clients").y_desc("orders/s").draw()?;
        for (name, colour) in LINES {
            let points: Vec<(f64, f64)> = self
                .rows
                .iter()
                .filter(|row| row.name == name)
                .map(|row| (f64::from(row.clients), row.rate))
                .collect();
            if points.is_empty() {
                continue;
            }
            chart
                .draw_series(LineSeries::new(points, colour.stroke_width(2)).point_size(3))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(2)));
        }
        chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
        area.present()?;
        Ok(())
    }
}
