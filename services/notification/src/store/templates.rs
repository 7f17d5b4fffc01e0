//! Templates by kind, language and channel.
use std::collections::BTreeSet;

use chassis::{
    page::Page,
    rows::{Column, Rows, text},
    time::Timestamp,
};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult};

use super::{all, changed, one};
use crate::domain::{Channel, template::Template};

/// A template, and when it last changed.
pub(crate) struct Kept {
    pub(crate) template: Template,
    pub(crate) update_time: Timestamp,
}

#[derive(FromQueryResult)]
struct Row {
    kind: String,
    locale: String,
    channel: String,
    subject: String,
    body: String,
    update_time: Timestamp,
}

impl TryFrom<Row> for Kept {
    type Error = DbErr;

    fn try_from(row: Row) -> Result<Kept, DbErr> {
        let channel = Channel::parse(&row.channel)
            .ok_or_else(|| DbErr::Type(format!("{} is no channel", row.channel)))?;
        let template =
            Template { kind: row.kind, locale: row.locale, channel, subject: row.subject, body: row.body };
        Ok(Kept { template, update_time: row.update_time })
    }
}

/// The template in exactly that language.
pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    kind: &str,
    locale: &str,
    channel: Channel,
) -> Result<Option<Kept>, DbErr> {
    let row = one::<Row>(
        connection,
        "SELECT kind, locale, channel, subject, body, update_time FROM templates WHERE kind = $1 AND locale = $2 AND channel = $3",
        [kind.into(), locale.into(), channel.as_str().into()],
    )
    .await?;
    row.map(Kept::try_from).transpose()
}

/// All templates of these kinds.
pub(crate) async fn of_kinds(
    connection: &impl ConnectionTrait,
    kinds: &BTreeSet<&str>,
) -> Result<Vec<Template>, DbErr> {
    const KINDS: [Column; 1] = [text("wanted")];
    let sql = "SELECT kind, locale, channel, subject, body, update_time
               FROM templates JOIN {rows} AS these ON wanted = kind";
    let kinds = Rows::new(&KINDS, kinds.iter().map(|kind| [(*kind).into()]));
    let rows = kinds.all::<Row>(connection, sql, &[]).await?;
    rows.into_iter().map(|row| Ok(Kept::try_from(row)?.template)).collect()
}

/// A page of templates, by name; one more than fits where another page follows.
pub(crate) async fn list(connection: &impl ConnectionTrait, page: &Page) -> Result<Vec<Kept>, DbErr> {
    let (kind, locale, channel) = match page.after.as_deref() {
        Some([kind, locale, channel]) => (kind.as_str(), locale.as_str(), channel.as_str()),
        _ => ("", "", ""),
    };
    let limit = i64::try_from(page.size + 1).unwrap_or(i64::MAX);
    let rows = all::<Row>(
        connection,
        "SELECT kind, locale, channel, subject, body, update_time FROM templates
         WHERE kind > $1 OR (kind = $1 AND (locale > $2 OR (locale = $2 AND channel > $3)))
         ORDER BY kind, locale, channel LIMIT $4",
        [kind.into(), locale.into(), channel.into(), limit.into()],
    )
    .await?;
    rows.into_iter().map(Kept::try_from).collect()
}

/// Saves a template, new or changed.
pub(crate) async fn save(tx: &DatabaseTransaction, template: &Template, now: Timestamp) -> Result<(), DbErr> {
    changed(
        tx,
        "INSERT INTO templates (kind, locale, channel, subject, body, update_time) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (kind, locale, channel) DO UPDATE SET subject = excluded.subject, body = excluded.body,
         update_time = excluded.update_time",
        [
            template.kind.as_str().into(),
            template.locale.as_str().into(),
            template.channel.as_str().into(),
            template.subject.as_str().into(),
            template.body.as_str().into(),
            now.into(),
        ],
    )
    .await?;
    Ok(())
}
