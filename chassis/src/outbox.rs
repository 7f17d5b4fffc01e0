//! The outbox: events are written in the transaction that makes them true, and sent from there.

mod relay;

use prost::Message;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, Statement, Value};
use uuid::Uuid;

pub use relay::Relay;

use crate::event::{self, Event};
use crate::time::Timestamp;

/// Rows written by one statement: far below the number of parameters either database allows.
const ROWS_MAX: usize = 500;

/// Appends an event about the aggregate called `key`. It is sent once the transaction commits, and never otherwise.
pub async fn append<E: Event>(tx: &DatabaseTransaction, key: &str, event: &E) -> Result<Uuid, DbErr> {
    let id = Uuid::now_v7();
    insert(tx, [row(id, key, event)]).await?;
    Ok(id)
}

/// Appends many events of one type, each with the aggregate it speaks of, in the order given.
pub async fn append_many<'a, E: Event>(
    tx: &DatabaseTransaction,
    events: impl IntoIterator<Item = (&'a str, &'a E)>,
) -> Result<(), DbErr> {
    let rows: Vec<_> = events.into_iter().map(|(key, event)| row(Uuid::now_v7(), key, event)).collect();
    let mut rows = rows.into_iter();
    loop {
        let some: Vec<_> = rows.by_ref().take(ROWS_MAX).collect();
        if some.is_empty() {
            return Ok(());
        }
        insert(tx, some).await?;
    }
}

const COLUMNS: usize = 6;

fn row<E: Event>(id: Uuid, key: &str, event: &E) -> [Value; COLUMNS] {
    [
        id.into(),
        E::full_name().into(),
        key.into(),
        event::traceparent().into(),
        Message::encode_to_vec(event).into(),
        Timestamp::now().micros().into(),
    ]
}

async fn insert(
    tx: &DatabaseTransaction,
    rows: impl IntoIterator<Item = [Value; COLUMNS]>,
) -> Result<(), DbErr> {
    let values: Vec<Value> = rows.into_iter().flatten().collect();
    let places: Vec<String> = (1..=values.len())
        .step_by(COLUMNS)
        .map(|first| {
            let places: Vec<String> = (first..first + COLUMNS).map(|place| format!("${place}")).collect();
            format!("({})", places.join(", "))
        })
        .collect();
    let sql = format!(
        "INSERT INTO outbox (id, kind, key, trace, payload, create_time) VALUES {}",
        places.join(", ")
    );
    tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values)).await?;
    crate::db::announce();
    Ok(())
}
