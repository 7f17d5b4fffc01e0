//! Reservations and their lines.

use std::collections::{BTreeMap, BTreeSet};

use chassis::id::Id;
use chassis::rows::{self, Column, Rows};
use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, QueryResult, Value};

use super::{damaged, get, holding, rows, run};
use crate::domain::reservation::Line;
use crate::domain::{LocationId, Movement, Reservation, Sku, State};

const WANTED: [Column; 1] = [rows::uuid("wanted")];

fn wanted(ids: impl IntoIterator<Item = Id<Reservation>>) -> Rows<1> {
    Rows::new(&WANTED, ids.into_iter().map(|id| [id.into()]))
}

/// Makes the reservations of orders, without their lines, each for a request, if there is one. Those in the answer are
/// new: of the others either the order or the request is known.
pub(crate) async fn create_all<'a>(
    tx: &DatabaseTransaction,
    reservations: impl IntoIterator<Item = (&'a Reservation, &'a str)>,
) -> Result<BTreeSet<Id<Reservation>>, DbErr> {
    const NEW: [Column; 6] = [
        rows::uuid("id"),
        rows::text("order_name"),
        rows::text("request_id").or_null(),
        rows::text("state"),
        rows::bigint("expire_time"),
        rows::bigint("create_time"),
    ];
    let mut sorted: Vec<_> = reservations.into_iter().collect();
    // Two transactions that make the same ones wait for each other at the first.
    sorted.sort_by_key(|(reservation, _)| reservation.id);
    let row = |(reservation, request_id): (&'a Reservation, &'a str)| -> [Value; 6] {
        [
            reservation.id.into(),
            reservation.order.as_str().into(),
            (!request_id.is_empty()).then_some(request_id).into(),
            reservation.state.as_str().into(),
            reservation.expire_time.into(),
            reservation.create_time.into(),
        ]
    };
    let sql =
        "INSERT INTO reservations (id, order_name, request_id, state, expire_time, create_time, update_time)
               SELECT id, order_name, request_id, state, expire_time, create_time, create_time
               FROM {rows} AS new WHERE TRUE ON CONFLICT DO NOTHING RETURNING id";
    let new = Rows::new(&NEW, sorted.into_iter().map(row)).query(tx, sql, &[], |row| get(row, 0)).await?;
    Ok(new.into_iter().collect())
}

/// Takes back reservations that were made in this transaction.
pub(crate) async fn delete(tx: &DatabaseTransaction, ids: &[Id<Reservation>]) -> Result<(), DbErr> {
    let sql = "DELETE FROM reservations WHERE id IN (SELECT wanted FROM {rows} AS these)";
    wanted(ids.iter().copied()).run(tx, sql, &[]).await?;
    Ok(())
}

/// Reads the reservation of an order to change it: nobody else does until the transaction ends.
pub(crate) async fn load(tx: &DatabaseTransaction, order: &str) -> Result<Option<Reservation>, DbErr> {
    Ok(load_all(tx, [order]).await?.remove(order))
}

/// Reads the reservations of orders to change them, by order. They are taken hold of in the order of their ids.
pub(crate) async fn load_all(
    tx: &DatabaseTransaction,
    orders: impl IntoIterator<Item = &str>,
) -> Result<BTreeMap<String, Reservation>, DbErr> {
    let sql = format!(
        "SELECT id, order_name, state, expire_time, create_time
         FROM reservations JOIN {{rows}} AS these ON wanted = id ORDER BY id {}",
        holding(tx, "reservations")
    );
    let ids: BTreeSet<_> = orders.into_iter().map(Reservation::id_of).collect();
    let found = wanted(ids).query(tx, &sql, &[], read).await?;
    let found = with_lines(tx, found).await?;
    Ok(found.into_iter().map(|reservation| (reservation.order.clone(), reservation)).collect())
}

/// Reads a reservation.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    id: Id<Reservation>,
) -> Result<Option<Reservation>, DbErr> {
    let sql = "SELECT id, order_name, state, expire_time, create_time FROM reservations WHERE id = $1";
    let found = rows(db, sql, vec![id.into()], read).await?;
    Ok(with_lines(db, found).await?.pop())
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
    mut reservations: Vec<Reservation>,
) -> Result<Vec<Reservation>, DbErr> {
    let sql = "SELECT reservation, sku, location, quantity, returned
               FROM reservation_lines JOIN {rows} AS these ON wanted = reservation ORDER BY sku, location";
    let read = |row: &QueryResult| {
        let line = Line {
            sku: Sku::stored(get(row, 1)?),
            location: LocationId::stored(get(row, 2)?),
            quantity: get(row, 3)?,
            returned: get(row, 4)?,
        };
        Ok((get::<Id<Reservation>>(row, 0)?, line))
    };
    let mut lines: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (id, line) in wanted(reservations.iter().map(|of| of.id)).query(db, sql, &[], read).await? {
        lines.entry(id).or_default().push(line);
    }
    for reservation in &mut reservations {
        reservation.lines = lines.remove(&reservation.id).unwrap_or_default();
    }
    Ok(reservations)
}

/// Keeps what became of reservations that were loaded in this transaction.
pub(crate) async fn set_states(
    tx: &DatabaseTransaction,
    ended: impl IntoIterator<Item = (Id<Reservation>, State)>,
) -> Result<(), DbErr> {
    const ENDED: [Column; 2] = [rows::uuid("ending"), rows::text("ended_as")];
    let sql =
        "UPDATE reservations SET state = ended_as, update_time = $1 FROM {rows} AS these WHERE id = ending";
    let rows = Rows::new(&ENDED, ended.into_iter().map(|(id, state)| [id.into(), state.as_str().into()]));
    rows.run(tx, sql, &[Timestamp::now().into()]).await?;
    Ok(())
}

/// Keeps the lines of reservations that have none yet.
pub(crate) async fn add_lines(tx: &DatabaseTransaction, reservations: &[Reservation]) -> Result<(), DbErr> {
    const LINES: [Column; 4] =
        [rows::uuid("reservation"), rows::text("sku"), rows::text("location"), rows::bigint("quantity")];
    let sql = "INSERT INTO reservation_lines (reservation, sku, location, quantity)
               SELECT reservation, sku, location, quantity FROM {rows} AS new";
    let lines = reservations.iter().flat_map(|of| of.lines.iter().map(|line| (of.id, line)));
    let row = |(id, line): (Id<Reservation>, &Line)| -> [Value; 4] {
        [id.into(), line.sku.as_str().into(), line.location.as_str().into(), line.quantity.into()]
    };
    Rows::new(&LINES, lines.map(row)).run(tx, sql, &[]).await?;
    Ok(())
}

/// Forgets the lines of a reservation, which gets others.
pub(crate) async fn delete_lines(tx: &DatabaseTransaction, id: Id<Reservation>) -> Result<(), DbErr> {
    run(tx, "DELETE FROM reservation_lines WHERE reservation = $1", vec![id.into()]).await?;
    Ok(())
}

/// Notes on the lines of reservations what came back.
pub(crate) async fn add_returned<'a>(
    tx: &DatabaseTransaction,
    back: impl IntoIterator<Item = (Id<Reservation>, &'a Movement)>,
) -> Result<(), DbErr> {
    const BACK: [Column; 4] =
        [rows::uuid("back_of"), rows::text("back_sku"), rows::text("back_to"), rows::bigint("back")];
    let sql = "UPDATE reservation_lines SET returned = returned + back FROM {rows} AS these
               WHERE reservation = back_of AND sku = back_sku AND location = back_to";
    let row = |(id, movement): (Id<Reservation>, &Movement)| -> [Value; 4] {
        [id.into(), movement.sku.as_str().into(), movement.location.as_str().into(), movement.on_hand.into()]
    };
    Rows::new(&BACK, back.into_iter().map(row)).run(tx, sql, &[]).await?;
    Ok(())
}

/// The orders whose reservations have run out, the oldest first.
pub(crate) async fn due(db: &impl ConnectionTrait, now: Timestamp, limit: i64) -> Result<Vec<String>, DbErr> {
    let sql = "SELECT order_name FROM reservations WHERE state = 'HELD' AND expire_time <= $1
               ORDER BY expire_time LIMIT $2";
    rows(db, sql, vec![now.into(), limit.into()], |row| get(row, 0)).await
}
