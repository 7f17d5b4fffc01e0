//! Bringing rows in step with the events they are made of, while orders are served and changed.

use chassis::db::Db;
use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseTransaction, TryInsertResult};

use super::{events, rows, snapshots};
use crate::domain::Order;
use crate::error::Error;

/// How often an order is looked at that is changed meanwhile.
const TRIES: usize = 5;

/// What became of a page of orders.
#[derive(Debug, Default)]
pub(crate) struct Rebuilt {
    /// Their ids, in order.
    pub(crate) checked: Vec<Uuid>,
    pub(crate) repaired: Vec<Uuid>,
}

/// Replays the orders after one, by id, and writes the rows that are not what their events amount to.
pub(crate) async fn rebuild(db: &Db, after: Option<Uuid>, limit: u64) -> Result<Rebuilt, Error> {
    let mut rebuilt =
        Rebuilt { checked: events::orders_after(db.writer(), after, limit).await?, ..Rebuilt::default() };
    for id in &rebuilt.checked {
        if repair(db, *id).await? {
            rebuilt.repaired.push(*id);
        }
    }
    Ok(rebuilt)
}

/// Whether the row had to be written. Read without a lock, and written only where nobody was faster.
async fn repair(db: &Db, id: Uuid) -> Result<bool, Error> {
    for _ in 0..TRIES {
        let row = rows::Entity::find_by_id(id).one(db.writer()).await?;
        let order = Order::replay(id.into(), events::between(db.writer(), id, 0, i64::MAX).await?)?;
        let whole = rows::Model::of(&order)?;
        // The events are read after the row, so that an order which was changed in between is only newer.
        if row.as_ref() == Some(&whole) {
            return Ok(false);
        }
        let read = row.map(|row| row.version);
        if db.write(async |tx| write(tx, &whole, read).await).await? {
            return Ok(true);
        }
    }
    // It is changed all the time, and so its row is written all the time.
    Ok(false)
}

/// False where the row has changed since it was read, or its events have.
async fn write(tx: &DatabaseTransaction, whole: &rows::Model, read: Option<i64>) -> Result<bool, Error> {
    let newest = rows::ActiveModel::from(whole.clone()).reset_all();
    let written = match read {
        None => {
            let insert = rows::Entity::insert(newest).on_conflict_do_nothing();
            matches!(insert.exec_without_returning(tx).await?, TryInsertResult::Inserted(_))
        }
        Some(version) => {
            let newest = rows::ActiveModel { id: sea_orm::NotSet, ..newest };
            let query = rows::Entity::update_many().set(newest).filter(rows::Column::Id.eq(whole.id));
            query.filter(rows::Column::Version.eq(version)).exec(tx).await?.rows_affected > 0
        }
    };
    if written {
        snapshots::forget(tx, whole.id).await?;
    }
    Ok(written)
}
