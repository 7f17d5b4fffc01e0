//! Tasks that are waited for at shutdown and keep the trace of whoever started them.
use std::{future::Future, sync::LazyLock, time::Duration};

use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::deadline;

/// One for the process: services that share it are drained together.
static TASKS: LazyLock<TaskTracker> = LazyLock::new(TaskTracker::new);

/// Starts background work that `drain` waits for. The name appears in its log lines.
pub fn spawn<T: Send + 'static>(
    name: &'static str,
    work: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    TASKS.spawn(work.instrument(tracing::info_span!("task", name)))
}

/// Runs the work as its own task and waits for it: a caller that stops waiting does not cut it half-way.
/// It keeps the current span and deadline. Its panic becomes the waiter's.
pub async fn detached<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    match run(work).await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a runtime that is shutting down cancels our tasks, and it drops the waiter too.
            Err(_) => std::future::pending().await,
        },
    }
}

/// The task behind `detached`, for those who treat a panic themselves.
pub(crate) fn run<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    let deadline = deadline::current();
    let work = async move {
        match deadline {
            Some(at) => deadline::scope(at, work).await,
            None => work.await,
        }
    };
    TASKS.spawn(work.in_current_span())
}

/// Waits until all tasks have ended, at most as long as given. Says whether they have.
pub async fn drain(timeout: Duration) -> bool {
    TASKS.close();
    let drained = tokio::time::timeout(timeout, TASKS.wait()).await.is_ok();
    if !drained {
        tracing::warn!(tasks = TASKS.len(), "stopping although some tasks have not ended");
    }
    drained
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn detached_work_ends_although_nobody_waits_any_more() {
        let (go, ended) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let work = {
            let (go, ended) = (go.clone(), ended.clone());
            async move {
                go.notified().await;
                ended.notify_one();
            }
        };
        let waiting = tokio::time::timeout(Duration::from_millis(5), detached(work)).await;
        assert!(waiting.is_err());
        go.notify_one();
        tokio::time::timeout(Duration::from_secs(5), ended.notified()).await.unwrap();
    }

    #[tokio::test]
    async fn detached_work_knows_its_deadline() {
        let at = tokio::time::Instant::now() + Duration::from_secs(5);
        let left = deadline::scope(at, detached(async { deadline::remaining() })).await;
        assert!(left.unwrap() > Duration::from_secs(4));
    }
}
