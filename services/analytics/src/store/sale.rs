//! Sales as rows, kept in step with what was given back.
use chassis::money::Money;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr};

use super::{all, currency, execute, insert as insert_rows};
use crate::domain::{Adjustment, Sale};

/// Adds a sale with its lines; false when it is known already.
pub(crate) async fn insert(tx: &DatabaseTransaction, sale: &Sale) -> Result<bool, DbErr> {
    let sql =
        "INSERT INTO sales (order_name, customer, country, imported, currency, gross_minor, discount_minor,
            shipping_minor, total_minor, lines, units, returned_minor, returned_units, cancelled, order_time)
        VALUES ($1, CASE WHEN EXISTS (SELECT 1 FROM erased_users WHERE user_name = $2) THEN '' ELSE $2 END,
            $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, 0, 0, $12)
        ON CONFLICT (order_name) DO NOTHING";
    let amounts = &sale.amounts;
    let values = vec![
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
    ];
    if execute(tx, sql, values).await? == 0 {
        return Ok(false);
    }
    let lines = sale.lines.iter().enumerate().map(|(place, line)| {
        [
            sale.order.as_str().into(),
            i32::try_from(place).unwrap_or(i32::MAX).into(),
            line.variant.as_str().into(),
            line.sku.as_str().into(),
            line.units.into(),
            line.gross.currency.to_string().into(),
            line.gross.minor.into(),
            sale.order_time.into(),
        ]
    });
    let head =
        "INSERT INTO sale_lines (order_name, place, variant, sku, units, currency, gross_minor, order_time)";
    insert_rows(tx, head, lines.collect()).await?;
    Ok(true)
}

/// A sale is another customer's; nobody's where that one is forgotten.
pub(crate) async fn give(tx: &DatabaseTransaction, order: &str, customer: &str) -> Result<(), DbErr> {
    let sql = "UPDATE sales
        SET customer = CASE WHEN EXISTS (SELECT 1 FROM erased_users WHERE user_name = $2) THEN '' ELSE $2 END
        WHERE order_name = $1";
    execute(tx, sql, vec![order.into(), customer.into()]).await?;
    Ok(())
}

/// Adds what was given back; false when it is known already.
pub(crate) async fn insert_adjustment(
    tx: &DatabaseTransaction,
    adjustment: &Adjustment,
) -> Result<bool, DbErr> {
    let sql = "INSERT INTO sale_adjustments (cause, order_name, cancelled, refund_minor, units, adjust_time)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (cause) DO NOTHING";
    let values = vec![
        adjustment.cause.as_str().into(),
        adjustment.order.as_str().into(),
        i64::from(adjustment.cancelled).into(),
        adjustment.refund.minor.into(),
        adjustment.units.into(),
        adjustment.adjust_time.into(),
    ];
    Ok(execute(tx, sql, values).await? == 1)
}

/// Brings a sale in step with all that was given back of it. Where the sale is not known yet, it does so later.
pub(crate) async fn settle(tx: &DatabaseTransaction, order: &str) -> Result<(), DbErr> {
    let sql = "UPDATE sales SET
            returned_minor = COALESCE((SELECT SUM(refund_minor) FROM sale_adjustments a WHERE a.order_name = $1), 0),
            returned_units = COALESCE((SELECT SUM(units) FROM sale_adjustments a WHERE a.order_name = $1), 0),
            cancelled = COALESCE((SELECT MAX(cancelled) FROM sale_adjustments a WHERE a.order_name = $1), 0)
        WHERE order_name = $1";
    execute(tx, sql, vec![order.into()]).await?;
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
