//! The feed of the search index: each change of a product gets the next number, and numbers commit in their order.
use chassis::id::Id;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, Value};
use uuid::Uuid;

use super::sql::{all_in, execute, places, statement, values};
use crate::domain::category::Path;
use crate::domain::{Category, Product};

/// How far an index has read: everything up to and including this product at this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) seq: i64,
    pub(crate) product: Id<Product>,
}

impl Cursor {
    /// Before everything.
    pub(crate) fn start() -> Cursor {
        Cursor { seq: 0, product: Uuid::nil().into() }
    }
}

/// Has products indexed anew. Their rows must be locked already, by a write in this transaction; the feed's row is
/// locked last and until the commit, so that a reader who has seen a number has seen all before it.
pub(crate) async fn mark(tx: &DatabaseTransaction, products: &[Id<Product>]) -> Result<(), DbErr> {
    let seq = next(tx).await?;
    for part in products.chunks(10_000) {
        let mut numbered = vec![Value::from(seq)];
        numbered.extend(values(part.iter().copied()));
        let sql = format!("UPDATE products SET change_seq = $1 WHERE id IN ({})", places(2, part.len()));
        execute(tx, &sql, numbered).await?;
    }
    Ok(())
}

/// Has every product in a category or below it indexed anew.
pub(crate) async fn mark_below(tx: &DatabaseTransaction, path: &Path) -> Result<(), DbErr> {
    const BELOW: &str =
        "id IN (SELECT pc.product FROM product_categories pc JOIN categories c ON c.id = pc.category
        WHERE c.path LIKE $1)";
    let below = format!("{}%", path.text());
    // Takes the rows' locks before the feed's.
    execute(
        tx,
        &format!("UPDATE products SET change_seq = change_seq WHERE {BELOW}"),
        vec![below.clone().into()],
    )
    .await?;
    let seq = next(tx).await?;
    let sql = format!("UPDATE products SET change_seq = $2 WHERE {BELOW}");
    execute(tx, &sql, vec![below.into(), seq.into()]).await?;
    Ok(())
}

async fn next(tx: &DatabaseTransaction) -> Result<i64, DbErr> {
    let sql = "UPDATE search_feed SET seq = seq + 1 WHERE id = 1 RETURNING seq";
    let row = tx.query_one_raw(statement(tx, sql, vec![])).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("search_feed".into()))?.try_get("", "seq")
}

/// Which database this is, so that an index of another one is not taken for its own.
pub(crate) async fn generation(tx: &DatabaseTransaction) -> Result<Uuid, DbErr> {
    let sql =
        "UPDATE search_feed SET generation = COALESCE(generation, $1) WHERE id = 1 RETURNING generation";
    let row = tx.query_one_raw(statement(tx, sql, vec![Uuid::now_v7().into()])).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("search_feed".into()))?.try_get("", "generation")
}

/// The products that changed after the cursor, in order, each with where it leaves the cursor.
pub(crate) async fn changed(
    db: &impl ConnectionTrait,
    after: Cursor,
    limit: u64,
) -> Result<Vec<Cursor>, DbErr> {
    let sql = "SELECT id, change_seq FROM products WHERE change_seq > $1 OR (change_seq = $1 AND id > $2)
        ORDER BY change_seq, id LIMIT $3";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = db
        .query_all_raw(statement(db, sql, vec![after.seq.into(), after.product.into(), limit.into()]))
        .await?;
    rows.iter()
        .map(|row| Ok(Cursor { seq: row.try_get("", "change_seq")?, product: row.try_get("", "id")? }))
        .collect()
}

/// The paths of categories, for products to be found by what is above them.
pub(crate) async fn paths(
    db: &impl ConnectionTrait,
    categories: &[Id<Category>],
) -> Result<Vec<(Id<Category>, Path)>, DbErr> {
    let rows =
        all_in(db, "SELECT id, path FROM categories WHERE id IN ({})", values(categories.iter().copied()))
            .await?;
    rows.iter().map(|row| Ok((row.try_get("", "id")?, super::category::path(row)?))).collect()
}
