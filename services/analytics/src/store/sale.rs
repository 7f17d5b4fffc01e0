//! Sales as rows, kept in step with what was given back.
use std::collections::BTreeSet;

use chassis::money::Money;
use chassis::rows::{self, Column, Rows};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, Value};

use super::{all, currency, execute};
use crate::domain::{Adjustment, Sale};

const SALES: [Column; 12] = [
    rows::text("order_name"),
    rows::text("customer"),
    rows::text("country"),
    rows::bool("imported"),
    rows::text("currency"),
    rows::bigint("gross_minor"),
    rows::bigint("discount_minor"),
    rows::bigint("shipping_minor"),
    rows::bigint("total_minor"),
    rows::bigint("lines"),
    rows::bigint("units"),
    rows::bigint("order_time"),
];

const LINES: [Column; 8] = [
    rows::text("order_name"),
    rows::int("place"),
    rows::text("variant"),
    rows::text("sku"),
    rows::bigint("units"),
    rows::text("currency"),
    rows::bigint("gross_minor"),
    rows::bigint("order_time"),
];

/// Adds sales with their lines, and gives the orders of those that were not known already.
pub(crate) async fn insert(tx: &DatabaseTransaction, sales: &[Sale]) -> Result<BTreeSet<String>, DbErr> {
    let row = |sale: &Sale| -> [Value; 12] {
        let amounts = &sale.amounts;
        [
            sale.order.as_str().into(),
            sale.customer.as_str().into(),
            sale.country.as_str().into(),
            sale.imported.into(),
            amounts.total.currency.to_string().into(),
            amounts.gross.minor.into(),
            amounts.discount.minor.into(),
            amounts.shipping.minor.into(),
            amounts.total.minor.into(),
            i64::try_from(sale.lines.len()).unwrap_or(i64::MAX).into(),
            sale.lines.iter().map(|line| line.units).sum::<i64>().into(),
            sale.order_time.into(),
        ]
    };
    let sql =
        "INSERT INTO sales (order_name, customer, country, imported, currency, gross_minor, discount_minor,
            shipping_minor, total_minor, lines, units, returned_minor, returned_units, cancelled, order_time)
        SELECT order_name,
            CASE WHEN EXISTS (SELECT 1 FROM erased_users WHERE user_name = new.customer) THEN '' ELSE customer END,
            country, imported, currency, gross_minor, discount_minor,
            shipping_minor, total_minor, lines, units, 0, 0, 0, order_time
        FROM {rows} AS new WHERE TRUE ON CONFLICT (order_name) DO NOTHING RETURNING order_name";
    let told = Rows::new(&SALES, sales.iter().map(row));
    let new: BTreeSet<String> =
        told.query(tx, sql, &[], |row| row.try_get_by_index(0)).await?.into_iter().collect();
    let lines = sales.iter().filter(|sale| new.contains(&sale.order)).flat_map(|sale| {
        (0_i32..).zip(&sale.lines).map(|(place, line)| -> [Value; 8] {
            [
                sale.order.as_str().into(),
                place.into(),
                line.variant.as_str().into(),
                line.sku.as_str().into(),
                line.units.into(),
                line.gross.currency.to_string().into(),
                line.gross.minor.into(),
                sale.order_time.into(),
            ]
        })
    });
    let sql =
        "INSERT INTO sale_lines (order_name, place, variant, sku, units, currency, gross_minor, order_time)
        SELECT order_name, place, variant, sku, units, currency, gross_minor, order_time FROM {rows} AS new";
    Rows::new(&LINES, lines).run(tx, sql, &[]).await?;
    Ok(new)
}

/// A sale is another customer's; nobody's where that one is forgotten.
pub(crate) async fn give(tx: &DatabaseTransaction, order: &str, customer: &str) -> Result<(), DbErr> {
    let sql = "UPDATE sales
        SET customer = CASE WHEN EXISTS (SELECT 1 FROM erased_users WHERE user_name = $2) THEN '' ELSE $2 END
        WHERE order_name = $1";
    execute(tx, sql, vec![order.into(), customer.into()]).await?;
    Ok(())
}

const ADJUSTMENTS: [Column; 6] = [
    rows::text("cause"),
    rows::text("order_name"),
    rows::bigint("cancelled"),
    rows::bigint("refund_minor"),
    rows::bigint("units"),
    rows::bigint("adjust_time"),
];

/// Adds what was given back, and gives the orders of that which was not known already.
pub(crate) async fn insert_adjustments(
    tx: &DatabaseTransaction,
    adjustments: &[Adjustment],
) -> Result<BTreeSet<String>, DbErr> {
    let row = |adjustment: &Adjustment| -> [Value; 6] {
        [
            adjustment.cause.as_str().into(),
            adjustment.order.as_str().into(),
            i64::from(adjustment.cancelled).into(),
            adjustment.refund.minor.into(),
            adjustment.units.into(),
            adjustment.adjust_time.into(),
        ]
    };
    let sql = "INSERT INTO sale_adjustments (cause, order_name, cancelled, refund_minor, units, adjust_time)
        SELECT cause, order_name, cancelled, refund_minor, units, adjust_time FROM {rows} AS new WHERE TRUE
        ON CONFLICT (cause) DO NOTHING RETURNING order_name";
    let new = Rows::new(&ADJUSTMENTS, adjustments.iter().map(row));
    Ok(new.query(tx, sql, &[], |row| row.try_get_by_index(0)).await?.into_iter().collect())
}

/// Brings sales in step with all that was given back of them. Where a sale is not known yet, it does so later.
pub(crate) async fn settle(tx: &DatabaseTransaction, orders: &BTreeSet<String>) -> Result<(), DbErr> {
    const ORDERS: [Column; 1] = [rows::text("wanted")];
    let sql = "UPDATE sales SET returned_minor = back.minor, returned_units = back.units, cancelled = back.cancelled
        FROM (SELECT order_name AS of_order, SUM(refund_minor) AS minor, SUM(units) AS units, MAX(cancelled) AS cancelled
            FROM {rows} AS these JOIN sale_adjustments ON order_name = wanted GROUP BY order_name) AS back
        WHERE order_name = of_order";
    Rows::new(&ORDERS, orders.iter().map(|order| [order.as_str().into()])).run(tx, sql, &[]).await?;
    Ok(())
}

/// The totals of sales whose order sorts after `after`.
pub(crate) async fn totals(
    db: &impl ConnectionTrait,
    after: &str,
    limit: u64,
) -> Result<Vec<(String, Money)>, DbErr> {
    let sql = "SELECT order_name, total_minor, currency FROM sales WHERE order_name > $1 ORDER BY order_name LIMIT $2";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = all(db, sql, vec![after.into(), limit.into()]).await?;
    rows.iter()
        .map(|row| {
            Ok((row.try_get("", "order_name")?, Money::new(row.try_get("", "total_minor")?, currency(row)?)))
        })
        .collect()
}

/// How many sales there are, and those whose amounts do not add up.
pub(crate) async fn unbalanced(db: &impl ConnectionTrait) -> Result<(u64, Vec<String>), DbErr> {
    let count = super::one(db, "SELECT COUNT(*) AS checked FROM sales", vec![]).await?;
    let checked: i64 = count.map(|row| row.try_get("", "checked")).transpose()?.unwrap_or_default();
    let sql = "SELECT s.order_name FROM sales s
        LEFT JOIN (SELECT order_name, COUNT(*) AS lines, SUM(units) AS units, SUM(gross_minor) AS gross
            FROM sale_lines GROUP BY order_name) l ON l.order_name = s.order_name
        WHERE s.gross_minor - s.discount_minor + s.shipping_minor <> s.total_minor
            OR s.returned_minor > s.total_minor
            OR COALESCE(l.lines, 0) <> s.lines OR COALESCE(l.units, 0) <> s.units OR COALESCE(l.gross, 0) <> s.gross_minor
        ORDER BY s.order_name LIMIT 100";
    let rows = all(db, sql, vec![]).await?;
    let offenders = rows.iter().map(|row| row.try_get("", "order_name")).collect::<Result<_, _>>()?;
    Ok((u64::try_from(checked).unwrap_or_default(), offenders))
}
