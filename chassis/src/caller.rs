//! Who is calling: the service that holds the line, and the person it serves.
use std::{collections::BTreeSet, sync::Arc};

use tonic::{Code, Request, Status};

use crate::status::{self, DOMAIN};

/// The caller of an RPC, as the auth layer found them. Nobody at all is a caller too: `Caller::anonymous()`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    service: Option<String>,
    subject: Option<String>,
    session: Option<String>,
    permissions: Arc<BTreeSet<String>>,
}

/// Why a caller is not enough.
#[derive(Debug, thiserror::Error)]
enum Lacking {
    #[error("sign in first")]
    Subject,
    #[error("guests cannot do this; sign in first")]
    User,
}

impl From<Lacking> for Status {
    fn from(lacking: Lacking) -> Self {
        let (code, reason) = match lacking {
            Lacking::Subject => (Code::Unauthenticated, "SIGN_IN_REQUIRED"),
            Lacking::User => (Code::PermissionDenied, "USER_REQUIRED"),
        };
        status::refusal(code, reason, DOMAIN, &lacking)
    }
}

/// Splits a request into who calls and what they ask.
pub fn of<T>(request: Request<T>) -> Result<(Caller, T), Status> {
    // A request that did not pass the auth layer has no caller, and is refused rather than trusted.
    let caller = request.extensions().get::<Caller>().cloned().ok_or(Lacking::Subject)?;
    Ok((caller, request.into_inner()))
}

impl Caller {
    /// Nobody we know.
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// A service that acts for itself, such as `order` in its background work.
    pub fn service_named(noun: &str) -> Self {
        Self { service: Some(noun.to_owned()), ..Self::default() }
    }

    /// A person: `users/{user}` or `guests/{guest}`.
    pub fn person(
        subject: impl Into<String>,
        session: Option<String>,
        permissions: impl IntoIterator<Item = String>,
    ) -> Self {
        let permissions = Arc::new(permissions.into_iter().collect());
        Self { service: None, subject: Some(subject.into()), session, permissions }
    }

    /// The same person, through a service that vouches for them.
    pub fn through(self, noun: &str) -> Self {
        Self { service: Some(noun.to_owned()), ..self }
    }

    /// The user or guest. UNAUTHENTICATED when there is none.
    pub fn subject(&self) -> Result<&str, Status> {
        Ok(self.subject.as_deref().ok_or(Lacking::Subject)?)
    }

    /// The signed-in user. `PERMISSION_DENIED` for a guest.
    pub fn user(&self) -> Result<&str, Status> {
        let subject = self.subject()?;
        if !subject.starts_with("users/") {
            return Err(Lacking::User.into());
        }
        Ok(subject)
    }

    /// The user or guest, if there is one.
    pub fn subject_if_any(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// The session the subject signed in with.
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// Whether the subject holds the permission, such as `order.read.any`.
    pub fn may(&self, permission: &str) -> bool {
        self.permissions.contains(permission)
    }

    /// Every permission the subject holds.
    pub fn permissions(&self) -> &BTreeSet<String> {
        &self.permissions
    }

    /// The service that calls, such as `order` or `gateway`.
    pub fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    /// A text that tells callers apart, under which request ids are claimed.
    pub fn key(&self) -> String {
        match (&self.subject, &self.service) {
            (Some(subject), _) => subject.clone(),
            (None, Some(service)) => format!("service:{service}"),
            (None, None) => "anonymous".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_is_a_subject_but_not_a_user() {
        let guest = Caller::person("guests/1", None, []);
        assert_eq!(guest.subject().unwrap(), "guests/1");
        assert_eq!(guest.user().unwrap_err().code(), Code::PermissionDenied);
        assert_eq!(Caller::anonymous().user().unwrap_err().code(), Code::Unauthenticated);
    }

    #[test]
    fn request_ids_of_a_person_are_the_same_through_every_service() {
        let person = Caller::person("users/1", None, []);
        assert_eq!(person.key(), person.clone().through("gateway").key());
        assert_eq!(Caller::service_named("order").key(), "service:order");
    }

    #[test]
    fn a_request_that_no_layer_has_seen_is_refused() {
        assert_eq!(of(Request::new(())).unwrap_err().code(), Code::Unauthenticated);
    }
}
