//! Why notification refuses, and how each refusal reads on the wire.
use chassis::status;
use tonic::{Code, Status};

/// Whose reasons these are.
pub(crate) const DOMAIN: &str = "notification.cartwright";

/// A refusal or a failure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no such notification")]
    NotificationNotFound,
    #[error("there is no such template")]
    TemplateNotFound,
    #[error("{field} {fault}")]
    Field { field: &'static str, fault: String },
    #[error("the notification has not failed")]
    NotFailed,
    #[error("what the notification said is not kept, so it cannot be sent again")]
    NotKept,
    #[error("mail is really sent here; there is no development inbox")]
    InboxDisabled,
    #[error("the database failed")]
    Database(#[from] sea_orm::DbErr),
}

impl Error {
    pub(crate) fn field(field: &'static str, fault: impl Into<String>) -> Self {
        Self::Field { field, fault: fault.into() }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let (code, reason) = match &error {
            Error::NotificationNotFound => (Code::NotFound, "NOTIFICATION_NOT_FOUND"),
            Error::TemplateNotFound => (Code::NotFound, "TEMPLATE_NOT_FOUND"),
            Error::Field { field, fault } => return status::invalid(field, fault.clone()),
            Error::NotFailed => (Code::FailedPrecondition, "NOTIFICATION_NOT_FAILED"),
            Error::NotKept => (Code::FailedPrecondition, "NOTIFICATION_NOT_KEPT"),
            Error::InboxDisabled => (Code::FailedPrecondition, "INBOX_DISABLED"),
            Error::Database(_) => return status::internal(&error),
        };
        status::refusal(code, reason, DOMAIN, &error)
    }
}
