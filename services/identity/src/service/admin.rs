//! The first administrator, made from the command line or at the first start. No password is ever a default.
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chassis::{db::Db, id::Id, outbox, time::Timestamp};
use contract::identity::v1::{UserRegistered, UserVerified};

use crate::{
    domain::{
        User, password,
        person::{Email, State},
        role,
    },
    error::Error,
    hasher::Hasher,
    store::{self, access, credentials, users},
    vault::{self, Vault},
};

/// An administrator that was made.
pub struct Admin {
    /// `users/{user}`.
    pub user: String,
    /// The address to sign in with.
    pub email: String,
    /// The password to sign in with; show it once and forget it.
    pub password: String,
}

/// Makes an administrator. Without a password one is made up. `EMAIL_TAKEN` where the address has an account.
pub async fn create_admin(db: &Db, email: &str, password: Option<&str>) -> Result<Admin, Error> {
    make(db, email, password, false).await?.ok_or(Error::EmailTaken)
}

/// Makes the first administrator with a made-up password; nothing where there is one already.
pub async fn create_first_admin(db: &Db, email: &str) -> Result<Option<Admin>, Error> {
    if store::users::count_active_with_role(db.writer(), role::ADMIN).await? > 0 {
        return Ok(None);
    }
    make(db, email, None, true).await
}

async fn make(db: &Db, email: &str, given: Option<&str>, only_first: bool) -> Result<Option<Admin>, Error> {
    let email = Email::parse(email).ok_or_else(|| Error::field("email", "must be an e-mail address"))?;
    let password = match given {
        Some(password) => checked(password, &email)?,
        None => BASE64_URL_SAFE_NO_PAD.encode(vault::random::<18>()?),
    };
    // The secret of the database is enough here: the first sign-in peppers the password with today's.
    let hashed = Hasher::new(&Vault::open(db, None).await?)?.hash(&password).await?;
    let now = Timestamp::now();
    let id = Id::<User>::new();
    let made = db
        .write(async |tx| {
            access::bump(tx, now).await?;
            if only_first && users::count_active_with_role(tx, role::ADMIN).await? > 0 {
                return Ok::<_, Error>(false);
            }
            let new = users::New {
                id,
                email: Some(&email),
                display_name: "Administrator",
                locale: "en",
                state: State::Active,
            };
            if !users::insert(tx, &new, now).await? {
                return Ok(false);
            }
            credentials::save_password(tx, id, &hashed, now).await?;
            store::roles::grant(tx, id, role::CUSTOMER).await?;
            store::roles::grant(tx, id, role::ADMIN).await?;
            outbox::append(tx, &id.name(), &UserRegistered { user: id.name() }).await?;
            outbox::append(tx, &id.name(), &UserVerified { user: id.name() }).await?;
            Ok(true)
        })
        .await?;
    Ok(made.then(|| Admin { user: id.name(), email: email.as_str().to_owned(), password }))
}

fn checked(password: &str, email: &Email) -> Result<String, Error> {
    if !(15..=128).contains(&password.chars().count()) || password.contains('\0') {
        return Err(Error::field("password", "must have 15 to 128 characters"));
    }
    match password::fault(password, email) {
        Some(fault) => Err(Error::field("password", fault)),
        None => Ok(password.to_owned()),
    }
}
