//! Reservations and their lines.

use std::collections::BTreeSet;

use chassis::id::Id;
use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, QueryResult, Value};

use super::{ROWS_MAX, damaged, get, list, places, rows, run};
use crate::domain::reservation::Line;
use crate::domain::{LocationId, Movement, Reservation, Sku, State};

/// Makes the reservation of an order, without its lines. Says whether the order had none.
pub(crate) async fn create(tx: &DatabaseTransaction, reservation: &Reservation) -> Result<bool, DbErr> {
    Ok(!create_all(tx, [(reservation, "")]).await?.is_empty())
}

/// Makes the reservations of orders, without their lines, each for a request, if there is one. Those in the answer are
/// new: of the others either the order or the request is known.
pub(crate) async fn create_all<'a>(
    tx: &DatabaseTransaction,
    reservations: impl IntoIterator<Item = (&'a Reservation, &'a str)>,
) -> Result<BTreeSet<Id<Reservation>>, DbErr> {
    let mut sorted: Vec<_> = reservations.into_iter().collect();
    // Two transactions that make the same ones wait for each other at the first.
    sorted.sort_by_key(|(reservation, _)| reservation.id);
    let mut new = BTreeSet::new();
    for some in sorted.chunks(ROWS_MAX) {
        let sql = format!(
            "INSERT INTO reservations (id, order_name, request_id, state, expire_time, create_time, update_time)
             VALUES {} ON CONFLICT DO NOTHING RETURNING id",
            places(1, 7, some.len())
        );
        let values = some.iter().flat_map(|(reservation, request_id)| -> [Value; 7] {
            [
                reservation.id.into(),
                reservation.order.as_str().into(),
                (!request_id.is_empty()).then_some(*request_id).into(),
                reservation.state.as_str().into(),
                reservation.expire_time.into(),
                reservation.create_time.into(),
                reservation.create_time.into(),
            ]
        });
        new.extend(rows(tx, &sql, values.collect(), |row| get::<Id<Reservation>>(row, 0)).await?);
    }
    Ok(new)
}

/// Takes back reservations that were made in this transaction.
pub(crate) async fn delete(tx: &DatabaseTransaction, ids: &[Id<Reservation>]) -> Result<(), DbErr> {
    for some in ids.chunks(ROWS_MAX) {
        let sql = format!("DELETE FROM reservations WHERE id IN {}", list(1, some.len()));
        run(tx, &sql, some.iter().map(|id| (*id).into()).collect()).await?;
    }
    Ok(())
}

/// Reads the reservation of an order to change it: nobody else does until the transaction ends. Writing is what takes
/// hold of a row on both databases.
pub(crate) async fn load(tx: &DatabaseTransaction, order: &str) -> Result<Option<Reservation>, DbErr> {
    let sql = "UPDATE reservations SET update_time = $2 WHERE order_name = $1
               RETURNING id, order_name, state, expire_time, create_time";
    let found = rows(tx, sql, vec![order.into(), Timestamp::now().into()], read).await?.pop();
    with_lines(tx, found).await
}

/// Reads a reservation.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    id: Id<Reservation>,
) -> Result<Option<Reservation>, DbErr> {
    let sql = "SELECT id, order_name, state, expire_time, create_time FROM reservations WHERE id = $1";
    let found = rows(db, sql, vec![id.into()], read).await?.pop();
    with_lines(db, found).await
}

fn read(row: &QueryResult) -> Result<Reservation, DbErr> {
    Ok(Reservation {
        id: get(row, 0)?,
        order: get(row, 1)?,
        state: State::parse(&get::<String>(row, 2)?).ok_or_else(|| damaged("the state of a reservation"))?,
        expire_time: get(row, 3)?,
        create_time: get(row, 4)?,
        lines: Vec::new(),
    })
}

async fn with_lines(
    db: &impl ConnectionTrait,
    found: Option<Reservation>,
) -> Result<Option<Reservation>, DbErr> {
    let Some(reservation) = found else { return Ok(None) };
    let sql = "SELECT sku, location, quantity, returned FROM reservation_lines WHERE reservation = $1
               ORDER BY sku, location";
    let read = |row: &QueryResult| {
        Ok(Line {
            sku: Sku::stored(get(row, 0)?),
            location: LocationId::stored(get(row, 1)?),
            quantity: get(row, 2)?,
            returned: get(row, 3)?,
        })
    };
    let lines = rows(db, sql, vec![reservation.id.into()], read).await?;
    Ok(Some(Reservation { lines, ..reservation }))
}

/// Keeps what became of a reservation that was loaded in this transaction.
pub(crate) async fn set_state(
    tx: &DatabaseTransaction,
    id: Id<Reservation>,
    state: State,
) -> Result<(), DbErr> {
    run(tx, "UPDATE reservations SET state = $2 WHERE id = $1", vec![id.into(), state.as_str().into()])
        .await?;
    Ok(())
}

/// Keeps the lines of reservations that have none yet.
pub(crate) async fn add_lines(tx: &DatabaseTransaction, reservations: &[Reservation]) -> Result<(), DbErr> {
    let lines: Vec<_> =
        reservations.iter().flat_map(|of| of.lines.iter().map(|line| (of.id, line))).collect();
    for some in lines.chunks(ROWS_MAX) {
        let sql = format!(
            "INSERT INTO reservation_lines (reservation, sku, location, quantity) VALUES {}",
            places(1, 4, some.len())
        );
        let values = some.iter().flat_map(|(id, line)| -> [Value; 4] {
            [(*id).into(), line.sku.as_str().into(), line.location.as_str().into(), line.quantity.into()]
        });
        run(tx, &sql, values.collect()).await?;
    }
    Ok(())
}

/// Forgets the lines of a reservation, which gets others.
pub(crate) async fn delete_lines(tx: &DatabaseTransaction, id: Id<Reservation>) -> Result<(), DbErr> {
    run(tx, "DELETE FROM reservation_lines WHERE reservation = $1", vec![id.into()]).await?;
    Ok(())
}

/// Notes on the lines what came back.
pub(crate) async fn add_returned(
    tx: &DatabaseTransaction,
    id: Id<Reservation>,
    back: &[Movement],
) -> Result<(), DbErr> {
    for some in back.chunks(ROWS_MAX) {
        let sql = format!(
            "UPDATE reservation_lines SET returned = returned + back.column3
             FROM (VALUES {}) AS back
             WHERE reservation = $1 AND sku = back.column1 AND location = back.column2",
            places(2, 3, some.len())
        );
        let each = some.iter().flat_map(|movement| -> [Value; 3] {
            [movement.sku.as_str().into(), movement.location.as_str().into(), movement.on_hand.into()]
        });
        run(tx, &sql, std::iter::once(id.into()).chain(each).collect()).await?;
    }
    Ok(())
}

/// The orders whose reservations have run out, the oldest first.
pub(crate) async fn due(db: &impl ConnectionTrait, now: Timestamp, limit: i64) -> Result<Vec<String>, DbErr> {
    let sql = "SELECT order_name FROM reservations WHERE state = 'HELD' AND expire_time <= $1
               ORDER BY expire_time LIMIT $2";
    rows(db, sql, vec![now.into(), limit.into()], |row| get(row, 0)).await
}
