//! Looks for carts that nobody came back to, and forgets those that have been closed for long.

use std::time::Duration;

use chassis::db::Db;
use chassis::status;
use chassis::time::Timestamp;
use sea_orm::DbErr;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::{service, store};

/// Carts abandoned in one round, where what is left waits for the next; and carts forgotten in one transaction.
const ROUND_MAX: i64 = 500;

/// Looks for them until shutdown. Closed ones are kept for so many days.
pub(crate) async fn run(db: &Db, config: Config, history_days: u16, shutdown: CancellationToken) {
    let every = Duration::from_millis(config.cart_abandoned_every_ms);
    let rest = Duration::from_secs(config.cart_abandoned_after_seconds);
    let kept = Duration::from_secs(u64::from(history_days) * 24 * 3600);
    while shutdown.run_until_cancelled(tokio::time::sleep(every)).await.is_some() {
        let now = Timestamp::now();
        if let Err(error) = round(db, now.minus(rest), now.minus(kept), &shutdown).await {
            tracing::warn!(
                error = status::chain(&error),
                "carts could not be looked through for abandoned ones"
            );
        }
    }
}

/// Each in its own transaction, which decides: its owner, or another replica, may be at it.
async fn round(
    db: &Db,
    since: Timestamp,
    closed_before: Timestamp,
    shutdown: &CancellationToken,
) -> Result<(), DbErr> {
    for id in store::at_rest(db.writer(), since, ROUND_MAX).await? {
        if db.write(async |tx| service::abandon(tx, id, since).await).await? {
            tracing::debug!(cart.id = %id, "a cart is abandoned");
        }
    }
    db.write(async |tx| store::sweep(tx, since).await).await?;
    while !shutdown.is_cancelled() {
        let forgotten = db.write(async |tx| store::forget_closed(tx, closed_before, ROUND_MAX).await).await?;
        if forgotten < ROUND_MAX.unsigned_abs() {
            break;
        }
    }
    Ok(())
}
