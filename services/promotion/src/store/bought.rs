//! How often products were bought, and with which others.

use std::collections::BTreeMap;

use chassis::rows::{Column, Rows, bigint, text};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr};

use super::{limit, sql};

/// Counts orders, each of these products: a product once for each order, and each pair both ways. They are counted in
/// their order, so that two transactions never wait for each other.
pub(crate) async fn count(tx: &DatabaseTransaction, orders: &[Vec<&str>]) -> Result<(), DbErr> {
    const PRODUCTS: [Column; 2] = [text("product"), bigint("orders")];
    const PAIRS: [Column; 3] = [text("product"), text("other"), bigint("orders")];
    let mut products: BTreeMap<&str, i64> = BTreeMap::new();
    let mut pairs: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for order in orders {
        for product in order {
            *products.entry(product).or_default() += 1;
            for other in order.iter().filter(|other| *other != product) {
                *pairs.entry((product, other)).or_default() += 1;
            }
        }
    }
    let sql =
        "INSERT INTO products_bought (product, orders) SELECT product, orders FROM {rows} AS new WHERE TRUE
               ON CONFLICT (product) DO UPDATE SET orders = products_bought.orders + excluded.orders";
    let row = |(product, orders): (&str, i64)| [product.into(), orders.into()];
    Rows::new(&PRODUCTS, products.into_iter().map(row)).run(tx, sql, &[]).await?;
    let sql = "INSERT INTO bought_together (product, other, orders)
               SELECT product, other, orders FROM {rows} AS new WHERE TRUE
               ON CONFLICT (product, other) DO UPDATE SET orders = bought_together.orders + excluded.orders";
    let row = |((product, other), orders): ((&str, &str), i64)| [product.into(), other.into(), orders.into()];
    Rows::new(&PAIRS, pairs.into_iter().map(row)).run(tx, sql, &[]).await?;
    Ok(())
}

/// The products bought most often together with one.
pub(crate) async fn with(on: &impl ConnectionTrait, product: &str, rows: u64) -> Result<Vec<String>, DbErr> {
    let text = "SELECT other FROM bought_together WHERE product = $1 ORDER BY orders DESC, other LIMIT $2";
    let rows = on.query_all_raw(sql(on, text, [product.into(), limit(rows)])).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}

/// The products bought most often.
pub(crate) async fn most(on: &impl ConnectionTrait, rows: u64) -> Result<Vec<String>, DbErr> {
    let text = "SELECT product FROM products_bought ORDER BY orders DESC, product LIMIT $1";
    let rows = on.query_all_raw(sql(on, text, [limit(rows)])).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}
