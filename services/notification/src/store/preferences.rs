//! What people want to be told.
use std::collections::BTreeSet;

use chassis::{
    rows::{Column, Rows, text},
    time::Timestamp,
};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult};

use super::{changed, one};

/// What somebody wants to be told; everything where nothing was said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromQueryResult)]
pub(crate) struct Preferences {
    pub(crate) shipping_updates_muted: bool,
    pub(crate) marketing_muted: bool,
}

/// Somebody's preferences.
pub(crate) async fn find(connection: &impl ConnectionTrait, subject: &str) -> Result<Preferences, DbErr> {
    let kept = one(
        connection,
        "SELECT shipping_updates_muted, marketing_muted FROM preferences WHERE subject = $1",
        [subject.into()],
    )
    .await?;
    Ok(kept.unwrap_or_default())
}

/// Those of the subjects who do not want news about shipments.
pub(crate) async fn muted(
    connection: &impl ConnectionTrait,
    subjects: &BTreeSet<&str>,
) -> Result<BTreeSet<String>, DbErr> {
    const SUBJECTS: [Column; 1] = [text("wanted")];
    let sql = "SELECT subject FROM preferences JOIN {rows} AS these ON wanted = subject WHERE shipping_updates_muted";
    let subjects = Rows::new(&SUBJECTS, subjects.iter().map(|subject| [(*subject).into()]));
    let found = subjects.query(connection, sql, &[], |row| row.try_get_by_index(0)).await?;
    Ok(found.into_iter().collect())
}

/// Saves somebody's preferences.
pub(crate) async fn save(
    tx: &DatabaseTransaction,
    subject: &str,
    preferences: Preferences,
    now: Timestamp,
) -> Result<(), DbErr> {
    changed(
        tx,
        "INSERT INTO preferences (subject, shipping_updates_muted, marketing_muted, update_time) VALUES ($1, $2, $3, $4)
         ON CONFLICT (subject) DO UPDATE SET shipping_updates_muted = excluded.shipping_updates_muted,
         marketing_muted = excluded.marketing_muted, update_time = excluded.update_time",
        [subject.into(), preferences.shipping_updates_muted.into(), preferences.marketing_muted.into(), now.into()],
    )
    .await?;
    Ok(())
}

/// Forgets somebody's preferences.
pub(crate) async fn erase(tx: &DatabaseTransaction, subject: &str) -> Result<(), DbErr> {
    changed(tx, "DELETE FROM preferences WHERE subject = $1", [subject.into()]).await?;
    Ok(())
}
