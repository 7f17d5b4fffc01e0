//! A month of a real retailer's orders goes through the shop and comes out right, to the penny.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use e2e::{Installation, Setting};
use serde_json::Value;

/// The file and its known answers, kept beside the checkout where they are kept at all.
fn data() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2)?.join("shared/data");
    let there = folder.join("online-retail-2010-12.csv.gz").exists();
    if !there {
        eprintln!("skipped: {} holds no online-retail-2010-12.csv.gz", folder.display());
    }
    there.then_some(folder)
}

#[tokio::test]
async fn a_month_of_orders_comes_out_right_on_sqlite() -> anyhow::Result<()> {
    a_month_of_orders_comes_out_right(Setting::Embedded).await
}

#[tokio::test]
async fn a_month_of_orders_comes_out_right_on_servers() -> anyhow::Result<()> {
    a_month_of_orders_comes_out_right(Setting::OneProcess).await
}

async fn a_month_of_orders_comes_out_right(setting: Setting) -> anyhow::Result<()> {
    let Some(folder) = data() else { return Ok(()) };
    let Some(shop) = Installation::start(setting).await? else { return Ok(()) };
    let known = Known::read(&folder)?;
    let file = folder.join("online-retail-2010-12.csv.gz");
    let arguments = ["import", "online-retail", file.to_str().context("a path")?, "--json"];

    let (done, first) = shop.cartwright(&arguments).await?;
    assert!(done, "{first}\n{}", shop.logs());
    let first: Value = serde_json::from_str(&first)?;
    known.check(&first);
    assert_eq!(first["orders_made"], known.orders);
    shop.audit().await?;

    let (done, second) = shop.cartwright(&arguments).await?;
    assert!(done, "{second}");
    let second: Value = serde_json::from_str(&second)?;
    assert_eq!((&second["orders_made"], &second["products_made"]), (&Value::from(0), &Value::from(0)));
    for part in ["total", "by_country", "by_day", "refused"] {
        assert_eq!(second[part], first[part], "{part}");
    }
    shop.audit().await?;
    Ok(())
}

/// What the file's own page says comes out.
struct Known {
    orders: i64,
    lines: i64,
    units: i64,
    gross: String,
    by_country: BTreeMap<String, String>,
    by_day: BTreeMap<String, String>,
}

impl Known {
    fn read(folder: &Path) -> anyhow::Result<Self> {
        let page = std::fs::read_to_string(folder.join("README.md"))?;
        let figure = |name: &str| {
            let row =
                page.lines().find(|line| line.starts_with(&format!("| {name}"))).context(name.to_owned())?;
            let value = row.split('|').nth(2).context("a value")?.trim();
            anyhow::Ok(value.split(' ').next().context("a figure")?.replace(',', ""))
        };
        Ok(Known {
            orders: figure("invoices with")?.parse()?,
            lines: figure("rows (order lines)")?.parse()?,
            units: figure("units")?.parse()?,
            gross: figure("gross, GBP")?,
            by_country: table(&page, "| country | gross |"),
            by_day: table(&page, "| day | gross |"),
        })
    }

    fn check(&self, summary: &Value) {
        let total = &summary["total"][0];
        assert_eq!(total["orders"], self.orders);
        assert_eq!(total["lines"], self.lines);
        assert_eq!(total["units"], self.units);
        assert_eq!(total["gross"], self.gross.as_str());
        assert_eq!(by_key(&summary["by_country"]), self.by_country);
        assert_eq!(by_key(&summary["by_day"]), self.by_day);
        let refused = summary["refused"].as_array().expect("a list");
        // 273 rows that sell nothing, and the cancellations whose purchase the file does not have.
        assert!(refused.len() > 273, "{}", refused.len());
        assert!(refused.iter().all(|row| row["line"].as_u64() > Some(1) && row["reason"].is_string()));
        assert_ne!(total["returned"], "0.00", "no cancellation became a return");
    }
}

fn by_key(rows: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    rows.as_array().into_iter().flatten().map(|row| (text(&row["key"]), text(&row["gross"]))).collect()
}

fn table(page: &str, header: &str) -> BTreeMap<String, String> {
    let rows =
        page.lines().skip_while(|line| *line != header).skip(2).take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.split('|').map(str::trim).map(String::from).collect::<Vec<_>>());
    cells.map(|cells| (cells[1].clone(), cells[2].clone())).collect()
}
