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
    /// What stands in the column at fault, cut where it is long; empty where the whole row is.
    pub(crate) value: String,
}

/// Why a row cannot be taken over, and what stands in the column at fault.
type Fault<'a> = (&'static str, &'a str);

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

/// How dates may be written, as chrono reads them: as databases do, to the second or the minute, and as the data set's own
/// spreadsheet does, the month first.
const DATES: [&str; 4] = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%m/%d/%Y %H:%M"];
/// The same for people.
pub(crate) const DATES_IN_WORDS: &str =
    "2010-12-01 08:26:00, 2010-12-01T08:26:00, 2010-12-01 08:26 or, the month first, 12/1/2010 8:26";
/// Why a row whose date is written otherwise is refused.
pub(crate) const DATE_UNREADABLE: &str = "DATE_UNREADABLE";
/// The columns of the data set.
const COLUMNS: [&str; 8] = [
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
];
/// The most units of one row, as the contract has it.
const QUANTITY_MAX: i64 = 1_000_000;
/// The longest text taken from a column.
const TEXT_MAX: usize = 200;
/// The most that is shown of what could not be read.
const SHOWN_MAX: usize = 60;
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
    if let Some(lacking) = COLUMNS.iter().find(|column| !headers.iter().any(|header| header == **column)) {
        anyhow::bail!(
            "{} is not a file of the Online Retail data set: its first line names no column {lacking} (they are {})",
            path.display(),
            COLUMNS.join(", ")
        );
    }
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
                    value: String::new(),
                });
                continue;
            }
        }
        let raw: Raw = record.deserialize(Some(&headers)).with_context(|| format!("reading line {line}"))?;
        match parse(&raw, line, pounds) {
            Ok(row) => rows.sound.push(row),
            Err((reason, value)) => rows.refused.push(Refused {
                line,
                invoice: raw.invoice.clone(),
                sku: raw.sku.clone(),
                reason,
                value: value.chars().take(SHOWN_MAX).collect(),
            }),
        }
    }
}

fn parse(raw: &Raw, line: u64, currency: Currency) -> Result<Row, Fault<'_>> {
    let text = |text: &str| text.trim().chars().take(TEXT_MAX).collect::<String>();
    let time = date(raw.date.trim()).ok_or((DATE_UNREADABLE, raw.date.as_str()))?;
    let invoice = text(&raw.invoice);
    let sku = text(&raw.sku);
    if invoice.is_empty() || invoice.len() > 64 {
        return Err(("INVOICE_UNREADABLE", &raw.invoice));
    }
    if sku.is_empty() || sku.len() > 64 {
        return Err(("STOCK_CODE_UNREADABLE", &raw.sku));
    }
    let quantity: i64 = raw.quantity.trim().parse().map_err(|_| ("QUANTITY_UNREADABLE", &*raw.quantity))?;
    if quantity.checked_abs().is_none_or(|quantity| quantity > QUANTITY_MAX) {
        return Err(("QUANTITY_TOO_LARGE", &raw.quantity));
    }
    let price = Money::parse(raw.price.trim(), currency).map_err(|_| ("PRICE_UNREADABLE", &*raw.price))?;
    Ok(Row {
        line,
        invoice,
        sku,
        description: text(&raw.description),
        quantity,
        time,
        price,
        // The file writes customer numbers as decimals: 17850.0.
        customer: text(&raw.customer).trim_end_matches(".0").to_owned(),
        country: text(&raw.country),
    })
}

fn date(text: &str) -> Option<Timestamp> {
    let time = DATES.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())?;
    Some(Timestamp::from_micros(time.and_utc().timestamp_micros()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_reads_the_same_however_it_is_written() {
        let wanted = date("2010-12-01 08:26:00");
        assert!(wanted.is_some());
        for text in ["2010-12-01T08:26:00", "2010-12-01 08:26", "12/1/2010 8:26", "12/01/2010 08:26"] {
            assert_eq!(date(text), wanted, "{text}");
        }
        for text in ["01.12.2010 08:26", "13/1/2010 8:26", "2010-12-01", "40513.35", ""] {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn a_refused_row_shows_what_could_not_be_read() {
        let pounds: Currency = "GBP".parse().expect("a currency");
        let raw = |date: &str, quantity: &str, price: &str| Raw {
            invoice: "1".into(),
            sku: "A".into(),
            description: "Cup".into(),
            quantity: quantity.into(),
            date: date.into(),
            price: price.into(),
            customer: "17850.0".into(),
            country: "United Kingdom".into(),
        };
        let now = "2010-12-01 08:26:00";
        for (raw, fault) in [
            (raw("31.12.2010", "1", "1"), ("DATE_UNREADABLE", "31.12.2010")),
            (raw(now, "one", "1"), ("QUANTITY_UNREADABLE", "one")),
            (raw(now, "1000001", "1"), ("QUANTITY_TOO_LARGE", "1000001")),
            (raw(now, "1", "1.005"), ("PRICE_UNREADABLE", "1.005")),
        ] {
            assert_eq!(parse(&raw, 2, pounds).map(drop), Err(fault));
        }
        assert_eq!(parse(&raw(now, "1", "1"), 2, pounds).expect("sound").customer, "17850");
    }
}
