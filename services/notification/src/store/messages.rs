//! Messages: asked for in one transaction, sent by whoever claims them, kept as the record of what was told.
use chassis::{
    id::Id,
    page::Page,
    rows::{Column, Rows, bigint, text, uuid},
    time::Timestamp,
};
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseTransaction, DbErr, FromQueryResult, Value};

use super::{all, changed, newest_after, one};
use crate::domain::{Channel, Notification, State, template::Filling};

/// A message.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) id: Id<Notification>,
    pub(crate) dedup_key: String,
    pub(crate) channel: Channel,
    pub(crate) recipient: String,
    pub(crate) kind: String,
    /// What it is about, such as an order.
    pub(crate) reference: String,
    pub(crate) state: State,
    /// Where to; the recipient's own address where empty.
    pub(crate) address: String,
    /// The language; the recipient's where empty.
    pub(crate) locale: String,
    /// What the sender knows already.
    pub(crate) filling: Filling,
    pub(crate) subject: String,
    pub(crate) body: String,
    pub(crate) attempts: i32,
    pub(crate) failure: String,
    pub(crate) create_time: Timestamp,
    pub(crate) send_time: Option<Timestamp>,
}

#[derive(FromQueryResult)]
pub(super) struct Row {
    id: Id<Notification>,
    dedup_key: String,
    channel: String,
    recipient: String,
    kind: String,
    reference: String,
    state: String,
    address: String,
    locale: String,
    filling: String,
    subject: String,
    body: String,
    attempts: i32,
    failure: String,
    create_time: Timestamp,
    send_time: Option<Timestamp>,
}

impl TryFrom<Row> for Message {
    type Error = DbErr;

    fn try_from(row: Row) -> Result<Message, DbErr> {
        let damaged = |what: &str| DbErr::Type(format!("a message has the {what} of none"));
        Ok(Message {
            id: row.id,
            dedup_key: row.dedup_key,
            channel: Channel::parse(&row.channel).ok_or_else(|| damaged("channel"))?,
            recipient: row.recipient,
            kind: row.kind,
            reference: row.reference,
            state: State::parse(&row.state).ok_or_else(|| damaged("state"))?,
            address: row.address,
            locale: row.locale,
            filling: serde_json::from_str(&row.filling).map_err(|error| DbErr::Json(error.to_string()))?,
            subject: row.subject,
            body: row.body,
            attempts: row.attempts,
            failure: row.failure,
            create_time: row.create_time,
            send_time: row.send_time,
        })
    }
}

pub(super) const COLUMNS: &str = "id, dedup_key, channel, recipient, kind, reference, state, address, locale, filling, subject, body, \
    attempts, failure, create_time, send_time";

const NEW: [Column; 12] = [
    uuid("id"),
    text("dedup_key"),
    text("channel"),
    text("recipient"),
    text("kind"),
    text("reference"),
    text("state"),
    text("address"),
    text("locale"),
    text("filling"),
    text("failure"),
    bigint("create_time"),
];

/// Asks for messages. Those that were asked for before are not asked for again: the same key and channel is told once.
pub(crate) async fn insert(tx: &DatabaseTransaction, messages: &[Message]) -> Result<(), DbErr> {
    let mut sorted: Vec<&Message> = messages.iter().collect();
    // Two transactions that ask for the same ones wait for each other at the first.
    sorted.sort_by_key(|message| (&message.dedup_key, message.channel.as_str()));
    let row = |message: &Message| -> [Value; 12] {
        [
            message.id.into(),
            message.dedup_key.as_str().into(),
            message.channel.as_str().into(),
            message.recipient.as_str().into(),
            message.kind.as_str().into(),
            message.reference.as_str().into(),
            message.state.as_str().into(),
            message.address.as_str().into(),
            message.locale.as_str().into(),
            serde_json::json!(message.filling).to_string().into(),
            message.failure.as_str().into(),
            message.create_time.into(),
        ]
    };
    let sql = "INSERT INTO notifications (id, dedup_key, channel, recipient, kind, reference, state, address, locale,
                   filling, subject, body, attempts, failure, next_time, create_time)
               SELECT id, dedup_key, channel, recipient, kind, reference, state, address, locale,
                   filling, '', '', 0, failure, create_time, create_time
               FROM {rows} AS new WHERE TRUE ON CONFLICT (dedup_key, channel) DO NOTHING";
    Rows::new(&NEW, sorted.into_iter().map(row)).run(tx, sql, &[]).await?;
    Ok(())
}

/// One message.
pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    id: Id<Notification>,
) -> Result<Option<Message>, DbErr> {
    let row =
        one::<Row>(connection, &format!("SELECT {COLUMNS} FROM notifications WHERE id = $1"), [id.into()])
            .await?;
    row.map(Message::try_from).transpose()
}

/// A page of somebody's messages, newest first; one more than fits where another page follows.
pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    recipient: &str,
    page: &Page,
) -> Result<Vec<Message>, DbErr> {
    let (time, id) = newest_after(page.after.as_deref());
    let limit = i64::try_from(page.size + 1).unwrap_or(i64::MAX);
    let sql = format!(
        "SELECT {COLUMNS} FROM notifications WHERE recipient = $1 AND (create_time < $2 OR (create_time = $2 AND id < $3))
         ORDER BY create_time DESC, id DESC LIMIT $4"
    );
    let rows = all::<Row>(connection, &sql, [recipient.into(), time.into(), id.into(), limit.into()]).await?;
    rows.into_iter().map(Message::try_from).collect()
}

/// What came to somebody's inbox from that time on, oldest first.
pub(crate) async fn inbox_since(
    connection: &impl ConnectionTrait,
    recipient: &str,
    since: Timestamp,
) -> Result<Vec<Message>, DbErr> {
    let sql = format!(
        "SELECT {COLUMNS} FROM notifications WHERE recipient = $1 AND channel = 'INBOX' AND state = 'SENT' AND send_time >= $2
         ORDER BY send_time, id LIMIT 1000"
    );
    let rows = all::<Row>(connection, &sql, [recipient.into(), since.into()]).await?;
    rows.into_iter().map(Message::try_from).collect()
}

/// Sends a failed message again, with all its tries. False where it has not failed.
pub(crate) async fn revive(
    tx: &DatabaseTransaction,
    id: Id<Notification>,
    now: Timestamp,
) -> Result<bool, DbErr> {
    changed(
        tx,
        "UPDATE notifications SET state = 'PENDING', attempts = 0, failure = '', next_time = $2 WHERE id = $1 AND state = 'FAILED'",
        [id.into(), now.into()],
    )
    .await
}

/// Forgets everything personal in somebody's messages. That they were told stays.
pub(crate) async fn erase(tx: &DatabaseTransaction, recipient: &str) -> Result<(), DbErr> {
    let sql = "UPDATE notifications SET subject = '', body = '', address = '', filling = '{}', locale = '',
               failure = CASE WHEN state = 'PENDING' THEN 'the recipient was erased' ELSE failure END,
               state = CASE WHEN state = 'PENDING' THEN 'SUPPRESSED' ELSE state END WHERE recipient = $1";
    changed(tx, sql, [recipient.into()]).await?;
    Ok(())
}

/// How many wait to be sent.
pub(crate) async fn count_pending(connection: &impl ConnectionTrait) -> Result<u64, DbErr> {
    count(connection, "SELECT COUNT(*) AS count FROM notifications WHERE state = 'PENDING'", []).await
}

/// A count over the messages.
pub(crate) async fn count(
    connection: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = sea_orm::Value>,
) -> Result<u64, DbErr> {
    #[derive(FromQueryResult)]
    struct Count {
        count: i64,
    }
    let count = one::<Count>(connection, sql, values).await?.map_or(0, |row| row.count);
    Ok(u64::try_from(count).unwrap_or_default())
}

/// The names that a query over the messages finds.
pub(crate) async fn names(
    connection: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = sea_orm::Value>,
) -> Result<Vec<String>, DbErr> {
    #[derive(FromQueryResult)]
    struct Name {
        name: String,
    }
    Ok(all::<Name>(connection, sql, values).await?.into_iter().map(|row| row.name).collect())
}

/// What became of the confirmations of orders whose names sort after `after`, in that order.
pub(crate) async fn confirmations(
    connection: &impl ConnectionTrait,
    after: &str,
    limit: u64,
) -> Result<Vec<(String, String)>, DbErr> {
    #[derive(FromQueryResult)]
    struct Confirmation {
        reference: String,
        state: String,
    }
    let by_bytes =
        if connection.get_database_backend() == DatabaseBackend::Postgres { "COLLATE \"C\"" } else { "" };
    let sql = format!(
        "SELECT reference, state FROM notifications WHERE kind = 'order-confirmed' AND channel = 'EMAIL'
         AND reference {by_bytes} > $1 ORDER BY reference {by_bytes} LIMIT $2"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = all::<Confirmation>(connection, &sql, [after.into(), limit.into()]).await?;
    Ok(rows.into_iter().map(|row| (row.reference, row.state)).collect())
}
