//! Roles: what they permit, and who holds them.
use std::time::Duration;

use chassis::{auth::token, caller::Caller, id::Id, time::Timestamp};
use sea_orm::{ConnectionTrait, DatabaseTransaction};

use super::users;
use crate::{
    domain::{
        User,
        person::State,
        role::{self, Role},
    },
    error::Error,
    store::{
        access, roles,
        users::{Person, touch},
    },
};

/// Longer than any token that still names the role counts.
const REMEMBERED: Duration =
    Duration::from_secs(token::ACCESS_LIFETIME.as_secs() + 2 * token::LEEWAY.as_secs());
/// A token signed while the role is being taken may name it still.
const MARGIN: Duration = Duration::from_secs(5);

/// Reads a role.
pub(crate) async fn get(connection: &impl ConnectionTrait, id: &str) -> Result<Role, Error> {
    roles::find(connection, id).await?.ok_or(Error::RoleNotFound)
}

/// Defines a role.
pub(crate) async fn create(tx: &DatabaseTransaction, role: &Role, now: Timestamp) -> Result<(), Error> {
    if !roles::insert(tx, role).await? {
        return Err(Error::RoleTaken);
    }
    Ok(access::bump(tx, now).await?)
}

/// Changes a role. Whoever holds it cannot add to it: that would be a grant to themselves.
pub(crate) async fn update(
    tx: &DatabaseTransaction,
    caller: &Caller,
    id: &str,
    change: impl FnOnce(&mut Role),
    now: Timestamp,
) -> Result<Role, Error> {
    access::bump(tx, now).await?;
    let before = get(tx, id).await?;
    let mut after = before.clone();
    change(&mut after);
    if !after.permissions.is_subset(&before.permissions)
        && let Some(own) = caller.subject_if_any().and_then(Id::<User>::parse_name)
        && roles::of_user(tx, own).await?.iter().any(|held| held == id)
    {
        return Err(Error::GrantToSelf);
    }
    if id == role::ADMIN && !after.permissions.contains("role.grant") {
        return Err(Error::LastAdmin);
    }
    roles::save(tx, &after).await?;
    Ok(after)
}

/// Deletes a role that nobody holds. Again changes nothing.
pub(crate) async fn delete(tx: &DatabaseTransaction, id: &str, now: Timestamp) -> Result<(), Error> {
    let role = get(tx, id).await?;
    if role.system {
        return Err(Error::RoleBuiltIn);
    }
    if roles::count_holders(tx, id).await? > 0 {
        return Err(Error::RoleInUse);
    }
    roles::delete(tx, id).await?;
    Ok(access::bump(tx, now).await?)
}

/// Gives a user a role. Again changes nothing.
pub(crate) async fn grant(
    tx: &DatabaseTransaction,
    caller: &Caller,
    id: Id<User>,
    role: &str,
    now: Timestamp,
) -> Result<Person, Error> {
    if caller.subject_if_any() == Some(&id.name()) {
        return Err(Error::GrantToSelf);
    }
    let user = users::get(tx, id).await?;
    if user.state == State::Erased {
        return Err(Error::UserErased);
    }
    get(tx, role).await?;
    if roles::grant(tx, id, role).await? {
        touch(tx, id, now).await?;
        access::forget_revocation(tx, &revoked(id, role)).await?;
        access::bump(tx, now).await?;
    }
    users::get(tx, id).await
}

/// Takes a role from a user. Again changes nothing. Tokens that name the role stop counting for it.
pub(crate) async fn revoke(
    tx: &DatabaseTransaction,
    id: Id<User>,
    role: &str,
    now: Timestamp,
) -> Result<Person, Error> {
    let user = users::get(tx, id).await?;
    get(tx, role).await?;
    if roles::revoke(tx, id, role).await? {
        touch(tx, id, now).await?;
        access::revoke(tx, &revoked(id, role), now.plus(MARGIN), now.plus(MARGIN).plus(REMEMBERED)).await?;
        access::bump(tx, now).await?;
        if role == role::ADMIN {
            users::somebody_runs_the_shop(tx, &user, now).await?;
        }
    }
    users::get(tx, id).await
}

/// How a revocation names a role that one user has lost.
fn revoked(user: Id<User>, role: &str) -> String {
    format!("{} {}", user.name(), role::name(role))
}
