//! The development inbox: mail that was caught in place of a mail server.
use chassis::{
    id::Id,
    page::Page,
    rows::{Column, Rows, bigint, text, uuid},
    time::Timestamp,
};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult, Value};

use super::{all, changed, newest_after};
use crate::domain::CaughtMail;

/// A caught message.
#[derive(FromQueryResult)]
pub(crate) struct Caught {
    pub(crate) id: Id<CaughtMail>,
    pub(crate) address: String,
    pub(crate) recipient: String,
    pub(crate) kind: String,
    pub(crate) subject: String,
    pub(crate) body: String,
    pub(crate) send_time: Timestamp,
}

/// Catches messages.
pub(crate) async fn insert<'a>(
    tx: &DatabaseTransaction,
    caught: impl IntoIterator<Item = &'a Caught>,
) -> Result<(), DbErr> {
    const CAUGHT: [Column; 7] = [
        uuid("id"),
        text("address"),
        text("recipient"),
        text("kind"),
        text("subject"),
        text("body"),
        bigint("send_time"),
    ];
    let row = |caught: &Caught| -> [Value; 7] {
        [
            caught.id.into(),
            caught.address.as_str().into(),
            caught.recipient.as_str().into(),
            caught.kind.as_str().into(),
            caught.subject.as_str().into(),
            caught.body.as_str().into(),
            caught.send_time.into(),
        ]
    };
    let sql = "INSERT INTO caught_mail (id, address, recipient, kind, subject, body, send_time)
               SELECT id, address, recipient, kind, subject, body, send_time FROM {rows} AS new";
    Rows::new(&CAUGHT, caught.into_iter().map(row)).run(tx, sql, &[]).await?;
    Ok(())
}

/// A page of caught messages, newest first; one more than fits where another page follows.
pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    address: Option<&str>,
    page: &Page,
) -> Result<Vec<Caught>, DbErr> {
    let (time, id) = newest_after(page.after.as_deref());
    let limit = i64::try_from(page.size + 1).unwrap_or(i64::MAX);
    let (filter, address) = match address {
        Some(address) => ("address = $1", address),
        None => ("$1 = ''", ""),
    };
    let sql = format!(
        "SELECT id, address, recipient, kind, subject, body, send_time FROM caught_mail
         WHERE {filter} AND (send_time < $2 OR (send_time = $2 AND id < $3)) ORDER BY send_time DESC, id DESC LIMIT $4"
    );
    all(connection, &sql, [address.into(), time.into(), id.into(), limit.into()]).await
}

/// Forgets what is older.
pub(crate) async fn sweep(tx: &DatabaseTransaction, before: Timestamp) -> Result<(), DbErr> {
    changed(tx, "DELETE FROM caught_mail WHERE send_time < $1", [before.into()]).await?;
    Ok(())
}

/// Forgets what somebody got.
pub(crate) async fn erase(tx: &DatabaseTransaction, recipient: &str) -> Result<(), DbErr> {
    changed(tx, "DELETE FROM caught_mail WHERE recipient = $1", [recipient.into()]).await?;
    Ok(())
}
