//! Setting a new password.
use chassis::{id::Id, time::Timestamp};
use sea_orm::DatabaseTransaction;

use super::register;
use crate::{
    domain::{Session, User},
    error::Error,
    hasher::Hashed,
    outbound,
    store::{credentials, sessions, users},
};

/// Sets a new password, ends all other sessions and tells the owner. A sign-in at the same time either comes first, and
/// its session is found here and ended, or finds that its password counts no more.
pub(crate) async fn change(
    tx: &DatabaseTransaction,
    user: Id<User>,
    session: Option<Id<Session>>,
    new: &Hashed,
    now: Timestamp,
) -> Result<(), Error> {
    users::touch(tx, user, now).await?;
    credentials::save_password(tx, user, new, now).await?;
    sessions::end_all(tx, &user.name(), session, now).await?;
    register::queue(tx, user, outbound::PASSWORD_CHANGED, None, now).await
}
