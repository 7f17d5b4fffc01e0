//! Signing in by address and password, and the lock after too many failures.
use std::{sync::Arc, time::Duration};

use chassis::{db::Db, time::Timestamp};
use tokio::sync::{Mutex, MutexGuard};

use super::sessions::{self, Opened};
use crate::{
    domain::person::{Email, State},
    error::Error,
    hasher::{Hashed, Hasher, Verdict},
    store::{
        credentials,
        users::{self, Person},
    },
    vault::Vault,
};

/// Failures within the window that lock an address, for as long as the window is.
const FAILURES: i32 = 5;
const WINDOW: Duration = Duration::from_secs(15 * 60);
const STRIPES: usize = 256;

/// Signs people in. Clones share the lines.
#[derive(Clone)]
pub(crate) struct SignIn {
    db: Db,
    vault: Vault,
    hasher: Hasher,
    /// Attempts at one address wait for each other, so that many at once do not get past the count of failures.
    lines: Arc<Vec<Mutex<()>>>,
}

/// The right to try the password of one address.
struct Turn<'a> {
    address_mac: Vec<u8>,
    _line: MutexGuard<'a, ()>,
}

impl SignIn {
    pub(crate) fn new(db: &Db, vault: &Vault, hasher: &Hasher) -> Self {
        let lines = Arc::new((0..STRIPES).map(|_| Mutex::new(())).collect());
        Self { db: db.clone(), vault: vault.clone(), hasher: hasher.clone(), lines }
    }

    /// Begins a session for whoever knows the password.
    pub(crate) async fn login(&self, email: &Email, password: &str) -> Result<(Opened, Person), Error> {
        let turn = self.turn(email).await?;
        let user = users::find_by_email(self.db.writer(), email).await?;
        let (user, proof) = self.proven(&turn, user, password).await?.ok_or(Error::SignInFailed)?;
        match user.state {
            State::Active => {}
            State::Unverified => return Err(Error::ContactUnverified),
            State::Disabled => return Err(Error::AccountDisabled),
            State::Erased => return Err(Error::SignInFailed),
        }
        let now = Timestamp::now();
        let opened = self
            .db
            .write(async |tx| {
                // Whoever disables the user either comes before this, or finds the session and ends it.
                if !users::hold(tx, user.id, State::Active).await? {
                    return Err(Error::AccountDisabled);
                }
                // So does whoever changes the password.
                if credentials::find_password(tx, user.id).await?.as_ref() != Some(&proof) {
                    return Err(Error::SignInFailed);
                }
                credentials::forget_failures(tx, &turn.address_mac).await?;
                sessions::begin(tx, &user.id.name(), user.roles.clone(), now).await
            })
            .await?;
        Ok((opened, user))
    }

    /// Asks a signed-in user for the password again. A wrong one counts like a failed sign-in.
    pub(crate) async fn confirm(&self, user: Person, password: &str) -> Result<bool, Error> {
        let Some(email) = Email::parse(&user.email) else { return Ok(false) };
        let turn = self.turn(&email).await?;
        Ok(self.proven(&turn, Some(user), password).await?.is_some())
    }

    /// Waits for the other attempts at the address, and refuses while it is locked.
    async fn turn(&self, email: &Email) -> Result<Turn<'_>, Error> {
        let address_mac = address_mac(&self.vault, email);
        let stripe = usize::from(address_mac[0]) % STRIPES;
        let line = self.lines[stripe].lock().await;
        let now = Timestamp::now();
        if let Some(until) = credentials::locked_until(self.db.writer(), &address_mac, now).await? {
            return Err(Error::SignInLocked { wait: until.since(now) });
        }
        Ok(Turn { address_mac, _line: line })
    }

    /// The user and what is kept of the password, where it is theirs. Takes as long and counts the same where there is
    /// no user.
    async fn proven(
        &self,
        turn: &Turn<'_>,
        user: Option<Person>,
        password: &str,
    ) -> Result<Option<(Person, Hashed)>, Error> {
        let kept = match &user {
            Some(user) => credentials::find_password(self.db.writer(), user.id).await?,
            None => None,
        };
        let verdict = self.hasher.compare(password, kept.as_ref()).await?;
        let now = Timestamp::now();
        match (verdict, user, kept) {
            (Verdict::Right, Some(user), Some(kept)) => Ok(Some((user, kept))),
            (Verdict::RightAndOutdated, Some(user), Some(old)) => {
                let new = self.hasher.hash(password).await?;
                self.db
                    .write(async |tx| credentials::replace_password(tx, user.id, &old, &new, now).await)
                    .await?;
                Ok(Some((user, new)))
            }
            _ => {
                self.db
                    .write(async |tx| {
                        credentials::count_failure(tx, &turn.address_mac, FAILURES, WINDOW, now).await
                    })
                    .await?;
                Ok(None)
            }
        }
    }
}

/// What the failures at an address are counted by.
pub(super) fn address_mac(vault: &Vault, email: &Email) -> Vec<u8> {
    vault.mac("sign-in address", &[email.as_str().as_bytes()])
}
