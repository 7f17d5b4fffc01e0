//! Gives back the stock of reservations whose time has run out.

use std::time::Duration;

use chassis::db::{self, Db};
use chassis::status;
use chassis::time::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::domain::Cause;
use crate::error::Error;
use crate::{service, store};

/// Reservations ended in one round; what is left waits for the next.
const ROUND_MAX: i64 = 500;

/// Looks for them until shutdown.
pub(crate) async fn run(db: &Db, config: Config, shutdown: CancellationToken) {
    let every = Duration::from_millis(config.inventory_expiry_every_ms);
    while shutdown.run_until_cancelled(tokio::time::sleep(every)).await.is_some() {
        if let Err(error) = round(db).await {
            tracing::warn!(
                error = status::chain(&error),
                "reservations could not be looked through for those that ran out"
            );
        }
    }
}

/// One that cannot be ended does not hold up those after it, unless it is the database that is away from all of them.
async fn round(db: &Db) -> Result<(), Error> {
    for order in store::reservations::due(db.writer(), Timestamp::now(), ROUND_MAX).await? {
        match expire(db, &order).await {
            Ok(true) => {
                tracing::info!(order.id = order, "a reservation ran out; its stock can be sold again")
            }
            Ok(false) => {}
            Err(error) if db::is_outage(&error) => return Err(error),
            Err(error) => tracing::warn!(
                order.id = order,
                error = status::chain(&error),
                "a reservation ran out, but its stock could not be given back"
            ),
        }
    }
    Ok(())
}

/// Each in its own transaction, which decides: another replica may be at the same one.
async fn expire(db: &Db, order: &str) -> Result<bool, Error> {
    let cause = Cause {
        reference: order.to_owned(),
        actor: "service:inventory".to_owned(),
        reason: "the reservation's time ran out".to_owned(),
        time: Timestamp::now(),
    };
    db.write(async |tx| service::reservations::expire(tx, order, &cause).await).await
}
