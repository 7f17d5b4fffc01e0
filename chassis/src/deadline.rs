//! The time left for the call being answered, known to everything it does.
use std::{future::Future, time::Duration};

use http::HeaderValue;
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

/// Reads a `grpc-timeout`: at most eight digits and a unit. tonic takes anything else for no deadline at all.
pub fn asked(value: &HeaderValue) -> Option<Duration> {
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

/// The moment the call this task serves is answered at the latest.
pub(crate) fn current() -> Option<Instant> {
    DEADLINE.try_with(|at| *at).ok()
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
