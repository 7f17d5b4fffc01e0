//! The time a call may take: what the caller asks for, never more than the contract allows.
use std::time::Duration;

use http::HeaderValue;
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
        let wish = call.headers().get("grpc-timeout").map(|value| asked(value).unwrap_or(UNREADABLE));
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

/// The caller's `grpc-timeout`: at most eight digits and a unit. tonic takes anything else for no deadline at all.
fn asked(value: &HeaderValue) -> Option<Duration> {
    let value = value.to_str().ok()?;
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count.checked_mul(3600)?)),
        "M" => Some(Duration::from_secs(count.checked_mul(60)?)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_well_formed_timeout_counts() {
        let asked = |text: &str| super::asked(&HeaderValue::from_str(text).unwrap());
        assert_eq!(asked("5S"), Some(Duration::from_secs(5)));
        assert_eq!(asked("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        assert_eq!(asked("1n"), Some(Duration::from_nanos(1)));
        for malformed in ["abc", "-5S", "123456789S", "5", "S", "", "5s", "5.5S", "+5S", " 5S"] {
            assert_eq!(asked(malformed), None, "{malformed}");
        }
    }
}
