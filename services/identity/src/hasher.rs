//! Hashes passwords with Argon2id: slow on purpose, so at most one for each core at a time.
use std::{sync::Arc, time::Duration};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::sync::Semaphore;

use crate::{error::Error, vault::Vault};

/// How long a sign-in waits for its turn before it is asked to come back.
const TURN: Duration = Duration::from_secs(2);

/// A password as it is kept: a PHC string, and which pepper went into it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Hashed {
    pub(crate) phc: String,
    pub(crate) pepper_id: String,
}

/// What a comparison found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Wrong,
    Right,
    /// Right, but hashed with an older pepper or weaker parameters than today's.
    RightAndOutdated,
}

/// Hashes and compares. Clones share the turns.
#[derive(Clone)]
pub(crate) struct Hasher {
    vault: Vault,
    turns: Arc<Semaphore>,
    /// Compared with where there is no password, so that an unknown address takes as long as a known one.
    dummy: Arc<Hashed>,
}

impl Hasher {
    pub(crate) fn new(vault: &Vault) -> Result<Self, Error> {
        let turns = Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from)));
        let dummy = Arc::new(hash(vault, "nobody has this password")?);
        Ok(Self { vault: vault.clone(), turns, dummy })
    }

    /// Hashes a new password.
    pub(crate) async fn hash(&self, password: &str) -> Result<Hashed, Error> {
        let (vault, password) = (self.vault.clone(), password.to_owned());
        self.in_turn(move || hash(&vault, &password)).await
    }

    /// Compares a password with what is kept. Takes the same time where nothing is.
    pub(crate) async fn compare(&self, password: &str, kept: Option<&Hashed>) -> Result<Verdict, Error> {
        let known = kept.is_some();
        let kept = kept.cloned().unwrap_or_else(|| Hashed::clone(&self.dummy));
        let (vault, password) = (self.vault.clone(), password.to_owned());
        let verdict = self.in_turn(move || compare(&vault, &password, &kept)).await?;
        Ok(if known { verdict } else { Verdict::Wrong })
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let turn = tokio::time::timeout(TURN, Arc::clone(&self.turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(Error::Busy) };
        let work = move || {
            // Held by the work itself: a caller that goes away does not free a core that is still busy.
            let _turn = turn;
            work()
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| Error::Internal(chassis::Error::Other(error.into())))?
    }
}

fn argon2(pepper: &[u8]) -> Result<Argon2<'_>, Error> {
    let argon2 = Argon2::new_with_secret(pepper, Algorithm::Argon2id, Version::V0x13, Params::DEFAULT);
    argon2.map_err(|error| internal(&error))
}

fn hash(vault: &Vault, password: &str) -> Result<Hashed, Error> {
    let (pepper_id, pepper) = vault.pepper();
    let hash: PasswordHash =
        argon2(&pepper)?.hash_password(password.as_bytes()).map_err(|error| internal(&error))?;
    Ok(Hashed { phc: hash.to_string(), pepper_id })
}

fn compare(vault: &Vault, password: &str, kept: &Hashed) -> Result<Verdict, Error> {
    let parsed = PasswordHash::new(&kept.phc).map_err(|error| internal(&error))?;
    let Some(pepper) = vault.pepper_of(&kept.pepper_id) else {
        tracing::error!(
            pepper.id = kept.pepper_id,
            "a password cannot be checked: its secret is missing from IDENTITY_SECRETS"
        );
        return Ok(Verdict::Wrong);
    };
    if argon2(&pepper)?.verify_password(password.as_bytes(), &parsed).is_err() {
        return Ok(Verdict::Wrong);
    }
    let current = Params::try_from(&parsed).is_ok_and(|params| {
        (params.m_cost(), params.t_cost(), params.p_cost())
            == (Params::DEFAULT.m_cost(), Params::DEFAULT.t_cost(), Params::DEFAULT.p_cost())
    });
    Ok(if current && kept.pepper_id == vault.pepper().0 { Verdict::Right } else { Verdict::RightAndOutdated })
}

fn internal(error: &dyn std::fmt::Display) -> Error {
    Error::Internal(chassis::Error::other(format!("Argon2: {error}")))
}
