//! The time a call may take: what the caller asks for, never more than the contract allows.
use std::time::Duration;

use tokio::time::Instant;
use tonic::Code;

use super::around::{Answer, Around, Call, Inner, proceed, refuse};
use crate::{
    deadline, policy,
    status::{self, DOMAIN},
};

/// What a caller gets whose wish cannot be read, unless the contract gives less.
const UNREADABLE: Duration = Duration::from_secs(10);

/// Answers `DEADLINE_EXCEEDED` in time. The work itself is not cut: it runs in a task of its own, further in.
#[derive(Clone)]
pub(crate) struct Deadline;

impl Around for Deadline {
    async fn around<S: Inner>(self, call: Call, inner: S) -> Answer {
        let Some(policy) = policy::of(call.uri().path()) else { return proceed(inner, call).await };
        if policy.server_streaming {
            return proceed(inner, call).await;
        }
        let wish =
            call.headers().get("grpc-timeout").map(|value| deadline::asked(value).unwrap_or(UNREADABLE));
        let allowed = wish.map_or(policy.deadline, |wish| wish.min(policy.deadline));
        // The timer counts milliseconds: less than one is over before it could be noticed.
        if allowed < Duration::from_millis(1) {
            return exceeded();
        }
        let at = Instant::now() + allowed;
        match tokio::time::timeout_at(at, deadline::scope(at, proceed(inner, call))).await {
            Ok(answer) => answer,
            Err(_) => {
                tracing::warn!(deadline_ms = allowed.as_millis(), "the call was not answered in time");
                exceeded()
            }
        }
    }
}

fn exceeded() -> Answer {
    refuse(status::plain(
        Code::DeadlineExceeded,
        "DEADLINE_EXCEEDED",
        DOMAIN,
        "the call was not answered in time",
        &[],
    ))
}
