//! The outbox: events are written in the transaction that makes them true, and sent from there.

mod relay;

use prost::Message;
use sea_orm::{DatabaseTransaction, DbErr, Value};
use uuid::Uuid;

pub use relay::Relay;

use crate::event::{self, Event};
use crate::rows::{self, Column, Rows};
use crate::time::Timestamp;

/// Appends an event about the aggregate called `key`. It is sent once the transaction commits, and never otherwise.
pub async fn append<E: Event>(tx: &DatabaseTransaction, key: &str, event: &E) -> Result<Uuid, DbErr> {
    let id = Uuid::now_v7();
    insert(tx, vec![row(id, key, event)]).await?;
    Ok(id)
}

/// Appends many events of one type, each with the aggregate it speaks of, in the order given.
pub async fn append_many<K: AsRef<str>, E: Event>(
    tx: &DatabaseTransaction,
    events: Vec<(K, &E)>,
) -> Result<(), DbErr> {
    let rows = events.into_iter().map(|(key, event)| row(Uuid::now_v7(), key.as_ref(), event)).collect();
    insert(tx, rows).await
}

const COLUMNS: [Column; 6] = [
    rows::uuid("id"),
    rows::text("kind"),
    rows::text("key"),
    rows::text("trace").or_null(),
    rows::bytes("payload"),
    rows::bigint("create_time"),
];

fn row<E: Event>(id: Uuid, key: &str, event: &E) -> [Value; COLUMNS.len()] {
    [
        id.into(),
        E::full_name().into(),
        key.into(),
        event::traceparent().into(),
        Message::encode_to_vec(event).into(),
        Timestamp::now().micros().into(),
    ]
}

async fn insert(tx: &DatabaseTransaction, rows: Vec<[Value; COLUMNS.len()]>) -> Result<(), DbErr> {
    let rows = Rows::new(&COLUMNS, rows);
    if rows.is_empty() {
        return Ok(());
    }
    let sql = "INSERT INTO outbox (id, kind, key, trace, payload, create_time)
         SELECT id, kind, key, trace, payload, create_time FROM {rows} AS new";
    rows.run(tx, sql, &[]).await?;
    crate::db::announce();
    Ok(())
}
