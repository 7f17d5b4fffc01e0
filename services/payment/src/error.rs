//! Why payment says no, and how that reads on the wire.

use chassis::money::Money;
use chassis::{once, status};
use sea_orm::DbErr;
use tonic::{Code, Status};

use crate::channel::Unread;
use crate::domain::Refusal;
use crate::domain::risk::RULES_MAX;

/// Whose reasons these are.
pub(crate) const DOMAIN: &str = "payment.cartwright";

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("there is no such payment")]
    NotFound,
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("{amount} is more than {limit}, which needs the permission refund.approve")]
    RefundLimit { amount: Money, limit: Money },
    #[error("nobody decides about a payment of their own")]
    OwnPayment,
    #[error("there is no such rule")]
    NoRule,
    #[error("there is no such entry")]
    NoEntry,
    #[error("as many rules hold already as may: {RULES_MAX}")]
    TooManyRules,
    #[error("the customer is blocked already")]
    Blocked,
    #[error(transparent)]
    Unread(#[from] Unread),
    #[error("there is no such report")]
    NoReport,
    #[error("the day is being compared already")]
    Reconciling,
    #[error("the channel is being asked already")]
    Busy,
    #[error("the channel has not said what became of the payment; it is being asked")]
    Unknown,
    #[error("the channel does not work at present")]
    ChannelUnavailable,
    #[error("the channel could not do it yet; it is asked again until it does")]
    Underway,
    /// It says by itself how it reads on the wire.
    #[error(transparent)]
    Answered(#[from] Status),
    #[error("the database failed")]
    Database(#[from] DbErr),
}

impl From<Error> for Status {
    fn from(error: Error) -> Status {
        let (code, reason) = match &error {
            Error::Answered(status) => return status.clone(),
            Error::NotFound => (Code::NotFound, "PAYMENT_NOT_FOUND"),
            Error::Refused(refusal) => return refused(refusal),
            Error::RefundLimit { .. } => (Code::PermissionDenied, "REFUND_LIMIT"),
            Error::OwnPayment => (Code::PermissionDenied, "OWN_PAYMENT"),
            Error::NoRule => (Code::NotFound, "RISK_RULE_NOT_FOUND"),
            Error::NoEntry => (Code::NotFound, "BLOCKLIST_ENTRY_NOT_FOUND"),
            Error::TooManyRules => (Code::FailedPrecondition, "TOO_MANY_RISK_RULES"),
            Error::Blocked => (Code::AlreadyExists, "CUSTOMER_BLOCKED"),
            Error::Unread(Unread::Unannounced) => (Code::NotFound, "WEBHOOK_CHANNEL_UNKNOWN"),
            Error::Unread(Unread::Unsigned) => (Code::Unauthenticated, "WEBHOOK_UNSIGNED"),
            Error::Unread(Unread::Senseless) => (Code::InvalidArgument, "WEBHOOK_SENSELESS"),
            Error::NoReport => (Code::NotFound, "RECONCILIATION_NOT_FOUND"),
            Error::Reconciling => return status::busy("RECONCILIATION_RUNNING", DOMAIN, &error),
            Error::Busy => return status::busy("PAYMENT_BUSY", DOMAIN, &error),
            Error::Unknown => (Code::Unavailable, "PAYMENT_UNKNOWN"),
            Error::ChannelUnavailable => (Code::Unavailable, "CHANNEL_UNAVAILABLE"),
            Error::Underway => (Code::Unavailable, "PAYMENT_UNDERWAY"),
            Error::Database(_) => return status::internal(&error),
        };
        status::refusal(code, reason, DOMAIN, &error)
    }
}

impl From<once::Error> for Error {
    fn from(error: once::Error) -> Error {
        Error::Answered(error.into())
    }
}

fn refused(refusal: &Refusal) -> Status {
    let precondition = |reason, metadata: &[(&str, String)]| {
        status::refusal_with(Code::FailedPrecondition, reason, DOMAIN, refusal, metadata)
    };
    match refusal {
        Refusal::AlreadyPaid => precondition("ORDER_ALREADY_PAID", &[]),
        Refusal::InProgress => status::busy("PAYMENT_BUSY", DOMAIN, refusal),
        Refusal::Declined(reason) => precondition("PAYMENT_DECLINED", &[("decline_reason", reason.clone())]),
        Refusal::Voided => precondition("PAYMENT_VOIDED", &[]),
        Refusal::Denied { met } => precondition("PAYMENT_DENIED", &[("rules", ids(met))]),
        Refusal::UnderReview => precondition("PAYMENT_UNDER_REVIEW", &[]),
        Refusal::NotUnderReview => precondition("PAYMENT_NOT_UNDER_REVIEW", &[]),
        Refusal::NotAuthorized => precondition("PAYMENT_NOT_AUTHORIZED", &[]),
        Refusal::Captured => precondition("PAYMENT_CAPTURED", &[]),
        Refusal::ExceedsAuthorized(most) => {
            precondition("CAPTURE_EXCEEDS_AUTHORIZED", &[("authorized", most.to_string())])
        }
        Refusal::CaptureDecided(amount) => {
            precondition("CAPTURE_DECIDED", &[("capture", amount.to_string())])
        }
        Refusal::NotCaptured => precondition("PAYMENT_NOT_CAPTURED", &[]),
        Refusal::ExceedsCaptured(rest) => {
            precondition("REFUND_EXCEEDS_CAPTURED", &[("refundable", rest.to_string())])
        }
        Refusal::OtherCurrency(_) => status::invalid("amount", refusal.to_string()),
    }
}

/// The bare ids of what a payment met. They reach whoever pays: staff can look them up, and nobody else learns from them
/// whether it was the amount, the number or the person.
fn ids(names: &[String]) -> String {
    let ids: Vec<&str> = names.iter().filter_map(|name| name.split_once('/')).map(|(_, id)| id).collect();
    ids.join(",")
}
