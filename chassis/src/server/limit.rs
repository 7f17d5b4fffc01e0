//! A bound on the calls worked on at once, so that too much work slows some callers instead of stopping all.
use std::{sync::Arc, time::Duration};

use tokio::sync::Semaphore;

use super::around::{Answer, Around, Call, Inner, proceed, refuse};
use crate::{deadline, policy, status};

/// How long a call may wait for its turn: a burst passes, an overload does not build a queue of calls nobody waits for.
const WAIT_MAX: Duration = Duration::from_millis(250);

/// Works on so many calls at once, lets as many wait a moment, and turns the rest away at once.
#[derive(Clone)]
pub(crate) struct Limit {
    working: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Limit {
    pub(crate) fn new(in_flight_max: u16) -> Self {
        let seats = || Arc::new(Semaphore::new(in_flight_max.into()));
        Self { working: seats(), waiting: seats() }
    }

    async fn turn(&self) -> Option<tokio::sync::OwnedSemaphorePermit> {
        if let Ok(turn) = Arc::clone(&self.working).try_acquire_owned() {
            return Some(turn);
        }
        let _seat = self.waiting.try_acquire().ok()?;
        // Half the time left must remain for the work itself.
        let wait = deadline::remaining().map_or(WAIT_MAX, |left| WAIT_MAX.min(left / 2));
        tokio::time::timeout(wait, Arc::clone(&self.working).acquire_owned()).await.ok()?.ok()
    }
}

impl Around for Limit {
    async fn around<S: Inner>(self, call: Call, inner: S) -> Answer {
        // Probes must get through when the service is busiest, and cost nothing.
        if policy::of(call.uri().path()).is_none() {
            return proceed(inner, call).await;
        }
        let Some(_turn) = self.turn().await else {
            metrics::counter!("rpc_server_shed_total").increment(1);
            let message = "the service is working on as much as it can; try again";
            return refuse(status::exhausted("OVERLOADED", message, Duration::from_millis(500)));
        };
        proceed(inner, call).await
    }
}
