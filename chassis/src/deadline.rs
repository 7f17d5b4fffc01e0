//! The time left for the call being answered, known to everything it does.
use std::{future::Future, time::Duration};

use tokio::time::Instant;

tokio::task_local! {
    static DEADLINE: Instant;
}

/// The time left for the call this task serves; `None` in background work.
pub fn remaining() -> Option<Duration> {
    current().map(|at| at.saturating_duration_since(Instant::now()))
}

/// Runs the work under a deadline that `remaining` reports. It does not cut the work.
pub async fn scope<T>(at: Instant, work: impl Future<Output = T>) -> T {
    DEADLINE.scope(at, work).await
}

/// The moment the call this task serves is answered at the latest.
pub(crate) fn current() -> Option<Instant> {
    DEADLINE.try_with(|at| *at).ok()
}
