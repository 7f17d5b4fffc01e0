//! The lines of carts, in the order they were added.

use std::collections::BTreeMap;

use chassis::id::Id;
use chassis::money::Money;
use chassis::rows::{Column, Rows, uuid};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, QueryResult};

use super::{damaged, get, rows, run};
use crate::domain::{Cart, Line};

/// What `read` reads of a line.
const COLUMNS: &str = "variant, sku, title, quantity, added_minor, added_currency";

fn read(row: &QueryResult) -> Result<Line, DbErr> {
    let currency = get::<String>(row, 5)?.parse().map_err(|_| damaged("the currency of a line"))?;
    Ok(Line {
        variant: get(row, 0)?,
        sku: get(row, 1)?,
        title: get(row, 2)?,
        quantity: get(row, 3)?,
        added_price: Money::new(get(row, 4)?, currency),
    })
}

pub(super) async fn of(db: &impl ConnectionTrait, cart: Id<Cart>) -> Result<Vec<Line>, DbErr> {
    let sql = format!("SELECT {COLUMNS} FROM cart_lines WHERE cart = $1 ORDER BY position, variant");
    rows(db, &sql, vec![cart.into()], read).await
}

/// The lines of each of the carts.
pub(super) async fn of_all(
    db: &impl ConnectionTrait,
    carts: impl IntoIterator<Item = Id<Cart>>,
) -> Result<BTreeMap<Id<Cart>, Vec<Line>>, DbErr> {
    const CARTS: [Column; 1] = [uuid("wanted")];
    let sql = format!(
        "SELECT {COLUMNS}, cart FROM cart_lines JOIN {{rows}} AS these ON cart = wanted ORDER BY position, variant"
    );
    let wanted = Rows::new(&CARTS, carts.into_iter().map(|cart| [cart.into()]));
    let mut found = BTreeMap::<_, Vec<_>>::new();
    for (cart, line) in wanted.query(db, &sql, &[], |row| Ok((get(row, 6)?, read(row)?))).await? {
        found.entry(cart).or_default().push(line);
    }
    Ok(found)
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
