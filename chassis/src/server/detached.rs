//! Runs the work of a call in a task of its own: a caller who goes away does not leave it half done.
use std::time::Duration;

use super::around::{Answer, Around, Call, Inner, proceed, refuse};
use crate::{failpoint, status, task};

/// No work outlives its call by more. Statements, calls and locks all have shorter bounds, so reaching it is a bug.
const WORK_MAX: Duration = Duration::from_secs(60);

/// Everything further in runs as its own task. Its panic is answered with INTERNAL.
#[derive(Clone)]
pub(crate) struct Detached;

impl Around for Detached {
    async fn around<S: Inner>(self, call: Call, inner: S) -> Answer {
        let uri = call.uri().clone();
        let work = tokio::time::timeout(WORK_MAX, async move {
            let answer = proceed(inner, call).await;
            match failpoint::at("replying", &[uri.path()]).await {
                Ok(()) => answer,
                Err(lost) => refuse(lost.into()),
            }
        });
        match task::run(work).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => {
                tracing::error!(
                    bound_s = WORK_MAX.as_secs(),
                    "a handler ran into its last bound and was cut: this is a bug"
                );
                internal()
            }
            Err(error) => {
                // The panic itself was logged by the process's panic hook, with its place.
                tracing::error!(%error, "a handler panicked: this is a bug");
                metrics::counter!("rpc_server_panics_total").increment(1);
                internal()
            }
        }
    }
}

fn internal() -> Answer {
    refuse(status::bug())
}
