//! The layer that finds out who calls, applies the contract's rule and leaves the caller with the request.
use std::time::Duration;

use tonic::Status;

use super::{Verifier, rule};
use crate::{
    caller::Caller,
    policy::{self, Access, MethodPolicy},
    server::around::{Answer, Around, Call, Inner, proceed, refuse},
    status,
};

/// Lets through whom the contract admits.
#[derive(Clone)]
pub(crate) struct Auth(pub(crate) Verifier);

impl Around for Auth {
    async fn around<S: Inner>(self, mut call: Call, inner: S) -> Answer {
        // Methods without a policy are health, reflection, and those that do not exist.
        let Some(policy) = policy::of(call.uri().path()) else { return proceed(inner, call).await };
        match self.admit(policy, &call) {
            Ok(caller) => {
                call.extensions_mut().insert(caller);
                proceed(inner, call).await
            }
            Err(status) => refuse(status),
        }
    }
}

impl Auth {
    fn admit(&self, policy: &MethodPolicy, call: &Call) -> Result<Caller, Status> {
        let caller = self
            .0
            .caller_of(policy, call.headers())
            .inspect_err(|error| tracing::debug!(?error, "token refused"))?;
        rule::check(policy, &caller).inspect_err(|denied| tracing::debug!(%denied, "call refused"))?;
        let operators_change = matches!(policy.access, Access::Permission(_))
            && !policy.safe
            && caller.subject_if_any().is_some();
        if operators_change && !self.0.fresh() {
            let message = "permissions cannot be checked at the moment";
            return Err(status::unavailable("PERMISSIONS_NOT_FRESH", message, Duration::from_secs(5)));
        }
        Ok(caller)
    }
}
