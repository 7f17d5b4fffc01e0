//! Behaviour as rows.
use chassis::rows::{self, Column, Rows};
use chassis::time::Timestamp;
use sea_orm::{DatabaseTransaction, DbErr, Value};
use uuid::Uuid;

use super::execute;
use crate::domain::Behaviour;
use crate::domain::behaviour::Kind;

/// Adds what a visitor did.
pub(crate) async fn insert(
    tx: &DatabaseTransaction,
    visitor: &str,
    behaviours: &[Behaviour],
) -> Result<(), DbErr> {
    const BEHAVIOURS: [Column; 5] = [
        rows::uuid("id"),
        rows::text("kind"),
        rows::text("product"),
        rows::text("query"),
        rows::bigint("behave_time"),
    ];
    let row = |behaviour: &Behaviour| -> [Value; 5] {
        [
            Uuid::now_v7().into(),
            kind_text(behaviour.kind).into(),
            behaviour.product.as_str().into(),
            behaviour.query.as_str().into(),
            behaviour.time.into(),
        ]
    };
    let sql = "INSERT INTO behaviours (id, visitor, kind, product, query, behave_time)
               SELECT id, $1, kind, product, query, behave_time FROM {rows} AS new";
    Rows::new(&BEHAVIOURS, behaviours.iter().map(row)).run(tx, sql, &[visitor.into()]).await?;
    Ok(())
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
