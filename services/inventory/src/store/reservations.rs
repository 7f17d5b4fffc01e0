//! Reservations and their lines.

use chassis::id::Id;
use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, QueryResult, Value};

use super::{ROWS_MAX, damaged, get, places, rows, run};
use crate::domain::reservation::Line;
use crate::domain::{LocationId, Movement, Reservation, Sku, State};

/// Makes the reservation of an order, without its lines. Says whether the order had none.
pub(crate) async fn create(tx: &DatabaseTransaction, reservation: &Reservation) -> Result<bool, DbErr> {
    let sql = "INSERT INTO reservations (id, order_name, state, expire_time, create_time, update_time)
               VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT DO NOTHING";
    let values = vec![
        reservation.id.into(),
        reservation.order.as_str().into(),
        reservation.state.as_str().into(),
        reservation.expire_time.into(),
        reservation.create_time.into(),
    ];
    Ok(run(tx, sql, values).await? == 1)
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

/// Keeps the lines of a reservation, in place of any it had.
pub(crate) async fn set_lines(
    tx: &DatabaseTransaction,
    id: Id<Reservation>,
    lines: &[Line],
    had_any: bool,
) -> Result<(), DbErr> {
    if had_any {
        run(tx, "DELETE FROM reservation_lines WHERE reservation = $1", vec![id.into()]).await?;
    }
    for some in lines.chunks(ROWS_MAX) {
        let sql = format!(
            "INSERT INTO reservation_lines (reservation, sku, location, quantity, returned)
             SELECT $1, line.column1, line.column2, line.column3, 0 FROM (VALUES {}) AS line",
            places(2, 3, some.len())
        );
        let each = some.iter().flat_map(|line| -> [Value; 3] {
            [line.sku.as_str().into(), line.location.as_str().into(), line.quantity.into()]
        });
        run(tx, &sql, std::iter::once(id.into()).chain(each).collect()).await?;
    }
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
