//! Guests: people who buy without an account.
use chassis::{caller::Caller, id::Id, time::Timestamp};
use sea_orm::{ConnectionTrait, DatabaseTransaction};

use super::sessions::{self, Opened};
use crate::{
    domain::{Guest, User, person::Email},
    error::Error,
    store::users::{self, Contact},
};

/// Gives a guest a session.
pub(crate) async fn create(tx: &DatabaseTransaction, now: Timestamp) -> Result<Opened, Error> {
    let id = Id::<Guest>::new();
    users::insert_guest(tx, id, now).await?;
    sessions::begin(tx, &id.name(), Vec::new(), now).await
}

/// Keeps where the guest who calls is reached.
pub(crate) async fn set_contact(
    tx: &DatabaseTransaction,
    caller: &Caller,
    email: &Email,
    locale: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let guest = caller.subject_if_any().and_then(Id::<Guest>::parse_name).ok_or(Error::NotAGuest)?;
    if users::save_guest(tx, guest, email, locale, now).await? { Ok(()) } else { Err(Error::GuestNotFound) }
}

/// Where a user or guest is reached. Who was erased is not found.
pub(crate) async fn contact(connection: &impl ConnectionTrait, subject: &str) -> Result<Contact, Error> {
    if let Some(id) = Id::<User>::parse_name(subject) {
        return users::contact_of_user(connection, id).await?.ok_or(Error::UserNotFound);
    }
    if let Some(id) = Id::<Guest>::parse_name(subject) {
        return users::contact_of_guest(connection, id).await?.ok_or(Error::GuestNotFound);
    }
    Err(Error::field("subject", "must be a name like users/{uuid} or guests/{uuid}"))
}
