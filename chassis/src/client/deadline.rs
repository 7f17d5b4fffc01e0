//! How long a call may take: as the contract says, as its caller asked, and never longer than our own caller waits.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use crate::deadline::remaining;
use crate::policy::MethodPolicy;

pub(super) const HEADER: &str = "grpc-timeout";

/// For methods outside our contract, such as health checks.
const UNDECLARED: Duration = Duration::from_secs(5);

/// The time this call gets. A tenth of our caller's time is kept back for the answer's way home.
pub(super) fn allowed(policy: Option<&MethodPolicy>, headers: &HeaderMap) -> Duration {
    let declared = policy.map_or(UNDECLARED, |policy| policy.deadline);
    let asked = headers.get(HEADER).and_then(crate::deadline::asked).unwrap_or(declared);
    let left = remaining().map_or(declared, |left| left - left / 10);
    declared.min(asked).min(left)
}

/// Whether the peer had a fair chance to answer.
pub(super) fn is_fair(policy: Option<&MethodPolicy>, allowed: Duration) -> bool {
    allowed >= policy.map_or(UNDECLARED, |policy| policy.deadline) / 2
}

/// At most eight digits, in the finest unit that holds them.
pub(super) fn header(span: Duration) -> HeaderValue {
    let micros = span.as_micros();
    let text = if micros < 100_000_000 {
        format!("{micros}u")
    } else {
        format!("{}m", span.as_millis().min(99_999_999))
    };
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("5S"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::time::Instant;

    use super::*;
    use crate::deadline::asked;

    proptest! {
        #[test]
        fn a_header_says_the_time_it_was_made_from(micros in 1u64..100_000_000_000) {
            let span = Duration::from_micros(micros);
            let read = asked(&header(span)).unwrap();
            prop_assert!(read <= span && span - read < Duration::from_millis(1).max(span / 1000));
        }

        #[test]
        fn what_is_not_a_timeout_is_none(text in "[ -~]{0,12}") {
            if let Ok(value) = HeaderValue::try_from(&text) {
                let sound = text.len() >= 2 && text.len() <= 9 && text.ends_with(['H', 'M', 'S', 'm', 'u', 'n'])
                    && text[..text.len() - 1].bytes().all(|byte| byte.is_ascii_digit());
                prop_assert_eq!(asked(&value).is_some(), sound);
            }
        }
    }

    #[tokio::test]
    async fn a_call_gets_less_time_than_our_caller_has() {
        let at = Instant::now() + Duration::from_secs(1);
        let allowed = crate::deadline::scope(at, async { allowed(None, &HeaderMap::new()) }).await;
        assert!(allowed <= Duration::from_millis(900) && allowed > Duration::from_millis(800), "{allowed:?}");
    }

    #[test]
    fn a_shorter_wish_counts_and_a_longer_one_does_not() {
        let asks = |text| {
            HeaderMap::from_iter([(http::HeaderName::from_static(HEADER), HeaderValue::from_static(text))])
        };
        assert_eq!(allowed(None, &asks("250m")), Duration::from_millis(250));
        assert_eq!(allowed(None, &asks("1H")), UNDECLARED);
    }
}
