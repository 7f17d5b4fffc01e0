//! The task that makes prices hold when their time has come.
use std::time::Duration;

use chassis::time::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::Service;
use crate::error::Error;
use crate::{service, store};

/// How often to look although nothing is known to fall due: another replica may have been told of a price.
const EVERY: Duration = Duration::from_secs(5);
/// How long to leave the database alone after a failure.
const REST: Duration = Duration::from_secs(1);

/// Applies prices until shutdown.
pub(crate) async fn run(this: Service, shutdown: CancellationToken) {
    loop {
        let wait = match apply_due(&this).await {
            Ok(wait) => wait,
            Err(error) => {
                tracing::warn!(error = %chassis::status::chain(&error), "prices that fell due wait for the database");
                REST
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = this.prices_set.notified() => {}
            () = shutdown.cancelled() => return,
        }
    }
}

/// Applies what is due, and says how long until there is more.
async fn apply_due(this: &Service) -> Result<Duration, Error> {
    loop {
        let due = store::price::due(this.db.writer(), Timestamp::now()).await?;
        if due.is_empty() {
            break;
        }
        for (name, price) in due {
            let applied = this.db.write(async |tx| service::price::apply(tx, name, &price).await).await?;
            if applied {
                tracing::info!(variant.name = %name, price.amount = %price.amount, "a price came into effect");
            }
            this.views.forget_all_of(name.product).await;
        }
    }
    let next = store::price::next_due(this.db.writer()).await?;
    Ok(next.map_or(EVERY, |next| next.since(Timestamp::now()).min(EVERY)))
}
