//! Locations.

use std::collections::BTreeSet;

use chassis::rows::{self, Column, Rows};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, QueryResult};

use super::{get, rows, run};
use crate::domain::{Location, LocationId};

/// Keeps a location. Says whether its id was free.
pub(crate) async fn create(tx: &DatabaseTransaction, location: &Location) -> Result<bool, DbErr> {
    let sql = "INSERT INTO locations (id, title, priority, create_time) VALUES ($1, $2, $3, $4)
               ON CONFLICT (id) DO NOTHING";
    let values = vec![
        location.id.as_str().into(),
        location.title.as_str().into(),
        location.priority.into(),
        location.create_time.into(),
    ];
    Ok(run(tx, sql, values).await? == 1)
}

/// So many locations after one of this priority and id, by priority.
pub(crate) async fn list_after(
    db: &impl ConnectionTrait,
    after: Option<(i32, &str)>,
    limit: u64,
) -> Result<Vec<Location>, DbErr> {
    let (priority, id) = after.unwrap_or((i32::MIN, ""));
    let sql = "SELECT id, title, priority, create_time FROM locations WHERE (priority, id) > ($1, $2)
               ORDER BY priority, id LIMIT $3";
    let values = vec![priority.into(), id.into(), i64::try_from(limit).unwrap_or(i64::MAX).into()];
    let read = |row: &QueryResult| {
        Ok(Location {
            id: LocationId::stored(get(row, 0)?),
            title: get(row, 1)?,
            priority: get(row, 2)?,
            create_time: get(row, 3)?,
        })
    };
    rows(db, sql, values, read).await
}

/// The first of these locations that does not exist. Locations are never taken away.
pub(crate) async fn missing(
    db: &impl ConnectionTrait,
    wanted: &BTreeSet<&LocationId>,
) -> Result<Option<LocationId>, DbErr> {
    const WANTED: [Column; 1] = [rows::text("wanted")];
    let sql = "SELECT id FROM locations JOIN {rows} AS these ON wanted = id";
    let found = Rows::new(&WANTED, wanted.iter().map(|id| [id.as_str().into()]))
        .query(db, sql, &[], |row| Ok(LocationId::stored(get(row, 0)?)))
        .await?;
    Ok(wanted.iter().find(|id| !found.contains(id)).map(|id| (*id).clone()))
}
