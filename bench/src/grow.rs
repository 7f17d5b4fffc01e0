//! Growth: orders are placed again after many are stored.
//!
//! Stored orders are copies of real ones: what each service keeps of them is copied as often as needed, with ids of
//! their own, so that every table and every index grows as it would by trade.
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
/// Ids begin with the time they were made at; the first three digits change every two years. Copies get others.
const DIGITS: u64 = 0xfff;
/// Orders copied by one statement.
const AT_ONCE: u64 = 20_000;
/// How many databases are filled at the same time.
const DATABASES_AT_ONCE: usize = 2;
/// Tables that grow with the goods or the customers, or are looked at from their own end only.
const NOT_COPIED: [&str; 4] = ["seaql_migrations", "lease", "caught_mail", "search_feed"];

/// Measures orders after each number of stored ones.
pub(crate) async fn measure(
    load: &Load,
    shop: &mut Shop,
    stored: &[u64],
    report: &mut Report,
) -> anyhow::Result<()> {
    let Some(first) = stored.iter().copied().find(|wanted| *wanted > 0) else { return Ok(()) };
    for &wanted in stored.iter().filter(|wanted| **wanted > 0) {
        // The first are placed, the others are copies of theirs.
        while u64::try_from(shop.orders().await?)? < wanted.min(first) {
            checkout::once("first orders", load, shop, CLIENTS).await?;
        }
        shop.settle().await?;
        let there = u64::try_from(shop.orders().await?)?;
        if wanted > there {
            eprintln!("storing {wanted} orders");
            copy(shop, there, wanted).await?;
        }
        report.add(checkout::once(&format!("{NAME} {wanted}"), load, shop, CLIENTS).await?);
    }
    Ok(())
}

/// Copies what is there until so many orders are.
async fn copy(shop: &Shop, there: u64, wanted: u64) -> anyhow::Result<()> {
    let times = (wanted - there).div_ceil(there);
    ensure!(times < DIGITS, "{there} orders cannot be copied to {wanted}: more real ones are needed");
    let copies = Copies { there, times, now: now_digits() };
    let databases = stream::iter(chassis::config::NOUNS).map(|noun| {
        let (database, copies) = (shop.database(noun), &copies);
        async move { copies.fill(database).await.with_context(|| noun) }
    });
    databases.buffer_unordered(DATABASES_AT_ONCE).try_collect::<()>().await
}

/// Copies to make.
struct Copies {
    /// Orders there are.
    there: u64,
    /// How often each is copied.
    times: u64,
    now: String,
}

impl Copies {
    /// Fills a database, and leaves it as if it had grown slowly: what is left to tidy up would be done while we measure.
    async fn fill(&self, database: &Client) -> anyhow::Result<()> {
        database
            .batch_execute(
                "SET session_replication_role = replica; SET synchronous_commit = off;
                 SET maintenance_work_mem = '256MB'",
            )
            .await?;
        for table in tables(database, self.there).await? {
            let indexes = indexes(database, &table).await?;
            for (name, _) in &indexes {
                database.batch_execute(&format!("DROP INDEX \"{name}\"")).await?;
            }
            self.fill_table(database, &table).await.with_context(|| table.clone())?;
            for (_, definition) in &indexes {
                database.batch_execute(definition).await?;
            }
            // Alone: it takes no part in a transaction.
            database.batch_execute(&format!("VACUUM (ANALYZE) \"{table}\"")).await?;
        }
        database.batch_execute("RESET ALL").await?;
        Ok(database.batch_execute("CHECKPOINT").await?)
    }

    async fn fill_table(&self, database: &Client, table: &str) -> anyhow::Result<()> {
        let columns = columns(database, table).await?;
        let names = columns.iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
        let copies =
            columns.iter().map(|(name, kind)| copied(name, kind, &self.now)).collect::<Vec<_>>().join(", ");
        // Only what was there before: a copy is not copied.
        database
            .batch_execute(&format!("CREATE TEMP TABLE original AS SELECT {names} FROM \"{table}\""))
            .await?;
        let at_once = (AT_ONCE / self.there).max(1);
        for first in (0..self.times).step_by(usize::try_from(at_once)?) {
            let last = (first + at_once).min(self.times) - 1;
            let sql = format!(
                "INSERT INTO \"{table}\" ({names}) SELECT {copies} FROM original, generate_series({first}, {last}) copy
                 ON CONFLICT DO NOTHING"
            );
            database.batch_execute(&sql).await.with_context(|| sql)?;
        }
        Ok(database.batch_execute("DROP TABLE original").await?)
    }
}

/// Indexes that a table can do without while it is filled, each with the statement that makes it again.
async fn indexes(database: &Client, table: &str) -> anyhow::Result<Vec<(String, String)>> {
    let sql = "SELECT indexrelid::REGCLASS::TEXT, pg_get_indexdef(indexrelid) FROM pg_index
               WHERE indrelid = $1::TEXT::REGCLASS AND NOT indisunique";
    let rows = database.query(sql, &[&table]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// The first three digits of ids made today.
fn now_digits() -> String {
    uuid::Uuid::now_v7().simple().to_string()[..3].to_owned()
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

/// Columns that are written, with their types: the database numbers the others itself.
async fn columns(database: &Client, table: &str) -> anyhow::Result<Vec<(String, String)>> {
    let sql = "SELECT column_name::TEXT, data_type::TEXT FROM information_schema.columns
               WHERE table_schema = 'public' AND table_name = $1 AND is_identity = 'NO' AND is_generated = 'NEVER'
                 AND COALESCE(column_default, '') NOT LIKE 'nextval%' ORDER BY ordinal_position";
    let rows = database.query(sql, &[&table]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// A column as it stands in copy number `copy`: ids in it are that copy's own.
fn copied(name: &str, kind: &str, now: &str) -> String {
    // The copy's digits, leaving out those of today.
    let digits = format!("LPAD(TO_HEX(CASE WHEN copy >= x'{now}'::INT THEN copy + 1 ELSE copy END), 3, '0')");
    let ids = format!("'{now}([0-9a-f]{{5}}-?[0-9a-f]{{4}}-?7)'");
    match kind {
        "uuid" => format!("({digits} || SUBSTRING(\"{name}\"::TEXT FROM 4))::UUID"),
        "text" | "character varying" => format!("REGEXP_REPLACE(\"{name}\", {ids}, {digits} || '\\1', 'g')"),
        _ => format!("\"{name}\""),
    }
}
