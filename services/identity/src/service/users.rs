//! Accounts: reading, changing, shutting out, forgetting.
use std::collections::BTreeSet;

use chassis::{caller::Caller, id::Id, outbox, time::Timestamp};
use contract::identity::v1::UserErased;
use sea_orm::{ConnectionTrait, DatabaseTransaction};

use crate::{
    domain::{User, person::State, role},
    error::Error,
    store::{
        access, roles, sessions,
        users::{self, New, Person},
    },
};

/// The services that read users for themselves.
const READERS: [&str; 2] = ["notification", "order"];

/// The user a request names, where the caller may mean it: their own account (`users/me` stands for it), or anyone's
/// with the permission. Others are not found, like those that do not exist.
pub(crate) fn named(caller: &Caller, field: &str, name: &str, permission: &str) -> Result<Id<User>, Error> {
    let own = caller.subject_if_any().and_then(Id::<User>::parse_name);
    if name == "users/me" {
        return own.ok_or(Error::UserNotFound);
    }
    let id = Id::<User>::parse_name(name)
        .ok_or_else(|| Error::field(field, "must be a name like users/{uuid}"))?;
    let a_service = caller.subject_if_any().is_none()
        && caller.service().is_some_and(|service| READERS.contains(&service));
    if own == Some(id) || caller.may(permission) || a_service { Ok(id) } else { Err(Error::UserNotFound) }
}

/// Lets nobody act on staff but staff who grant roles: whoever helps customers must not shut out an administrator. On
/// their own account everybody may act.
pub(crate) async fn may_act_on(
    connection: &impl ConnectionTrait,
    caller: &Caller,
    id: Id<User>,
) -> Result<(), Error> {
    let own = caller.subject_if_any().and_then(Id::<User>::parse_name) == Some(id);
    if own || caller.may("role.grant") {
        return Ok(());
    }
    let held = roles::of_user(connection, id).await?;
    if held.iter().all(|held| held == role::CUSTOMER) { Ok(()) } else { Err(Error::UserIsStaff) }
}

/// Reads a user.
pub(crate) async fn get(connection: &impl ConnectionTrait, id: Id<User>) -> Result<Person, Error> {
    users::find(connection, id).await?.ok_or(Error::UserNotFound)
}

/// What changes in a profile.
pub(crate) struct Changes {
    pub(crate) display_name: Option<String>,
    pub(crate) locale: Option<String>,
    pub(crate) etag: String,
}

/// Changes a profile.
pub(crate) async fn update(
    tx: &DatabaseTransaction,
    id: Id<User>,
    changes: Changes,
    now: Timestamp,
) -> Result<(), Error> {
    let mut user = get(tx, id).await?;
    if user.state == State::Erased {
        return Err(Error::UserErased);
    }
    if !changes.etag.is_empty() && changes.etag != etag(&user) {
        return Err(Error::EtagMismatch);
    }
    user.display_name = changes.display_name.unwrap_or(user.display_name);
    user.locale = changes.locale.unwrap_or(user.locale);
    if users::save_profile(tx, &user, now).await? { Ok(()) } else { Err(Error::EtagMismatch) }
}

/// What changes with each update.
pub(crate) fn etag(user: &Person) -> String {
    user.version.to_string()
}

/// Shuts a user out. Again changes nothing.
pub(crate) async fn disable(tx: &DatabaseTransaction, id: Id<User>, now: Timestamp) -> Result<Person, Error> {
    let user = get(tx, id).await?;
    match user.state {
        State::Active | State::Unverified => {
            users::disable(tx, id, now).await?;
            sessions::end_all(tx, &id.name(), None, now).await?;
            somebody_runs_the_shop(tx, &user, now).await?;
            get(tx, id).await
        }
        State::Disabled => Ok(user),
        State::Erased => Err(Error::UserErased),
    }
}

/// Lets a user in again. Again changes nothing.
pub(crate) async fn enable(tx: &DatabaseTransaction, id: Id<User>, now: Timestamp) -> Result<Person, Error> {
    let user = get(tx, id).await?;
    match user.state {
        State::Disabled => {
            users::enable(tx, id, now).await?;
            get(tx, id).await
        }
        State::Active | State::Unverified => Ok(user),
        State::Erased => Err(Error::UserErased),
    }
}

/// Forgets a person. Again changes nothing.
pub(crate) async fn erase(tx: &DatabaseTransaction, id: Id<User>, now: Timestamp) -> Result<(), Error> {
    let user = get(tx, id).await?;
    match user.state {
        State::Unverified | State::Active | State::Disabled => {
            sessions::end_all(tx, &id.name(), None, now).await?;
            users::erase(tx, &user, now).await?;
            somebody_runs_the_shop(tx, &user, now).await?;
            outbox::append(tx, &id.name(), &UserErased { user: id.name() }).await?;
            Ok(())
        }
        State::Erased => Ok(()),
    }
}

/// Refuses a change that leaves the shop without an administrator. Such changes wait for each other at the policy's
/// version, so that two at once do not both leave the other one in charge.
pub(super) async fn somebody_runs_the_shop(
    tx: &DatabaseTransaction,
    before: &Person,
    now: Timestamp,
) -> Result<(), Error> {
    let was_admin = before.state == State::Active && before.roles.iter().any(|held| held == role::ADMIN);
    if !was_admin {
        return Ok(());
    }
    access::bump(tx, now).await?;
    if users::count_active_with_role(tx, role::ADMIN).await? == 0 { Err(Error::LastAdmin) } else { Ok(()) }
}

/// A customer from elsewhere.
pub(crate) struct Imported {
    pub(crate) external_id: String,
    pub(crate) display_name: String,
}

/// Takes customers over. The same external id gives the same user again.
pub(crate) async fn import(
    tx: &DatabaseTransaction,
    source: &str,
    people: &[Imported],
    now: Timestamp,
) -> Result<Vec<Id<User>>, Error> {
    let mut ids = Vec::with_capacity(people.len());
    let mut seen = BTreeSet::new();
    for person in people {
        let id = Id::<User>::derived(&["user", source, &person.external_id]);
        ids.push(id);
        if seen.insert(id) {
            let new = New {
                id,
                email: None,
                display_name: &person.display_name,
                locale: "en",
                state: State::Active,
            };
            users::insert(tx, &new, now).await?;
        }
    }
    Ok(ids)
}
