//! A new password for whoever forgot theirs, by a code sent to the account's address.
use std::time::Duration;

use chassis::{id::Id, outbox, time::Timestamp};
use contract::identity::v1::UserVerified;
use rand::Rng;
use sea_orm::DatabaseTransaction;
use uuid::Uuid;

use super::{password, sign_in};
use crate::{
    domain::person::{Email, State},
    error::Error,
    hasher::Hashed,
    outbound,
    store::{
        self, credentials, resets,
        users::{self, Person},
    },
    vault::Vault,
};

/// How long a code works.
pub(crate) const CODE_LIFETIME: Duration = Duration::from_secs(30 * 60);
/// Wrong tries that spend a code.
const CODE_TRIES: i32 = 5;
/// How often a code may be asked for within the window.
const ASKED_MAX: i32 = 3;
const WINDOW: Duration = Duration::from_secs(60 * 60);
const PURPOSE: &str = "password reset code";

/// A code that was right, and not spent yet.
pub(crate) struct Proof {
    user: Person,
    address_mac: Vec<u8>,
    code_mac: Vec<u8>,
}

/// Queues a code. For an address that opens nothing one is made all the same, and sent to nobody: nothing tells the two
/// apart, neither here nor when it is tried.
pub(crate) async fn request(
    tx: &DatabaseTransaction,
    vault: &Vault,
    email: &Email,
    now: Timestamp,
) -> Result<(), Error> {
    let address_mac = address_mac(vault, email);
    if !resets::count(tx, &address_mac, ASKED_MAX, WINDOW, now).await? {
        let began = resets::window_time(tx, &address_mac).await?.unwrap_or(now);
        return Err(Error::ResetLimited { wait: began.plus(WINDOW).since(now) });
    }
    let user = owner(users::find_by_email(tx, email).await?);
    // Eight digits rather than the six of a verification: this one opens an account that is in use.
    let code = format!("{:08}", rand::rng().random_range(0..100_000_000));
    let mac = vault.mac(PURPOSE, &[whose(user.as_ref()).as_bytes(), code.as_bytes()]);
    let expire_time = now.plus(CODE_LIFETIME);
    resets::save_code(tx, &address_mac, mac, expire_time).await?;
    let sealed = vault.seal(outbound::PURPOSE, code.as_bytes())?;
    if let Some(Person { id, .. }) = user {
        let kind = outbound::PASSWORD_RESET;
        store::outbound::insert(tx, Id::new(), id, kind, Some(sealed), now, expire_time).await?;
    }
    Ok(())
}

/// Tries a code. Nothing where it does not count: the caller then commits the try that it cost, and refuses.
pub(crate) async fn prove(
    tx: &DatabaseTransaction,
    vault: &Vault,
    email: &Email,
    code: &str,
    now: Timestamp,
) -> Result<Option<Proof>, Error> {
    let address_mac = address_mac(vault, email);
    let Some(code_mac) = resets::try_code(tx, &address_mac, CODE_TRIES, now).await? else { return Ok(None) };
    let user = owner(users::find_by_email(tx, email).await?);
    let right = vault.is_mac(PURPOSE, &[whose(user.as_ref()).as_bytes(), code.as_bytes()], &code_mac);
    Ok(user.filter(|_| right).map(|user| Proof { user, address_mac, code_mac }))
}

/// Sets the new password and spends the code. False where somebody spent it first, or the account was shut meanwhile.
pub(crate) async fn reset(
    tx: &DatabaseTransaction,
    vault: &Vault,
    email: &Email,
    proof: &Proof,
    new: &Hashed,
    now: Timestamp,
) -> Result<bool, Error> {
    let user = &proof.user;
    if !users::hold(tx, user.id, user.state).await?
        || !resets::spend(tx, &proof.address_mac, &proof.code_mac, now).await?
    {
        return Ok(false);
    }
    // The code came to the address, which proves it.
    if users::verify(tx, user.id, now).await? {
        outbox::append(tx, &user.id.name(), &UserVerified { user: user.id.name() }).await?;
    }
    credentials::forget_failures(tx, &sign_in::address_mac(vault, email)).await?;
    password::change(tx, user.id, None, new, now).await?;
    Ok(true)
}

/// Whoever may have a new password. A shut account stays shut.
fn owner(found: Option<Person>) -> Option<Person> {
    found.filter(|user| match user.state {
        State::Unverified | State::Active => true,
        State::Disabled | State::Erased => false,
    })
}

fn address_mac(vault: &Vault, email: &Email) -> Vec<u8> {
    vault.mac("password reset address", &[email.as_str().as_bytes()])
}

/// The account a code is made for, so that it opens no later one with the same address; of no account, none.
fn whose(user: Option<&Person>) -> Uuid {
    user.map_or(Uuid::nil(), |user| user.id.uuid())
}
