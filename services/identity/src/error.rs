//! Why identity refuses, and how each refusal reads on the wire.
use std::time::Duration;

use chassis::status;
use tonic::{Code, Status};

/// Whose reasons these are.
pub(crate) const DOMAIN: &str = "identity.cartwright";

/// A refusal or a failure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no such user")]
    UserNotFound,
    #[error("there is no such guest")]
    GuestNotFound,
    #[error("there is no such address")]
    AddressNotFound,
    #[error("there is no such role")]
    RoleNotFound,
    #[error("{field} {fault}")]
    Field { field: String, fault: String },
    #[error("the code is wrong, spent or too old")]
    CodeInvalid,
    #[error("address or password is wrong")]
    SignInFailed,
    #[error("too many failed attempts; try again later")]
    SignInLocked { wait: Duration },
    #[error("too many codes were asked for; try again later")]
    ResetLimited { wait: Duration },
    #[error("the code is wrong, spent or too old")]
    ResetInvalid,
    #[error("the contact must be verified first")]
    ContactUnverified,
    #[error("the account is disabled")]
    AccountDisabled,
    #[error("the refresh token does not count")]
    RefreshInvalid,
    #[error("the user was changed meanwhile; read it again")]
    EtagMismatch,
    #[error("the user was erased")]
    UserErased,
    #[error("another account has the address")]
    EmailTaken,
    #[error("a role with this id exists")]
    RoleTaken,
    #[error("somebody holds the role")]
    RoleInUse,
    #[error("the role comes with the shop")]
    RoleBuiltIn,
    #[error("the account is a colleague's: only who grants roles may change it")]
    UserIsStaff,
    #[error("nobody grants permissions to themselves")]
    GrantToSelf,
    #[error("somebody must be left who runs the shop")]
    LastAdmin,
    #[error("at most {0} addresses are kept")]
    TooManyAddresses(u64),
    #[error("an order is still open")]
    OrderOpen,
    #[error("only guests tell their contact this way")]
    NotAGuest,
    #[error("too many sign-ins at once")]
    Busy,
    #[error("a call to another service failed")]
    Peer(#[source] Box<Status>),
    #[error("the database failed")]
    Database(#[from] sea_orm::DbErr),
    #[error("identity failed")]
    Internal(#[from] chassis::Error),
}

impl Error {
    pub(crate) fn field(field: impl Into<String>, fault: impl Into<String>) -> Self {
        Self::Field { field: field.into(), fault: fault.into() }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let (code, reason) = match &error {
            Error::UserNotFound => (Code::NotFound, "USER_NOT_FOUND"),
            Error::GuestNotFound => (Code::NotFound, "GUEST_NOT_FOUND"),
            Error::AddressNotFound => (Code::NotFound, "ADDRESS_NOT_FOUND"),
            Error::RoleNotFound => (Code::NotFound, "ROLE_NOT_FOUND"),
            Error::Field { field, fault } => return status::invalid(field, fault.clone()),
            Error::CodeInvalid => (Code::InvalidArgument, "CODE_INVALID"),
            Error::SignInFailed => (Code::Unauthenticated, "SIGN_IN_FAILED"),
            Error::SignInLocked { wait } => {
                return status::exhausted("SIGN_IN_LOCKED", &error.to_string(), *wait);
            }
            Error::ResetLimited { wait } => {
                return status::exhausted("PASSWORD_RESET_LIMITED", &error.to_string(), *wait);
            }
            Error::ResetInvalid => (Code::Unauthenticated, "PASSWORD_RESET_INVALID"),
            Error::ContactUnverified => (Code::FailedPrecondition, "CONTACT_UNVERIFIED"),
            Error::AccountDisabled => (Code::FailedPrecondition, "ACCOUNT_DISABLED"),
            Error::RefreshInvalid => (Code::Unauthenticated, "REFRESH_TOKEN_INVALID"),
            Error::EtagMismatch => (Code::Aborted, "ETAG_MISMATCH"),
            Error::UserErased => (Code::FailedPrecondition, "USER_ERASED"),
            Error::EmailTaken => (Code::AlreadyExists, "EMAIL_TAKEN"),
            Error::RoleTaken => (Code::AlreadyExists, "ROLE_TAKEN"),
            Error::RoleInUse => (Code::FailedPrecondition, "ROLE_IN_USE"),
            Error::RoleBuiltIn => (Code::FailedPrecondition, "ROLE_BUILT_IN"),
            Error::GrantToSelf => (Code::PermissionDenied, "GRANT_TO_SELF"),
            Error::UserIsStaff => (Code::PermissionDenied, "USER_IS_STAFF"),
            Error::LastAdmin => (Code::FailedPrecondition, "LAST_ADMIN"),
            Error::TooManyAddresses(_) => (Code::FailedPrecondition, "TOO_MANY_ADDRESSES"),
            Error::OrderOpen => (Code::FailedPrecondition, "ORDER_OPEN"),
            Error::NotAGuest => (Code::FailedPrecondition, "NOT_A_GUEST"),
            Error::Busy => {
                return status::unavailable("SIGN_IN_BUSY", &error.to_string(), Duration::from_secs(1));
            }
            Error::Peer(_) => {
                tracing::warn!(error = status::chain(&error), "another service did not answer");
                return status::unavailable(
                    "PEER_UNAVAILABLE",
                    "another service does not answer",
                    Duration::from_secs(1),
                );
            }
            Error::Database(_) | Error::Internal(_) => return status::internal(&error),
        };
        status::refusal(code, reason, DOMAIN, &error)
    }
}
