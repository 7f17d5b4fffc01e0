//! Why promotion says no, and how that reads on the wire.

use chassis::money::MoneyError;
use chassis::status;
use sea_orm::DbErr;
use tonic::{Code, Status};

use crate::domain::{Evaluation, Invalid, Refusal};

/// Whose reasons these are.
pub(crate) const DOMAIN: &str = "promotion.cartwright";

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("there is no such coupon")]
    CouponNotFound,
    #[error("the order used no coupon")]
    RedemptionNotFound,
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("{} {}", .0.field, .0.reason)]
    Invalid(Invalid),
    #[error("{1}")]
    Amount(&'static str, #[source] MoneyError),
    #[error("the order has used a coupon already")]
    AlreadyRedeemed,
    #[error("the order gave its coupon back")]
    Released,
    #[error("there is a coupon with this code already")]
    CodeTaken,
    #[error("the coupon was changed by somebody else; read it again")]
    Stale,
    #[error("the coupon has been used more often than that already")]
    LimitBelowCount,
    #[error("the coupon has taken off more than that already")]
    BudgetBelowTotal,
    #[error("the database failed")]
    Database(#[from] DbErr),
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        Error::Invalid(invalid)
    }
}

impl From<Evaluation> for Error {
    fn from(evaluation: Evaluation) -> Self {
        match evaluation {
            Evaluation::Refused(refusal) => Error::Refused(refusal),
            Evaluation::Money(error) => Error::Amount("lines", error),
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Status {
        let (code, reason) = match &error {
            Error::CouponNotFound => (Code::NotFound, "COUPON_NOT_FOUND"),
            Error::RedemptionNotFound => (Code::NotFound, "REDEMPTION_NOT_FOUND"),
            Error::Refused(refusal) => return refused(refusal),
            Error::Invalid(invalid) => {
                return status::invalid(&format!("coupon.{}", invalid.field), invalid.reason);
            }
            Error::Amount(field, error) => return status::invalid(field, error.to_string()),
            Error::AlreadyRedeemed => (Code::AlreadyExists, "COUPON_ALREADY_REDEEMED"),
            Error::Released => (Code::FailedPrecondition, "COUPON_RELEASED"),
            Error::CodeTaken => (Code::AlreadyExists, "COUPON_CODE_TAKEN"),
            Error::Stale => (Code::Aborted, "COUPON_STALE"),
            Error::LimitBelowCount => (Code::FailedPrecondition, "COUPON_LIMIT_BELOW_COUNT"),
            Error::BudgetBelowTotal => (Code::FailedPrecondition, "COUPON_BUDGET_BELOW_TOTAL"),
            Error::Database(_) => return status::internal(&error),
        };
        status::refusal(code, reason, DOMAIN, &error)
    }
}

fn refused(refusal: &Refusal) -> Status {
    let (reason, metadata) = match refusal {
        Refusal::Disabled => ("COUPON_DISABLED", None),
        Refusal::NotStarted => ("COUPON_NOT_STARTED", None),
        Refusal::Expired => ("COUPON_EXPIRED", None),
        Refusal::Exhausted => ("COUPON_EXHAUSTED", None),
        Refusal::UsedUpByCustomer => ("COUPON_USED_UP_BY_CUSTOMER", None),
        Refusal::Currency(currency) => ("COUPON_CURRENCY", Some(("currency", currency.to_string()))),
        Refusal::BelowMinimum(minimum) => ("COUPON_BELOW_MINIMUM", Some(("minimum", minimum.to_string()))),
        Refusal::Changed(discount) => ("COUPON_CHANGED", Some(("discount", discount.to_string()))),
    };
    let metadata: Vec<_> = metadata.into_iter().collect();
    status::refusal_with(Code::FailedPrecondition, reason, DOMAIN, refusal, &metadata)
}
