//! How often products were bought, and with which others.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, Value};

use super::{limit, sql};

/// Counts an order of these products: each once, and each pair both ways. They come sorted, so that two orders counted
/// at once lock their rows in one order.
pub(crate) async fn count(tx: &DatabaseTransaction, products: &[&str]) -> Result<(), DbErr> {
    if products.is_empty() {
        return Ok(());
    }
    let places: Vec<String> = (1..=products.len()).map(|place| format!("(${place}, 1)")).collect();
    let text = format!(
        "INSERT INTO products_bought (product, orders) VALUES {}
         ON CONFLICT (product) DO UPDATE SET orders = products_bought.orders + 1",
        places.join(", ")
    );
    tx.execute_raw(sql(tx, &text, products.iter().map(|product| (*product).into()))).await?;

    let pairs = products.iter().flat_map(|product| products.iter().map(move |other| (*product, *other)));
    let values: Vec<Value> = pairs
        .filter(|(product, other)| product != other)
        .flat_map(|(product, other)| [product.into(), other.into()])
        .collect();
    if values.is_empty() {
        return Ok(());
    }
    let places: Vec<String> =
        (1..=values.len()).step_by(2).map(|first| format!("(${first}, ${}, 1)", first + 1)).collect();
    let text = format!(
        "INSERT INTO bought_together (product, other, orders) VALUES {}
         ON CONFLICT (product, other) DO UPDATE SET orders = bought_together.orders + 1",
        places.join(", ")
    );
    tx.execute_raw(sql(tx, &text, values)).await?;
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
