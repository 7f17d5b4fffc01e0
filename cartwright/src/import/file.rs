//! The rows of a file of the "Online Retail" data set.
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use anyhow::Context;
use chassis::{Currency, Money, Timestamp};
use chrono::NaiveDateTime;
use flate2::read::MultiGzDecoder;
use serde::Deserialize;

/// A row as it stands in the file, with the line it stands on (the header is line 1).
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) line: u64,
    pub(crate) invoice: String,
    pub(crate) sku: String,
    pub(crate) description: String,
    pub(crate) quantity: i64,
    pub(crate) time: Timestamp,
    pub(crate) price: Money,
    pub(crate) customer: String,
    pub(crate) country: String,
}

/// A row that cannot be taken over.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct Refused {
    pub(crate) line: u64,
    pub(crate) invoice: String,
    pub(crate) sku: String,
    pub(crate) reason: &'static str,
}

/// What a file holds.
pub(crate) struct Rows {
    pub(crate) sound: Vec<Row>,
    pub(crate) refused: Vec<Refused>,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(rename = "InvoiceNo")]
    invoice: String,
    #[serde(rename = "StockCode")]
    sku: String,
    #[serde(rename = "Description")]
    description: String,
    #[serde(rename = "Quantity")]
    quantity: String,
    #[serde(rename = "InvoiceDate")]
    date: String,
    #[serde(rename = "UnitPrice")]
    price: String,
    #[serde(rename = "CustomerID")]
    customer: String,
    #[serde(rename = "Country")]
    country: String,
}

/// The most units of one row, as the contract has it.
const QUANTITY_MAX: i64 = 1_000_000;
/// The longest text taken from a column.
const TEXT_MAX: usize = 200;
/// The first two bytes of a gzip file (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Reads a file, gzipped or not: told by its first bytes.
pub(crate) fn read(path: &Path) -> anyhow::Result<Rows> {
    let open = || File::open(path).with_context(|| format!("opening {}", path.display()));
    let mut magic = Vec::new();
    open()?.take(2).read_to_end(&mut magic)?;
    let file = BufReader::new(open()?);
    let reader: Box<dyn Read> =
        if magic == GZIP { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut csv = csv::ReaderBuilder::new().from_reader(reader);
    let pounds: Currency = "GBP".parse()?;
    let mut rows = Rows { sound: Vec::new(), refused: Vec::new() };
    let headers = csv.headers().context("reading the header")?.clone();
    let mut record = csv::StringRecord::new();
    loop {
        let line = csv.position().line();
        match csv.read_record(&mut record) {
            Ok(false) => return Ok(rows),
            Ok(true) => {}
            Err(error) if error.is_io_error() => return Err(error).context("reading the file"),
            Err(_) => {
                rows.refused.push(Refused {
                    line,
                    invoice: String::new(),
                    sku: String::new(),
                    reason: "MALFORMED",
                });
                continue;
            }
        }
        let raw: Raw = record.deserialize(Some(&headers)).with_context(|| {
            format!(
                "{} is not a file of the Online Retail data set: line {line} lacks a column",
                path.display()
            )
        })?;
        match parse(&raw, line, pounds) {
            Ok(row) => rows.sound.push(row),
            Err(reason) => rows.refused.push(Refused { line, invoice: raw.invoice, sku: raw.sku, reason }),
        }
    }
}

fn parse(raw: &Raw, line: u64, currency: Currency) -> Result<Row, &'static str> {
    let text = |text: &str| text.trim().chars().take(TEXT_MAX).collect::<String>();
    let time =
        NaiveDateTime::parse_from_str(raw.date.trim(), "%Y-%m-%d %H:%M:%S").map_err(|_| "DATE_UNREADABLE")?;
    let invoice = text(&raw.invoice);
    let sku = text(&raw.sku);
    if invoice.is_empty() || invoice.len() > 64 {
        return Err("INVOICE_UNREADABLE");
    }
    if sku.is_empty() || sku.len() > 64 {
        return Err("STOCK_CODE_UNREADABLE");
    }
    let quantity: i64 = raw.quantity.trim().parse().map_err(|_| "QUANTITY_UNREADABLE")?;
    if quantity.checked_abs().is_none_or(|quantity| quantity > QUANTITY_MAX) {
        return Err("QUANTITY_TOO_LARGE");
    }
    Ok(Row {
        line,
        invoice,
        sku,
        description: text(&raw.description),
        quantity,
        time: Timestamp::from_micros(time.and_utc().timestamp_micros()),
        price: Money::parse(raw.price.trim(), currency).map_err(|_| "PRICE_UNREADABLE")?,
        // The file writes customer numbers as decimals: 17850.0.
        customer: text(&raw.customer).trim_end_matches(".0").to_owned(),
        country: text(&raw.country),
    })
}
