//! Messages that are to be sent: taken by a lease, ended, or tried again later, many at a time.
use std::{collections::BTreeSet, time::Duration};

use chassis::{
    db::Db,
    id::Id,
    rows::{Column, Rows, bigint, bool, int, text, uuid},
    time::Timestamp,
};
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseTransaction, DbErr, Value};

use super::{
    all,
    messages::{COLUMNS, Message, Row},
};
use crate::domain::{Notification, State};

/// Whether anything is to be sent now.
pub(crate) async fn any(connection: &impl ConnectionTrait, now: Timestamp) -> Result<bool, DbErr> {
    let sql = "SELECT 1 FROM notifications WHERE state = 'PENDING' AND next_time <= $1 LIMIT 1";
    let statement = super::statement(connection, sql, [now.into()]);
    Ok(connection.query_one_raw(statement).await?.is_some())
}

/// Takes so many of the messages that are to be sent now, for as long as the lease, and counts the try: one that is cut
/// off may have reached the mail server, and the count says so. What another replica is at is left to it.
pub(crate) async fn lease(
    tx: &DatabaseTransaction,
    span: Duration,
    limit: i64,
) -> Result<Vec<Message>, DbErr> {
    let others = match tx.get_database_backend() == DatabaseBackend::Postgres {
        true => "FOR UPDATE SKIP LOCKED",
        false => "",
    };
    // The limit stands in the text, so that the plan knows how few are taken, and finds each by its key.
    let sql = format!(
        "UPDATE notifications SET attempts = attempts + 1, next_time = $2
         WHERE id IN (SELECT id FROM notifications WHERE state = 'PENDING' AND next_time <= $1
                      ORDER BY next_time, id LIMIT {limit} {others})
         RETURNING {COLUMNS}"
    );
    let now = Timestamp::now();
    let rows = all::<Row>(tx, &sql, [now.into(), now.plus(span).into()]).await?;
    rows.into_iter().map(Message::try_from).collect()
}

/// Makes all that is to be sent due now. Only for a database that no other process has open: whoever had taken some is gone.
pub(crate) async fn abandon_all(db: &Db) -> Result<(), DbErr> {
    let sql = "UPDATE notifications SET next_time = $1 WHERE state = 'PENDING' AND next_time > $1";
    db.execute(super::statement(db.writer(), sql, [Timestamp::now().into()])).await.map(drop)
}

/// What was said, and where it ended.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) state: State,
    pub(crate) subject: String,
    pub(crate) body: String,
    pub(crate) failure: String,
    /// Whether what it was made of is forgotten.
    pub(crate) forget: bool,
}

/// Ends messages, and gives those that had not ended already. The address is not kept: it is the recipient's to change.
pub(crate) async fn end<'a>(
    tx: &DatabaseTransaction,
    endings: impl IntoIterator<Item = (Id<Notification>, &'a Ending)>,
    now: Timestamp,
) -> Result<BTreeSet<Id<Notification>>, DbErr> {
    const ENDED: [Column; 7] = [
        uuid("ended"),
        text("ended_as"),
        text("said_about"),
        text("said"),
        text("why"),
        bool("forgotten"),
        bigint("sent_at").or_null(),
    ];
    let row = |(id, ending): (Id<Notification>, &Ending)| -> [Value; 7] {
        [
            id.into(),
            ending.state.as_str().into(),
            ending.subject.as_str().into(),
            ending.body.as_str().into(),
            ending.failure.as_str().into(),
            ending.forget.into(),
            (ending.state == State::Sent).then_some(now).into(),
        ]
    };
    let sql = "UPDATE notifications
               SET state = ended_as, subject = said_about, body = said, failure = why, send_time = sent_at,
                   filling = CASE WHEN forgotten THEN '{}' ELSE filling END,
                   address = CASE WHEN forgotten THEN '' ELSE address END
               FROM {rows} AS these WHERE id = ended AND state = 'PENDING' RETURNING id";
    let ended = Rows::new(&ENDED, endings.into_iter().map(row));
    Ok(ended.query(tx, sql, &[], |row| row.try_get_by_index(0)).await?.into_iter().collect())
}

/// When to try again, and why not now. The try is not counted where it never began.
#[derive(Debug)]
pub(crate) struct Again {
    pub(crate) next_time: Timestamp,
    pub(crate) failure: String,
    pub(crate) counted: bool,
}

/// Has messages tried again.
pub(crate) async fn postpone<'a>(
    tx: &DatabaseTransaction,
    postponed: impl IntoIterator<Item = (Id<Notification>, &'a Again)>,
) -> Result<(), DbErr> {
    const POSTPONED: [Column; 4] = [uuid("postponed"), bigint("until"), text("why"), int("uncounted")];
    let row = |(id, again): (Id<Notification>, &Again)| -> [Value; 4] {
        [id.into(), again.next_time.into(), again.failure.as_str().into(), i32::from(!again.counted).into()]
    };
    let sql = "UPDATE notifications SET next_time = until, failure = why, attempts = attempts - uncounted
               FROM {rows} AS these WHERE id = postponed AND state = 'PENDING'";
    Rows::new(&POSTPONED, postponed.into_iter().map(row)).run(tx, sql, &[]).await?;
    Ok(())
}
