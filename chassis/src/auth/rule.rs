//! The contract's access rule, applied to a caller.
use tonic::{Code, Status};

use crate::{
    caller::Caller,
    policy::{Access, MethodPolicy},
    status::{self, DOMAIN},
};

/// Why the rule says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Nobody is signed in.
    #[error("sign in first")]
    SignInRequired,
    /// A guest called what only users may.
    #[error("guests cannot do this; sign in first")]
    UserRequired,
    /// The user lacks a permission.
    #[error("this needs the permission {0}")]
    PermissionMissing(String),
    /// Only services may call.
    #[error("this is not open to callers from outside")]
    InternalOnly,
}

impl From<Denied> for Status {
    fn from(denied: Denied) -> Self {
        match &denied {
            Denied::SignInRequired => {
                status::refusal(Code::Unauthenticated, "SIGN_IN_REQUIRED", DOMAIN, &denied)
            }
            Denied::UserRequired => status::refusal(Code::PermissionDenied, "USER_REQUIRED", DOMAIN, &denied),
            Denied::InternalOnly => status::refusal(Code::PermissionDenied, "INTERNAL_ONLY", DOMAIN, &denied),
            Denied::PermissionMissing(permission) => {
                let metadata = [("permission", permission.clone())];
                status::refusal_with(Code::PermissionDenied, "PERMISSION_MISSING", DOMAIN, &denied, &metadata)
            }
        }
    }
}

/// Whether the caller may call the method: as a service that the contract names, or as the person it serves.
pub fn check(policy: &MethodPolicy, caller: &Caller) -> Result<(), Denied> {
    // The gateway's word for a person opens nothing that is internal.
    let from_outside = caller.service() == Some("gateway") && caller.subject_if_any().is_some();
    if !from_outside && caller.service().is_some_and(|service| policy.admits(service)) {
        return Ok(());
    }
    if policy.access == Access::Public {
        return Ok(());
    }
    let Some(subject) = caller.subject_if_any() else {
        // A service that acts for itself has proved who it is: it is refused, not asked to sign in. The gateway
        // speaks for people only, so without a person it speaks for nobody.
        let a_service = caller.service().is_some_and(|service| service != "gateway");
        return Err(if a_service { Denied::InternalOnly } else { Denied::SignInRequired });
    };
    match &policy.access {
        Access::Public | Access::Guest => Ok(()),
        Access::User if subject.starts_with("users/") => Ok(()),
        Access::User => Err(Denied::UserRequired),
        Access::Permission(permission) if caller.may(permission) => Ok(()),
        Access::Permission(permission) => Err(Denied::PermissionMissing(permission.clone())),
        Access::Internal => Err(Denied::InternalOnly),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_lets_in_whom_it_names_and_nobody_else() {
        let user = |permissions: &[&str]| {
            Caller::person("users/1", None, permissions.iter().map(|p| (*p).to_owned()))
        };
        let guest = || Caller::person("guests/1", None, []);
        let permission = || Access::Permission("refund.create".to_owned());
        let missing = || Err(Denied::PermissionMissing("refund.create".to_owned()));
        type Row = (Access, &'static [&'static str], Caller, Result<(), Denied>);
        let table: Vec<Row> = vec![
            (Access::Public, &[], Caller::anonymous(), Ok(())),
            (Access::Public, &[], user(&[]), Ok(())),
            (Access::Public, &[], Caller::service_named("cart"), Ok(())),
            (Access::Guest, &[], Caller::anonymous(), Err(Denied::SignInRequired)),
            (Access::Guest, &[], guest(), Ok(())),
            (Access::Guest, &[], guest().through("gateway"), Ok(())),
            (Access::User, &[], Caller::anonymous(), Err(Denied::SignInRequired)),
            (Access::User, &[], guest(), Err(Denied::UserRequired)),
            (Access::User, &[], user(&[]), Ok(())),
            (Access::User, &[], user(&[]).through("cart"), Ok(())),
            (Access::User, &[], Caller::service_named("cart"), Err(Denied::InternalOnly)),
            (Access::User, &[], Caller::service_named("gateway"), Err(Denied::SignInRequired)),
            (Access::User, &["order"], Caller::service_named("order"), Ok(())),
            (Access::User, &["order"], Caller::service_named("cart"), Err(Denied::InternalOnly)),
            (permission(), &[], Caller::anonymous(), Err(Denied::SignInRequired)),
            (permission(), &[], guest(), missing()),
            (permission(), &[], user(&["refund.approve"]), missing()),
            (permission(), &[], user(&["refund.create"]), Ok(())),
            (permission(), &["order"], user(&[]).through("order"), Ok(())),
            (permission(), &["order"], user(&[]).through("cart"), missing()),
            (Access::Internal, &[], Caller::anonymous(), Err(Denied::SignInRequired)),
            (Access::Internal, &[], user(&["refund.create"]), Err(Denied::InternalOnly)),
            (Access::Internal, &[], Caller::service_named("cart"), Ok(())),
            (Access::Internal, &[], Caller::service_named("gateway"), Ok(())),
            (Access::Internal, &[], user(&[]).through("gateway"), Err(Denied::InternalOnly)),
            (Access::Internal, &[], user(&[]).through("order"), Ok(())),
            (Access::Internal, &["order"], Caller::service_named("order"), Ok(())),
            (Access::Internal, &["order"], Caller::service_named("cart"), Err(Denied::InternalOnly)),
        ];
        for (access, services, caller, expected) in table {
            let policy = MethodPolicy::for_test(access, services);
            assert_eq!(check(&policy, &caller), expected, "{:?} {services:?} {caller:?}", policy.access);
        }
    }
}
