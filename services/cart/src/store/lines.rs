//! The lines of carts, in the order they were added.

use chassis::id::Id;
use chassis::money::Money;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, QueryResult};

use super::{damaged, get, rows, run};
use crate::domain::{Cart, Line};

pub(super) async fn of(db: &impl ConnectionTrait, cart: Id<Cart>) -> Result<Vec<Line>, DbErr> {
    let sql =
        "SELECT variant, sku, title, quantity, added_minor, added_currency FROM cart_lines WHERE cart = $1
               ORDER BY position, variant";
    let read = |row: &QueryResult| {
        let currency = get::<String>(row, 5)?.parse().map_err(|_| damaged("the currency of a line"))?;
        Ok(Line {
            variant: get(row, 0)?,
            sku: get(row, 1)?,
            title: get(row, 2)?,
            quantity: get(row, 3)?,
            added_price: Money::new(get(row, 4)?, currency),
        })
    };
    rows(db, sql, vec![cart.into()], read).await
}

/// Puts a line in at the end, or in place of the variant's.
pub(crate) async fn put(tx: &DatabaseTransaction, cart: Id<Cart>, line: &Line) -> Result<(), DbErr> {
    let sql = "INSERT INTO cart_lines (cart, variant, position, sku, title, quantity, added_minor, added_currency)
               SELECT $1, $2, COALESCE(MAX(position), 0) + 1, $3, $4, $5, $6, $7 FROM cart_lines WHERE cart = $1
               ON CONFLICT (cart, variant) DO UPDATE SET sku = excluded.sku, title = excluded.title,
                   quantity = excluded.quantity, added_minor = excluded.added_minor,
                   added_currency = excluded.added_currency";
    let values = vec![
        cart.into(),
        line.variant.as_str().into(),
        line.sku.as_str().into(),
        line.title.as_str().into(),
        line.quantity.into(),
        line.added_price.minor.into(),
        line.added_price.currency.as_str().into(),
    ];
    run(tx, sql, values).await?;
    Ok(())
}

/// Takes a variant out. Says whether it was in.
pub(crate) async fn remove(tx: &DatabaseTransaction, cart: Id<Cart>, variant: &str) -> Result<bool, DbErr> {
    let sql = "DELETE FROM cart_lines WHERE cart = $1 AND variant = $2";
    Ok(run(tx, sql, vec![cart.into(), variant.into()]).await? > 0)
}

/// Takes everything out. Says whether anything was in.
pub(crate) async fn clear(tx: &DatabaseTransaction, cart: Id<Cart>) -> Result<bool, DbErr> {
    Ok(run(tx, "DELETE FROM cart_lines WHERE cart = $1", vec![cart.into()]).await? > 0)
}
