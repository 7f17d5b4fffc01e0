//! Refusals as gRPC statuses: the right code, a stable reason, and the fields at fault.

use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// When to come back where nothing says better.
const SOON: Duration = Duration::from_millis(500);

/// The reason of what was left undone because others held what it needed of the database.
pub(crate) const STORAGE_BUSY: &str = "STORAGE_BUSY";

/// The domain of reasons that no single service owns.
pub const DOMAIN: &str = "cartwright";

/// Refuses with a reason that callers may act on. The message is the error's own words.
pub fn refusal(code: Code, reason: &'static str, domain: &str, error: &dyn Error) -> Status {
    refusal_with(code, reason, domain, error, &[])
}

/// Refuses with a reason and the values that led to it.
pub fn refusal_with(
    code: Code,
    reason: &'static str,
    domain: &str,
    error: &dyn Error,
    metadata: &[(&str, String)],
) -> Status {
    plain(code, reason, domain, &error.to_string(), metadata)
}

/// Refuses in words of its own, where there is no error value.
pub fn plain(code: Code, reason: &str, domain: &str, message: &str, metadata: &[(&str, String)]) -> Status {
    let metadata: HashMap<String, String> =
        metadata.iter().map(|(key, value)| ((*key).into(), value.clone())).collect();
    let mut details = ErrorDetails::with_error_info(reason, domain, metadata);
    if matches!(code, Code::Unavailable | Code::ResourceExhausted) {
        details.set_retry_info(Some(SOON));
    }
    Status::with_error_details(code, shortened(message), details)
}

/// Refuses a request because of one of its fields.
pub fn invalid(field: &str, description: impl Into<String>) -> Status {
    let description = description.into();
    let mut details = ErrorDetails::with_error_info("INVALID_FIELD", DOMAIN, HashMap::new());
    details.add_bad_request_violation(field, &description);
    Status::with_error_details(Code::InvalidArgument, shortened(&format!("{field} {description}")), details)
}

/// Asks the caller to come back: nothing was done, and trying again later is safe.
pub fn unavailable(reason: &str, message: &str, retry_after: Duration) -> Status {
    try_later(Code::Unavailable, reason, message, retry_after)
}

/// Asks the caller to come back with the same request: another is in its way, and will be done soon. Where only a request
/// made anew can succeed, as after a conflict of versions, refuse instead.
pub fn busy(reason: &str, domain: &str, error: &dyn Error) -> Status {
    let mut details = ErrorDetails::with_error_info(reason, domain, HashMap::new());
    details.set_retry_info(Some(SOON));
    Status::with_error_details(Code::Aborted, shortened(&error.to_string()), details)
}

/// Turns the caller away for now, because a limit is reached.
pub fn exhausted(reason: &str, message: &str, retry_after: Duration) -> Status {
    try_later(Code::ResourceExhausted, reason, message, retry_after)
}

/// Refuses a call of a method that is not there.
pub fn unknown_method() -> Status {
    plain(Code::Unimplemented, "METHOD_UNKNOWN", DOMAIN, "there is no such method here", &[])
}

/// Refuses a request for its size. Unlike other exhaustion it does not pass with time, so nothing says when to try
/// again.
pub fn too_large(bytes_max: usize) -> Status {
    let metadata = HashMap::from([("bytes_max".to_owned(), bytes_max.to_string())]);
    let details = ErrorDetails::with_error_info("REQUEST_TOO_LARGE", DOMAIN, metadata);
    let message = format!("the request is larger than {bytes_max} bytes");
    Status::with_error_details(Code::ResourceExhausted, message, details)
}

fn try_later(code: Code, reason: &str, message: &str, retry_after: Duration) -> Status {
    let mut details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    details.set_retry_info(Some(retry_after));
    Status::with_error_details(code, shortened(message), details)
}

/// Logs our own failure once, with its whole chain, and tells the caller nothing of it. A database that is busy or away
/// is no failure of ours: the caller may come back.
pub fn internal(error: &(dyn Error + 'static)) -> Status {
    if crate::db::is_contended(error) {
        tracing::warn!(error = %chain(error), "others held what a request needed of the database");
        return unavailable(STORAGE_BUSY, "others are changing the same; try again", SOON);
    }
    if crate::db::is_outage(error) {
        tracing::warn!(error = %chain(error), "the database is away or busy");
        return unavailable(
            "STORAGE_UNAVAILABLE",
            "the service cannot reach its storage; try again",
            Duration::from_secs(1),
        );
    }
    tracing::error!(error = %chain(error), "a request failed inside the service");
    bug()
}

/// Answers for a failure of ours that is logged already, and tells the caller nothing of it.
pub(crate) fn bug() -> Status {
    plain(Code::Internal, "INTERNAL", DOMAIN, "internal error", &[])
}

/// An error and all its causes, in one line.
pub fn chain(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        words = format!("{words}: {cause}");
        next = cause.source();
    }
    words
}

/// Whether a peer answers nobody at the moment, rather than refuses or fails this call: it is away or overwhelmed, or does
/// not know our keys or this call yet, as while versions change. Whether the call was carried out stays open.
pub fn is_away(status: &Status) -> bool {
    match status.code() {
        Code::Unavailable
        | Code::DeadlineExceeded
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::Cancelled
        | Code::Unknown
        | Code::Unauthenticated
        | Code::Unimplemented => true,
        Code::Ok
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Internal
        | Code::DataLoss => false,
    }
}

/// The stable reason of a refusal, such as `ORDER_NOT_FOUND`.
pub fn reason(status: &Status) -> Option<String> {
    status.get_details_error_info().map(|info| info.reason)
}

/// The values that came with a refusal.
pub fn metadata(status: &Status) -> HashMap<String, String> {
    status.get_details_error_info().map(|info| info.metadata).unwrap_or_default()
}

/// The fields at fault, each with what is wrong about it.
pub fn violations(status: &Status) -> Vec<(String, String)> {
    let violations = status.get_details_bad_request().map(|bad| bad.field_violations).unwrap_or_default();
    violations.into_iter().map(|violation| (violation.field, violation.description)).collect()
}

/// Headers carry the message: it stays below 200 bytes.
fn shortened(message: &str) -> String {
    if message.len() <= 200 {
        return message.into();
    }
    let end = (0..=197).rev().find(|&end| message.is_char_boundary(end)).unwrap_or_default();
    format!("{}...", &message[..end])
}
