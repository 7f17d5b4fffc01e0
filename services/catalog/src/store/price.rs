//! The history of prices, and those that are still to come.
use chassis::id::Id;
use chassis::page::Page;
use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, QueryResult, Value};

use super::sql::{execute, insert as insert_rows, offenders, statement};
use super::variant::money;
use crate::domain::variant::Name;
use crate::domain::{Price, Variant};

const COLUMNS: &str =
    "id, variant, amount_minor, amount_currency, effective_time, actor, create_time, version";

/// Adds an entry to a variant's history.
pub(crate) async fn insert(tx: &DatabaseTransaction, price: &Price) -> Result<(), DbErr> {
    insert_rows(tx, &format!("INSERT INTO prices ({COLUMNS})"), vec![row(price)], "").await?;
    Ok(())
}

/// Begins the history of new variants.
pub(crate) async fn insert_first(
    tx: &DatabaseTransaction,
    variants: &[&Variant],
    actor: &str,
) -> Result<(), DbErr> {
    let rows = variants.iter().map(|variant| {
        row(&Price {
            id: Id::new(),
            variant: variant.id,
            amount: variant.price,
            effective_time: variant.create_time,
            actor: actor.into(),
            create_time: variant.create_time,
            version: Some(variant.price_version),
        })
    });
    insert_rows(tx, &format!("INSERT INTO prices ({COLUMNS})"), rows.collect(), "").await?;
    Ok(())
}

/// A page of a variant's prices, newest first.
pub(crate) async fn list(
    db: &impl ConnectionTrait,
    variant: Id<Variant>,
    page: &Page,
    after: Option<Id<Price>>,
) -> Result<Vec<Price>, DbErr> {
    let mut values: Vec<Value> = vec![variant.into()];
    values.extend(after.map(Value::from));
    let before = if after.is_some() { "AND id < $2" } else { "" };
    let sql = format!(
        "SELECT {COLUMNS} FROM prices WHERE variant = $1 {before} ORDER BY id DESC LIMIT {}",
        page.size + 1
    );
    let rows = db.query_all_raw(statement(db, sql, values)).await?;
    rows.iter().map(read).collect()
}

/// Prices whose time has come, each with its variant, the earliest first.
pub(crate) async fn due(db: &impl ConnectionTrait, now: Timestamp) -> Result<Vec<(Name, Price)>, DbErr> {
    let sql =
        "SELECT v.product, p.id, p.variant, p.amount_minor, p.amount_currency, p.effective_time, p.actor,
            p.create_time, p.version
        FROM prices p JOIN variants v ON v.id = p.variant
        WHERE p.version IS NULL AND p.effective_time <= $1 ORDER BY p.effective_time, p.id LIMIT 100";
    let rows = db.query_all_raw(statement(db, sql, vec![now.into()])).await?;
    rows.iter()
        .map(|row| {
            let price = read(row)?;
            Ok((Name { product: row.try_get("", "product")?, variant: price.variant }, price))
        })
        .collect()
}

/// When the next price falls due.
pub(crate) async fn next_due(db: &impl ConnectionTrait) -> Result<Option<Timestamp>, DbErr> {
    let sql = "SELECT MIN(effective_time) AS next FROM prices WHERE version IS NULL";
    match db.query_one_raw(statement(db, sql, vec![])).await? {
        Some(row) => row.try_get("", "next"),
        None => Ok(None),
    }
}

/// Notes which of the variant's prices a price became; false when another replica did so first.
pub(crate) async fn apply(tx: &DatabaseTransaction, id: Id<Price>, version: i64) -> Result<bool, DbErr> {
    let sql = "UPDATE prices SET version = $2 WHERE id = $1 AND version IS NULL";
    Ok(execute(tx, sql, vec![id.into(), version.into()]).await? == 1)
}

fn row(price: &Price) -> [Value; 8] {
    [
        price.id.into(),
        price.variant.into(),
        price.amount.minor.into(),
        price.amount.currency.to_string().into(),
        price.effective_time.into(),
        price.actor.as_str().into(),
        price.create_time.into(),
        price.version.into(),
    ]
}

fn read(row: &QueryResult) -> Result<Price, DbErr> {
    Ok(Price {
        id: row.try_get("", "id")?,
        variant: row.try_get("", "variant")?,
        amount: money(row, row.try_get("", "amount_minor")?, "amount_currency")?,
        effective_time: row.try_get("", "effective_time")?,
        actor: row.try_get("", "actor")?,
        create_time: row.try_get("", "create_time")?,
        version: row.try_get("", "version")?,
    })
}

/// Variants whose price is not the last that came into effect, and how many were looked at.
pub(crate) async fn disagreements(db: &impl ConnectionTrait) -> Result<(u64, Vec<String>), DbErr> {
    let sql = "SELECT v.sku AS offender FROM variants v WHERE NOT EXISTS (
        SELECT 1 FROM prices p WHERE p.variant = v.id AND p.version = v.price_version
        AND p.amount_minor = v.price_minor AND p.amount_currency = v.price_currency)
        ORDER BY v.sku LIMIT 100";
    offenders(db, "SELECT COUNT(*) AS checked FROM variants", sql, vec![]).await
}

/// Prices whose time came more than a minute ago and that do not hold yet, and how many are to come.
pub(crate) async fn overdue(db: &impl ConnectionTrait) -> Result<(u64, Vec<String>), DbErr> {
    let sql = "SELECT v.sku AS offender FROM prices p JOIN variants v ON v.id = p.variant
        WHERE p.version IS NULL AND p.effective_time < $1 ORDER BY v.sku LIMIT 100";
    let since = Timestamp::now().minus(std::time::Duration::from_secs(60));
    offenders(db, "SELECT COUNT(*) AS checked FROM prices WHERE version IS NULL", sql, vec![since.into()])
        .await
}
