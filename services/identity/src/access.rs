//! What verifiers are told: keys, roles, revocations, under one growing version. Kept in memory, read from the database
//! when the version there grows, so that a change made by any replica is known to all within a second.
use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use chassis::{Error, auth::SigningKey, db::Db, host::Host, time::Timestamp};
use contract::identity::v1 as pb;
use sea_orm::ConnectionTrait;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    domain::role,
    keys,
    store::{self, access::SigningRow},
    vault::Vault,
};

/// How often the database is asked whether another replica has changed something.
const EVERY: Duration = Duration::from_secs(1);
/// How often keys and leftovers are looked after.
const TEND_EVERY: Duration = Duration::from_secs(600);

/// What verifiers are told, and the keys that sign. Clones share it.
#[derive(Clone)]
pub(crate) struct Access {
    db: Db,
    host: Host,
    vault: Vault,
    known: Arc<RwLock<Known>>,
    changed: Arc<Notify>,
}

#[derive(Default)]
struct Known {
    policy: pb::AccessPolicy,
    /// Oldest first, each with when it begins to sign.
    keys: Vec<(Timestamp, SigningKey)>,
}

impl Access {
    /// Reads everything once, and makes the first key where there is none.
    pub(crate) async fn load(db: &Db, host: &Host, vault: &Vault) -> Result<Self, Error> {
        let access = Self {
            db: db.clone(),
            host: host.clone(),
            vault: vault.clone(),
            known: Arc::default(),
            changed: Arc::default(),
        };
        access.tend().await?;
        access.refresh().await?;
        Ok(access)
    }

    /// The policy; only its version where the caller knows it already.
    pub(crate) fn policy(&self, known_version: i64) -> pb::AccessPolicy {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if known.policy.version == known_version {
            return pb::AccessPolicy { version: known_version, ..pb::AccessPolicy::default() };
        }
        known.policy.clone()
    }

    /// The key that signs now.
    pub(crate) fn signing_key(&self) -> Result<SigningKey, Error> {
        let now = Timestamp::now();
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let active = known.keys.iter().rev().find(|(active_time, _)| *active_time <= now);
        active.map(|(_, key)| key.clone()).ok_or_else(|| Error::other("there is no key to sign with"))
    }

    /// Says that this replica has changed something.
    pub(crate) fn changed(&self) {
        self.changed.notify_one();
    }

    /// Follows the database until shutdown.
    pub(crate) async fn follow(self, shutdown: CancellationToken) {
        let mut tend_at = tokio::time::Instant::now() + TEND_EVERY;
        loop {
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = self.changed.notified() => {}
                () = shutdown.cancelled() => return,
            }
            if tokio::time::Instant::now() >= tend_at {
                tend_at += TEND_EVERY;
                if let Err(error) = self.tend().await {
                    tracing::warn!(error = error.chain(), "keys could not be looked after");
                }
            }
            if let Err(error) = self.refresh().await {
                tracing::warn!(
                    error = error.chain(),
                    "the access policy could not be read; the last one stays"
                );
            }
        }
    }

    /// Takes in what the database says where it is newer. This process verifies tokens too, and learns at once.
    pub(crate) async fn refresh(&self) -> Result<(), Error> {
        let version = store::access::version(self.db.writer()).await?;
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).policy.version;
        if version != known {
            let (policy, keys) = read(self.db.writer(), &self.vault, version).await?;
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            *known = Known { policy, keys };
        }
        self.host.learn(&self.policy(self.host.access.version()));
        Ok(())
    }

    async fn tend(&self) -> Result<(), Error> {
        let now = Timestamp::now();
        self.db.write(async |tx| keys::tend(tx, &self.vault, now).await).await?;
        self.db.write(async |tx| store::sessions::sweep(tx, now).await).await?;
        Ok(())
    }
}

/// Reads the policy. The version was read before: what changed meanwhile is read again under the next one.
async fn read(
    connection: &impl ConnectionTrait,
    vault: &Vault,
    version: i64,
) -> Result<(pb::AccessPolicy, Vec<(Timestamp, SigningKey)>), Error> {
    let now = Timestamp::now();
    let rows = store::access::keys(connection, now).await?;
    let roles = store::roles::list_all(connection).await?;
    let revocations = store::access::revocations(connection, now).await?;
    let keys = rows.iter().filter_map(|row| Some((row.active_time, keys::open(vault, row)?))).collect();
    let policy = pb::AccessPolicy {
        version,
        keys: rows.into_iter().map(verification_key).collect(),
        roles: roles
            .into_iter()
            .map(|held| pb::RoleGrants {
                role: role::name(&held.id),
                permissions: held.permissions.into_iter().collect(),
            })
            .collect(),
        revocations: revocations
            .into_iter()
            .map(|revoked| pb::Revocation {
                subject: revoked.subject,
                not_before: Some(revoked.not_before.into()),
            })
            .collect(),
    };
    Ok((policy, keys))
}

fn verification_key(row: SigningRow) -> pb::VerificationKey {
    pb::VerificationKey {
        key_id: row.kid,
        public_key: row.public_key,
        expire_time: row.expire_time.map(Into::into),
    }
}
