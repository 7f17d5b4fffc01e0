//! What people want to be told.
use chassis::time::Timestamp;
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
