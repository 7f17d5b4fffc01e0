//! Opening an account, and proving its address by a code.
use std::time::Duration;

use chassis::{id::Id, outbox, time::Timestamp};
use contract::identity::v1::{UserRegistered, UserVerified};
use rand::Rng;
use sea_orm::DatabaseTransaction;

use crate::{
    domain::{
        User,
        person::{Email, State},
        role,
    },
    error::Error,
    hasher::Hashed,
    outbound,
    store::{
        self, credentials,
        users::{self, Person},
    },
    vault::Vault,
};

/// How long a code works.
pub(crate) const CODE_LIFETIME: Duration = Duration::from_secs(15 * 60);
/// Wrong tries that spend a code.
const CODE_TRIES: i32 = 5;
/// The least time between two messages to one address.
const MAIL_EVERY: Duration = Duration::from_secs(60);
const PURPOSE: &str = "verification code";

/// What somebody who registers says.
pub(crate) struct Registration {
    pub(crate) email: Email,
    pub(crate) password: Hashed,
    pub(crate) display_name: String,
    pub(crate) locale: String,
}

/// Opens an account and queues its code. Where the address is taken nothing tells so but a message to its owner.
pub(crate) async fn register(
    tx: &DatabaseTransaction,
    vault: &Vault,
    new: &Registration,
    now: Timestamp,
) -> Result<(), Error> {
    let id = Id::new();
    let row = users::New {
        id,
        email: Some(&new.email),
        display_name: &new.display_name,
        locale: &new.locale,
        state: State::Unverified,
    };
    if users::insert(tx, &row, now).await? {
        credentials::save_password(tx, id, &new.password, now).await?;
        store::roles::grant(tx, id, role::CUSTOMER).await?;
        outbox::append(tx, &id.name(), &UserRegistered { user: id.name() }).await?;
        users::claim_mail(tx, id, now, now).await?;
        return send_code(tx, vault, id, now).await;
    }
    let Some(known) = users::find_by_email(tx, &new.email).await? else { return Ok(()) };
    if !users::claim_mail(tx, known.id, now.minus(MAIL_EVERY), now).await? {
        return Ok(());
    }
    match known.state {
        // Whoever registered before has not proven the address. The password changes only together with the code, so
        // that nobody's code ever opens somebody else's password.
        State::Unverified => {
            credentials::save_password(tx, known.id, &new.password, now).await?;
            let renamed =
                Person { display_name: new.display_name.clone(), locale: new.locale.clone(), ..known };
            users::save_profile(tx, &renamed, now).await?;
            send_code(tx, vault, renamed.id, now).await
        }
        State::Active | State::Disabled => queue(tx, known.id, outbound::ACCOUNT_EXISTS, None, now).await,
        State::Erased => Ok(()),
    }
}

/// Queues a new code, at most one a minute, where the address waits for one.
pub(crate) async fn resend_verification(
    tx: &DatabaseTransaction,
    vault: &Vault,
    email: &Email,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(user) = users::find_by_email(tx, email).await? else { return Ok(()) };
    if user.state != State::Unverified || !users::claim_mail(tx, user.id, now.minus(MAIL_EVERY), now).await? {
        return Ok(());
    }
    send_code(tx, vault, user.id, now).await
}

/// Takes a code. Nothing where it does not count: the caller then commits the try that it cost, and refuses.
pub(crate) async fn verify_contact(
    tx: &DatabaseTransaction,
    vault: &Vault,
    email: &Email,
    code: &str,
    now: Timestamp,
) -> Result<Option<Person>, Error> {
    let Some(user) = users::find_by_email(tx, email).await? else { return Ok(None) };
    let Some(mac) = credentials::try_code(tx, user.id, CODE_TRIES, now).await? else { return Ok(None) };
    if !vault.is_mac(PURPOSE, &[user.id.uuid().as_bytes(), code.as_bytes()], &mac) {
        return Ok(None);
    }
    credentials::give_try_back(tx, user.id).await?;
    if users::verify(tx, user.id, now).await? {
        outbox::append(tx, &user.id.name(), &UserVerified { user: user.id.name() }).await?;
    }
    // A repeat with the same code finds the account in use, and is told the same.
    Ok(users::find(tx, user.id).await?)
}

async fn send_code(
    tx: &DatabaseTransaction,
    vault: &Vault,
    id: Id<User>,
    now: Timestamp,
) -> Result<(), Error> {
    let code = format!("{:06}", rand::rng().random_range(0..1_000_000));
    let mac = vault.mac(PURPOSE, &[id.uuid().as_bytes(), code.as_bytes()]);
    credentials::save_code(tx, id, mac, now.plus(CODE_LIFETIME)).await?;
    let sealed = vault.seal(outbound::PURPOSE, code.as_bytes())?;
    queue(tx, id, outbound::VERIFY_CONTACT, Some(sealed), now).await
}

/// Queues a message to a user.
pub(crate) async fn queue(
    tx: &DatabaseTransaction,
    user: Id<User>,
    kind: &str,
    sealed_code: Option<Vec<u8>>,
    now: Timestamp,
) -> Result<(), Error> {
    let expire_time = now.plus(CODE_LIFETIME);
    store::outbound::insert(tx, Id::new(), user, kind, sealed_code, now, expire_time).await?;
    Ok(())
}
