//! The task that lets old behaviour go.
use std::time::Duration;

use chassis::db::Db;
use chassis::time::Timestamp;
use sea_orm::DbErr;
use tokio_util::sync::CancellationToken;

use crate::store;

const EVERY: Duration = Duration::from_secs(3_600);
/// Rows deleted by one transaction: it is over before anyone notices.
const BATCH: u32 = 1_000;
const DAY: Duration = Duration::from_secs(86_400);

/// Deletes behaviour that is older than so many days, until shutdown.
pub(crate) async fn run(db: Db, days: u16, shutdown: CancellationToken) {
    loop {
        if let Err(error) = delete(&db, days).await {
            tracing::warn!(%error, "old behaviour stays until the next try");
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

async fn delete(db: &Db, days: u16) -> Result<(), DbErr> {
    let before = Timestamp::now().minus(DAY * u32::from(days));
    while db.write(async |tx| store::behaviour::delete_before(tx, before, BATCH).await).await?
        == u64::from(BATCH)
    {}
    Ok(())
}
