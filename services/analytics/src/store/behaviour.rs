//! Behaviour as rows.
use chassis::time::Timestamp;
use sea_orm::{DatabaseTransaction, DbErr};
use uuid::Uuid;

use super::{execute, insert as insert_rows};
use crate::domain::Behaviour;
use crate::domain::behaviour::Kind;

/// Adds what a visitor did.
pub(crate) async fn insert(
    tx: &DatabaseTransaction,
    visitor: &str,
    behaviours: &[Behaviour],
) -> Result<(), DbErr> {
    let rows = behaviours.iter().map(|behaviour| {
        [
            Uuid::now_v7().into(),
            visitor.into(),
            kind_text(behaviour.kind).into(),
            behaviour.product.as_str().into(),
            behaviour.query.as_str().into(),
            behaviour.time.into(),
        ]
    });
    let head = "INSERT INTO behaviours (id, visitor, kind, product, query, behave_time)";
    insert_rows(tx, head, rows.collect()).await
}

/// Deletes some of what is older; the count tells whether there may be more.
pub(crate) async fn delete_before(
    tx: &DatabaseTransaction,
    time: Timestamp,
    limit: u32,
) -> Result<u64, DbErr> {
    let sql = "DELETE FROM behaviours WHERE id IN (
        SELECT id FROM behaviours WHERE behave_time < $1 ORDER BY behave_time LIMIT $2)";
    execute(tx, sql, vec![time.into(), i64::from(limit).into()]).await
}

const fn kind_text(kind: Kind) -> &'static str {
    match kind {
        Kind::ViewProduct => "VIEW_PRODUCT",
        Kind::Search => "SEARCH",
        Kind::AddToCart => "ADD_TO_CART",
        Kind::BeginCheckout => "BEGIN_CHECKOUT",
    }
}
