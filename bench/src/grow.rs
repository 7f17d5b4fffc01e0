//! Growth: orders are placed again after many are stored.
//!
//! Stored orders are copies of real ones: what each service keeps of them is copied as often as needed, with ids of
//! their own, so that every table and every index grows as it would by trade.
use std::ops::Range;

use anyhow::{Context, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use tokio_postgres::Client;

use crate::checkout;
use crate::load::Load;
use crate::report::Report;
use crate::shop::Shop;

/// How these stages are called.
pub(crate) const NAME: &str = "orders, stored:";
/// How many clients place orders then.
pub(crate) const CLIENTS: u16 = 32;
/// The number of a copy is the first three digits of its ids.
const COPIES_MAX: u64 = 0x1000;
/// Orders copied by one statement.
const AT_ONCE: u64 = 20_000;
/// How many databases are filled at the same time.
const DATABASES_AT_ONCE: usize = 2;
/// Tables that grow with the goods or the customers, or are looked at from their own end only.
const NOT_COPIED: [&str; 5] = ["seaql_migrations", "lease", "caught_mail", "search_feed", "bought_together"];
/// A UUID, with or without dashes, without its first three digits and its version.
const ID: &str = "[0-9a-f]{3}([0-9a-f]{5}-?[0-9a-f]{4}-?)[0-9a-f]([0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12})";
/// The version of copied ids, which no other has.
const VERSION: char = 'e';
/// Stands for three digits of an id, and nowhere else.
const PLACE: &str = "CHR(1)";

/// Measures orders after each number of stored ones.
pub(crate) async fn measure(
    load: &Load,
    shop: &mut Shop,
    stored: &[u64],
    report: &mut Report,
) -> anyhow::Result<()> {
    let Some(first) = stored.iter().copied().find(|wanted| *wanted > 0) else { return Ok(()) };
    let mut copies = None;
    for &wanted in stored.iter().filter(|wanted| **wanted > 0) {
        // The first are placed, the others are copies of theirs.
        while u64::try_from(shop.orders().await?)? < wanted.min(first) {
            checkout::once("first orders", load, shop, CLIENTS).await?;
        }
        shop.settle().await?;
        let there = u64::try_from(shop.orders().await?)?;
        if wanted > there {
            eprintln!("storing {wanted} orders");
            let copies = copies.get_or_insert(Copies { originals: there, made: 0 });
            copies.grow(shop, wanted - there).await?;
            // What was copied is not in memory yet as it is where orders come in all the time.
            checkout::once("warm up", load, shop, CLIENTS).await?;
        }
        report.add(checkout::once(&format!("{NAME} {wanted}"), load, shop, CLIENTS).await?);
    }
    Ok(())
}

/// Copies of the first orders.
struct Copies {
    /// How many orders are copied each time.
    originals: u64,
    /// How often they were copied.
    made: u64,
}

impl Copies {
    /// Makes so many orders more, or a few beyond.
    async fn grow(&mut self, shop: &Shop, orders: u64) -> anyhow::Result<()> {
        let numbers = self.made..self.made + orders.div_ceil(self.originals);
        ensure!(
            numbers.end <= COPIES_MAX,
            "{} orders cannot be copied {} times: more real ones are needed",
            self.originals,
            numbers.end
        );
        self.made = numbers.end;
        let databases = stream::iter(chassis::config::NOUNS).map(|noun| {
            let (database, numbers, originals) = (shop.database(noun), numbers.clone(), self.originals);
            async move { fill(database, originals, &numbers).await.with_context(|| noun) }
        });
        databases.buffer_unordered(DATABASES_AT_ONCE).try_collect::<()>().await
    }
}

/// Fills a database with these copies, and leaves it as if it had grown slowly: what is left to tidy up would be done while
/// we measure.
async fn fill(database: &Client, originals: u64, numbers: &Range<u64>) -> anyhow::Result<()> {
    database
        .batch_execute(
            "SET session_replication_role = replica; SET synchronous_commit = off;
             SET maintenance_work_mem = '256MB'",
        )
        .await?;
    for table in tables(database, originals).await? {
        let indexes = indexes(database, &table).await?;
        for (name, _) in &indexes {
            database.batch_execute(&format!("DROP INDEX {name}")).await?;
        }
        fill_table(database, &table, originals, numbers).await.with_context(|| table.clone())?;
        for (_, definition) in &indexes {
            database.batch_execute(definition).await?;
        }
        // Alone: it takes no part in a transaction.
        database.batch_execute(&format!("VACUUM (ANALYZE) \"{table}\"")).await?;
    }
    database.batch_execute("RESET ALL").await?;
    Ok(database.batch_execute("CHECKPOINT").await?)
}

async fn fill_table(
    database: &Client,
    table: &str,
    originals: u64,
    numbers: &Range<u64>,
) -> anyhow::Result<()> {
    let columns = columns(database, table).await?;
    let list = |form: &dyn Fn(&Column) -> String| columns.iter().map(form).collect::<Vec<_>>().join(", ");
    // What was there before the first copy, and stays that: a copy is not copied.
    let (names, prepared) = (list(&Column::quoted), list(&Column::prepared));
    database
        .batch_execute(&format!(
            "CREATE TEMP TABLE IF NOT EXISTS \"original_{table}\" AS SELECT {prepared} FROM \"{table}\""
        ))
        .await?;
    let copies = list(&Column::copied);
    let at_once = (AT_ONCE / originals).max(1);
    for first in numbers.clone().step_by(usize::try_from(at_once)?) {
        let last = (first + at_once).min(numbers.end) - 1;
        let sql = format!(
            "INSERT INTO \"{table}\" ({names})
             SELECT {copies} FROM \"original_{table}\", generate_series({first}, {last}) copy
             ON CONFLICT DO NOTHING"
        );
        database.batch_execute(&sql).await.with_context(|| sql)?;
    }
    Ok(())
}

/// Indexes that a table can do without while it is filled, each with the statement that makes it again. Those of a part of
/// the rows stay: they cost little, and the shop looks for its work by them.
async fn indexes(database: &Client, table: &str) -> anyhow::Result<Vec<(String, String)>> {
    let sql = "SELECT indexrelid::REGCLASS::TEXT, pg_get_indexdef(indexrelid) FROM pg_index
               WHERE indrelid = $1::TEXT::REGCLASS AND NOT indisunique AND indpred IS NULL";
    let rows = database.query(sql, &[&table]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Tables with at least as many rows as there are orders: those that grow with them.
async fn tables(database: &Client, orders: u64) -> anyhow::Result<Vec<String>> {
    let all =
        database.query("SELECT tablename::TEXT FROM pg_tables WHERE schemaname = 'public'", &[]).await?;
    let mut growing = Vec::new();
    for table in
        all.iter().map(|row| row.get::<_, String>(0)).filter(|table| !NOT_COPIED.contains(&table.as_str()))
    {
        let rows: i64 = database.query_one(&format!("SELECT COUNT(*) FROM \"{table}\""), &[]).await?.get(0);
        if u64::try_from(rows)? * 10 >= orders * 9 {
            growing.push(table);
        }
    }
    Ok(growing)
}

/// A column that is written: the database numbers the others itself.
struct Column {
    name: String,
    kind: String,
    /// No two rows have the same in it.
    unique: bool,
}

async fn columns(database: &Client, table: &str) -> anyhow::Result<Vec<Column>> {
    let sql = "SELECT column_name::TEXT, data_type::TEXT,
                      EXISTS (SELECT 1 FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
                              WHERE indrelid = $1::TEXT::REGCLASS AND indisunique AND indnkeyatts = 1
                                AND attname = column_name)
               FROM information_schema.columns
               WHERE table_schema = 'public' AND table_name = $1 AND is_identity = 'NO' AND is_generated = 'NEVER'
                 AND COALESCE(column_default, '') NOT LIKE 'nextval%' ORDER BY ordinal_position";
    let rows = database.query(sql, &[&table]).await?;
    Ok(rows.iter().map(|row| Column { name: row.get(0), kind: row.get(1), unique: row.get(2) }).collect())
}

impl Column {
    fn quoted(&self) -> String {
        format!("\"{}\"", self.name)
    }

    fn is_text(&self) -> bool {
        ["text", "character varying"].contains(&self.kind.as_str())
    }

    /// The column of an original, with [`PLACE`] for the digits of the copy in each id: found once, and not in each copy.
    fn prepared(&self) -> String {
        let name = self.quoted();
        match self.is_text() {
            true => format!("REGEXP_REPLACE({name}, '{ID}', {PLACE} || '\\1{VERSION}\\2', 'g') AS {name}"),
            false => name,
        }
    }

    /// The column as it stands in copy number `copy`: ids in it are that copy's own, and so is what is unique without being
    /// one.
    fn copied(&self) -> String {
        const DIGITS: &str = "LPAD(TO_HEX(copy), 3, '0')";
        let name = self.quoted();
        let placed = format!("REPLACE({name}, {PLACE}, {DIGITS})");
        match self.kind.as_str() {
            "uuid" => format!(
                "({DIGITS} || SUBSTRING({name}::TEXT FROM 4 FOR 11) || '{VERSION}' || SUBSTRING({name}::TEXT FROM 16))::UUID"
            ),
            _ if self.is_text() && self.unique => {
                format!("CASE WHEN STRPOS({name}, {PLACE}) > 0 THEN {placed} ELSE {name} || {DIGITS} END")
            }
            _ if self.is_text() => placed,
            _ => name,
        }
    }
}
