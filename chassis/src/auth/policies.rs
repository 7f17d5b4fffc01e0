//! What identity says about tokens: its keys, what roles permit, and which sessions have ended.
use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::Arc,
    time::Duration,
};

use jsonwebtoken::DecodingKey;
use tokio::{sync::watch, time::Instant};

use super::{ed25519, keys};
use crate::time::Timestamp;

/// How long what identity said last is good enough for everything. After that operators' changes are refused, for the
/// person may have been signed out or lost the role; reads go on until the tokens expire.
pub(crate) const FRESH_FOR: Duration = Duration::from_secs(60);

/// One version of what identity says.
#[derive(Clone, Default)]
pub struct AccessPolicy {
    version: i64,
    keys: HashMap<String, (DecodingKey, Option<Timestamp>)>,
    roles: HashMap<String, BTreeSet<String>>,
    revoked: HashMap<String, Timestamp>,
}

impl AccessPolicy {
    /// A version with nothing in it.
    pub fn new(version: i64) -> Self {
        Self { version, ..Self::default() }
    }

    /// Accepts tokens signed by this raw Ed25519 key, until it expires.
    #[must_use]
    pub fn key(mut self, id: &str, public: &[u8], expire_time: Option<Timestamp>) -> Self {
        self.keys.insert(id.to_owned(), (DecodingKey::from_ed_der(public), expire_time));
        self
    }

    /// Says what a role permits.
    #[must_use]
    pub fn role(mut self, role: &str, permissions: impl IntoIterator<Item = String>) -> Self {
        self.roles.insert(role.to_owned(), permissions.into_iter().collect());
        self
    }

    /// Refuses the session's or the subject's tokens issued before that time.
    #[must_use]
    pub fn revoke(mut self, subject_or_session: &str, not_before: Timestamp) -> Self {
        self.revoked.insert(subject_or_session.to_owned(), not_before);
        self
    }

    /// The same, as the version after it.
    #[must_use]
    pub fn next(&self) -> Self {
        Self { version: self.version + 1, ..self.clone() }
    }

    /// Its number: a higher one is newer.
    pub fn version(&self) -> i64 {
        self.version
    }

    pub(super) fn verification_key(&self, id: &str) -> Option<&DecodingKey> {
        ed25519::install();
        let (key, expire_time) = self.keys.get(id)?;
        expire_time.is_none_or(|at| Timestamp::now() < at).then_some(key)
    }

    /// Everything the roles permit together. A role nobody knows permits nothing.
    pub(super) fn permissions(&self, roles: &[String]) -> BTreeSet<String> {
        roles.iter().filter_map(|role| self.roles.get(role)).flatten().cloned().collect()
    }

    /// Whether tokens of the subject or session issued at this second have ended. A token of the very second is
    /// refused: identity ends sessions by session, and a new sign-in has a new one.
    pub(crate) fn has_ended(&self, subject_or_session: &str, issued_seconds: u64) -> bool {
        let Some(not_before) = self.revoked.get(subject_or_session) else { return false };
        let issued = i64::try_from(issued_seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        issued < not_before.micros()
    }
}

impl fmt::Debug for AccessPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccessPolicy(version {})", self.version)
    }
}

/// The latest version known to this process. Clones share it.
#[derive(Clone, Debug)]
pub struct AccessPolicies(Arc<watch::Sender<Known>>);

#[derive(Debug)]
struct Known {
    policy: Option<Arc<AccessPolicy>>,
    heard: Instant,
}

impl Default for AccessPolicies {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Known { policy: None, heard: Instant::now() })))
    }
}

impl AccessPolicies {
    /// What identity said last, if it has said anything.
    pub fn current(&self) -> Option<Arc<AccessPolicy>> {
        self.0.borrow().policy.clone()
    }

    /// The version known, 0 when none is.
    pub fn version(&self) -> i64 {
        self.current().map_or(0, |policy| policy.version)
    }

    /// Takes a version in. An older one than known is ignored, for answers may overtake each other.
    pub fn set(&self, policy: AccessPolicy) {
        self.0.send_modify(|known| {
            known.heard = Instant::now();
            if known.policy.as_ref().is_none_or(|old| old.version <= policy.version) {
                known.policy = Some(Arc::new(policy));
            }
        });
    }

    /// Identity says that nothing has changed.
    pub fn confirm(&self) {
        self.0.send_modify(|known| known.heard = Instant::now());
    }

    /// Whether identity was heard recently enough for operators' changes.
    pub fn fresh(&self) -> bool {
        self.0.borrow().heard.elapsed() < FRESH_FOR
    }

    /// Waits until identity has said something.
    pub async fn ready(&self) {
        let mut known = self.0.subscribe();
        // The sender lives in self, so waiting ends only by a policy.
        let _ = known.wait_for(|known| known.policy.is_some()).await;
    }
}

/// The id that tokens name a public key by.
pub fn key_id(public: &[u8]) -> String {
    keys::thumbprint(public)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_identity_said_gets_old_when_it_is_not_heard() {
        let access = AccessPolicies::default();
        access.set(AccessPolicy::new(1));
        assert!(access.fresh());
        access.0.send_modify(|known| known.heard = known.heard.checked_sub(FRESH_FOR).unwrap());
        assert!(!access.fresh());
        access.confirm();
        assert!(access.fresh());
    }

    #[test]
    fn an_answer_that_was_overtaken_changes_nothing() {
        let access = AccessPolicies::default();
        access.set(AccessPolicy::new(2));
        access.set(AccessPolicy::new(1));
        assert_eq!(access.version(), 2);
    }
}
