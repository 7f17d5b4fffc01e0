//! Reports: summed by the database, exactly, in minor units.
use chassis::money::Money;
use sea_orm::{ConnectionTrait, DbErr, QueryResult};

use super::{all, currency};
use crate::domain::Span;
use crate::domain::behaviour::Funnel;
use crate::domain::sale::{GroupBy, Key, Row, Top};
use crate::domain::span::DAY_MICROS;

/// The sales of a span, one row for each key and currency.
pub(crate) async fn sales(db: &impl ConnectionTrait, span: Span, by: GroupBy) -> Result<Vec<Row>, DbErr> {
    let key = match by {
        GroupBy::Total => "'total'".into(),
        // A day of a time before 1970 ends where division cuts towards zero.
        GroupBy::Day => {
            format!("(order_time - (order_time % {DAY_MICROS} + {DAY_MICROS}) % {DAY_MICROS}) / {DAY_MICROS}")
        }
        GroupBy::Country => "country".into(),
    };
    let sums = [
        "lines",
        "units",
        "gross_minor",
        "discount_minor",
        "shipping_minor",
        "total_minor",
        "returned_minor",
        "returned_units",
    ];
    // PostgreSQL widens a sum to numeric; it fits back exactly, or says so.
    let sums: Vec<String> =
        sums.iter().map(|column| format!("CAST(SUM({column}) AS BIGINT) AS {column}")).collect();
    let sql = format!(
        "SELECT key, currency, COUNT(*) AS orders, CAST(SUM(cancelled) AS BIGINT) AS cancelled_orders, {}
        FROM (SELECT {key} AS key, sales.* FROM sales WHERE order_time >= $1 AND order_time < $2) kept
        GROUP BY key, currency ORDER BY key, currency",
        sums.join(", ")
    );
    let rows = all(db, &sql, vec![span.start.into(), span.end.into()]).await?;
    rows.iter().map(|row| read(row, by)).collect()
}

fn read(row: &QueryResult, by: GroupBy) -> Result<Row, DbErr> {
    Ok(Row {
        key: match by {
            GroupBy::Total => Key::Total,
            GroupBy::Day => Key::Day(row.try_get("", "key")?),
            GroupBy::Country => Key::Country(row.try_get("", "key")?),
        },
        currency: currency(row)?,
        orders: row.try_get("", "orders")?,
        lines: row.try_get("", "lines")?,
        units: row.try_get("", "units")?,
        gross_minor: row.try_get("", "gross_minor")?,
        discount_minor: row.try_get("", "discount_minor")?,
        shipping_minor: row.try_get("", "shipping_minor")?,
        total_minor: row.try_get("", "total_minor")?,
        returned_minor: row.try_get("", "returned_minor")?,
        cancelled_orders: row.try_get("", "cancelled_orders")?,
        returned_units: row.try_get("", "returned_units")?,
    })
}

/// What sold best in a span, by units.
pub(crate) async fn top(db: &impl ConnectionTrait, span: Span, limit: u32) -> Result<Vec<Top>, DbErr> {
    let sql = "SELECT sku, MAX(variant) AS variant, currency, CAST(SUM(units) AS BIGINT) AS units,
            CAST(SUM(gross_minor) AS BIGINT) AS gross_minor
        FROM sale_lines WHERE order_time >= $1 AND order_time < $2
        GROUP BY sku, currency ORDER BY 4 DESC, sku, currency LIMIT $3";
    let rows = all(db, sql, vec![span.start.into(), span.end.into(), i64::from(limit).into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(Top {
                sku: row.try_get("", "sku")?,
                variant: row.try_get("", "variant")?,
                units: row.try_get("", "units")?,
                gross: Money::new(row.try_get("", "gross_minor")?, currency(row)?),
            })
        })
        .collect()
}

/// How far the visitors of a span got. Orders that happened elsewhere had no visitors here.
pub(crate) async fn funnel(db: &impl ConnectionTrait, span: Span) -> Result<Funnel, DbErr> {
    let sql = "SELECT furthest, COUNT(*) AS visitors FROM (
            SELECT visitor, MAX(step) AS furthest FROM (
                SELECT visitor, CASE kind WHEN 'VIEW_PRODUCT' THEN 1 WHEN 'ADD_TO_CART' THEN 2 ELSE 3 END AS step
                FROM behaviours WHERE behave_time >= $1 AND behave_time < $2 AND kind <> 'SEARCH'
                UNION ALL
                SELECT customer, 4 FROM sales WHERE order_time >= $1 AND order_time < $2 AND imported = $3 AND customer <> ''
            ) steps GROUP BY visitor
        ) visitors GROUP BY furthest";
    let rows = all(db, sql, vec![span.start.into(), span.end.into(), false.into()]).await?;
    let furthest = rows
        .iter()
        .map(|row| Ok((i64::from(row.try_get::<i32>("", "furthest")?), row.try_get("", "visitors")?)));
    Ok(Funnel::of_furthest(furthest.collect::<Result<Vec<_>, DbErr>>()?))
}
