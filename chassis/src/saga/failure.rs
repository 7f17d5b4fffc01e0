//! Why a step did not succeed, and what that means for the saga.

use std::collections::BTreeMap;

use sea_orm::DbErr;
use serde::{Deserialize, Serialize};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::status::is_away;

/// A step's failure, by what the runner does about it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Failure {
    /// The step was decided against and left nothing: what was done before is compensated.
    Refused(Refusal),
    /// The step could not be reached: tried again.
    Unavailable(String),
    /// Nobody knows whether the step happened: asked again under the same `request_id`.
    Unknown(String),
    /// The step is under way elsewhere and takes its time: asked again, however often, until the saga's deadline.
    Pending(String),
}

/// A business refusal, kept in the saga's row so that the client hears the first reason, whoever ends the saga.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Refusal {
    /// The gRPC code, as its number.
    pub code: i32,
    /// The stable `UPPER_SNAKE` reason.
    pub reason: String,
    /// Whose reason it is, as in `google.rpc.ErrorInfo`.
    pub domain: String,
    /// What happened, for people.
    pub message: String,
    /// The values behind the reason.
    pub metadata: BTreeMap<String, String>,
}

impl Refusal {
    /// A refusal by this service's own rule.
    #[must_use]
    pub fn new(code: Code, reason: &str, domain: &str, message: impl Into<String>) -> Refusal {
        Refusal {
            code: code as i32,
            reason: reason.to_owned(),
            domain: domain.to_owned(),
            message: message.into(),
            metadata: BTreeMap::new(),
        }
    }
}

impl From<&Status> for Refusal {
    fn from(status: &Status) -> Refusal {
        let mut refusal = Refusal::new(status.code(), "", "", status.message());
        if let Some(info) = status.get_details_error_info() {
            refusal.reason = info.reason;
            refusal.domain = info.domain;
            refusal.metadata = info.metadata.into_iter().collect();
        }
        refusal
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Status {
        let details = ErrorDetails::with_error_info(
            refusal.reason,
            refusal.domain,
            refusal.metadata.into_iter().collect::<std::collections::HashMap<_, _>>(),
        );
        Status::with_error_details(Code::from_i32(refusal.code), refusal.message, details)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        Failure::Refused(refusal)
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Failure {
        // A deadline that passed, a dropped stream and a server's bug all leave the outcome open.
        let open = [Code::DeadlineExceeded, Code::Cancelled, Code::Unknown, Code::Internal];
        if open.contains(&status.code()) {
            Failure::Unknown(text(&status))
        } else if is_away(&status) {
            Failure::Unavailable(text(&status))
        } else {
            Failure::Refused(Refusal::from(&status))
        }
    }
}

impl From<DbErr> for Failure {
    /// A commit whose answer was lost may have happened, so the step is asked again.
    fn from(error: DbErr) -> Failure {
        Failure::Unknown(error.to_string())
    }
}

fn text(status: &Status) -> String {
    format!("{:?}: {}", status.code(), status.message())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_reaches_the_client_with_its_reason_and_values() {
        let mut refusal =
            Refusal::new(Code::FailedPrecondition, "INSUFFICIENT_STOCK", "inventory", "too few");
        refusal.metadata.insert("sku".to_owned(), "SHIRT-M".to_owned());
        let status = Status::from(refusal.clone());
        assert_eq!(Failure::from(status), Failure::Refused(refusal));
    }

    #[test]
    fn what_may_have_happened_is_never_taken_for_a_refusal() {
        for code in [Code::DeadlineExceeded, Code::Cancelled, Code::Unknown, Code::Internal] {
            assert!(matches!(Failure::from(Status::new(code, "")), Failure::Unknown(_)), "{code:?}");
        }
        for code in [
            Code::Unavailable,
            Code::Aborted,
            Code::ResourceExhausted,
            Code::Unauthenticated,
            Code::Unimplemented,
        ] {
            assert!(matches!(Failure::from(Status::new(code, "")), Failure::Unavailable(_)), "{code:?}");
        }
    }
}
