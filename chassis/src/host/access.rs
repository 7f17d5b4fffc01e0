//! Follows what identity says about people and roles.
use std::time::Duration;

use contract::identity::v1 as pb;
use tokio_util::sync::CancellationToken;

use super::Host;
use crate::{auth::AccessPolicy, time::Timestamp};

/// How often identity is asked: a session that has ended is refused everywhere within five seconds.
const EVERY: Duration = Duration::from_secs(2);

impl Host {
    /// Asks identity for its policy until shutdown, and keeps the last good answer.
    pub async fn follow_access_policy(self, shutdown: CancellationToken) {
        if !self.follows_identity {
            // Identity itself is told at once, so what it knows never gets old.
            while !shutdown.is_cancelled() {
                self.access.confirm();
                tokio::select! {
                    () = tokio::time::sleep(EVERY) => {}
                    () = shutdown.cancelled() => {}
                }
            }
            return;
        }
        let Ok(channel) = self
            .client("identity")
            .inspect_err(|error| tracing::error!(error = %error.chain(), "identity cannot be asked"))
        else {
            return;
        };
        let mut identity = pb::identity_service_client::IdentityServiceClient::new(channel);
        let mut reachable = true;
        loop {
            let request = pb::GetAccessPolicyRequest { known_version: self.access.version() };
            let answer = tokio::select! {
                answer = identity.get_access_policy(request) => answer,
                () = shutdown.cancelled() => return,
            };
            match answer {
                Ok(policy) => {
                    self.learn(&policy.into_inner());
                    reachable = true;
                }
                Err(status) => {
                    // Said once, not every two seconds.
                    if std::mem::take(&mut reachable) {
                        tracing::warn!(code = ?status.code(), reason = status.message(), "identity does not answer; its last policy stays");
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Takes in what identity says. An answer with the version already known carries nothing else.
    pub fn learn(&self, policy: &pb::AccessPolicy) {
        if policy.version == self.access.version() && policy.keys.is_empty() {
            self.access.confirm();
        } else {
            self.access.set(AccessPolicy::from(policy));
            // The edge serves from the moment it can judge tokens.
            self.health.recheck();
        }
    }
}

impl From<&pb::AccessPolicy> for AccessPolicy {
    fn from(policy: &pb::AccessPolicy) -> Self {
        let time = |wire: &prost_types::Timestamp| <Timestamp as TryFrom<_>>::try_from(wire).ok();
        let mut known = AccessPolicy::new(policy.version);
        for key in &policy.keys {
            known = known.key(&key.key_id, &key.public_key, key.expire_time.as_ref().and_then(time));
        }
        for role in &policy.roles {
            known = known.role(&role.role, role.permissions.iter().cloned());
        }
        for revocation in &policy.revocations {
            // A time that cannot be read ends the session for good, rather than not at all.
            let not_before =
                revocation.not_before.as_ref().and_then(time).unwrap_or(Timestamp::from_micros(i64::MAX));
            known = known.revoke(&revocation.subject, not_before);
        }
        known
    }
}
