//! Roles and who holds them.
use std::collections::BTreeSet;

use chassis::{id::Id, page::Page};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult};

use super::{all, changed, count, execute, one};
use crate::domain::{User, role::Role};

#[derive(FromQueryResult)]
struct Row {
    id: String,
    title: String,
    permissions: String,
    system: bool,
}

impl TryFrom<Row> for Role {
    type Error = DbErr;

    fn try_from(row: Row) -> Result<Role, DbErr> {
        let permissions: BTreeSet<String> =
            serde_json::from_str(&row.permissions).map_err(|error| DbErr::Json(error.to_string()))?;
        Ok(Role { id: row.id, title: row.title, permissions, system: row.system })
    }
}

fn json(permissions: &BTreeSet<String>) -> String {
    serde_json::json!(permissions).to_string()
}

/// The role of that id.
pub(crate) async fn find(connection: &impl ConnectionTrait, id: &str) -> Result<Option<Role>, DbErr> {
    let row =
        one::<Row>(connection, "SELECT id, title, permissions, system FROM roles WHERE id = $1", [id.into()])
            .await?;
    row.map(Role::try_from).transpose()
}

/// Every role.
pub(crate) async fn list_all(connection: &impl ConnectionTrait) -> Result<Vec<Role>, DbErr> {
    let rows =
        all::<Row>(connection, "SELECT id, title, permissions, system FROM roles ORDER BY id", []).await?;
    rows.into_iter().map(Role::try_from).collect()
}

/// A page of roles, by id; one more than fits where another page follows.
pub(crate) async fn list(connection: &impl ConnectionTrait, page: &Page) -> Result<Vec<Role>, DbErr> {
    let after = page.after.as_ref().and_then(|keys| keys.first()).cloned().unwrap_or_default();
    let limit = i64::try_from(page.size + 1).unwrap_or(i64::MAX);
    let rows = all::<Row>(
        connection,
        "SELECT id, title, permissions, system FROM roles WHERE id > $1 ORDER BY id LIMIT $2",
        [after.into(), limit.into()],
    )
    .await?;
    rows.into_iter().map(Role::try_from).collect()
}

/// Defines a role. False where the id is taken.
pub(crate) async fn insert(tx: &DatabaseTransaction, role: &Role) -> Result<bool, DbErr> {
    changed(
        tx,
        "INSERT INTO roles (id, title, permissions, system) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING",
        [role.id.as_str().into(), role.title.as_str().into(), json(&role.permissions).into(), role.system.into()],
    )
    .await
}

/// Saves what a role is called and permits.
pub(crate) async fn save(tx: &DatabaseTransaction, role: &Role) -> Result<(), DbErr> {
    execute(
        tx,
        "UPDATE roles SET title = $2, permissions = $3 WHERE id = $1",
        [role.id.as_str().into(), role.title.as_str().into(), json(&role.permissions).into()],
    )
    .await?;
    Ok(())
}

/// Deletes a role. The database refuses where somebody holds it.
pub(crate) async fn delete(tx: &DatabaseTransaction, id: &str) -> Result<bool, DbErr> {
    changed(tx, "DELETE FROM roles WHERE id = $1", [id.into()]).await
}

/// How many hold the role.
pub(crate) async fn count_holders(connection: &impl ConnectionTrait, id: &str) -> Result<u64, DbErr> {
    count(connection, "SELECT COUNT(*) AS count FROM user_roles WHERE role_id = $1", [id.into()]).await
}

/// Gives a user a role. False where the user holds it already.
pub(crate) async fn grant(tx: &DatabaseTransaction, user: Id<User>, role: &str) -> Result<bool, DbErr> {
    changed(
        tx,
        "INSERT INTO user_roles (user_id, role_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        [user.into(), role.into()],
    )
    .await
}

/// Takes a role from a user. False where the user does not hold it.
pub(crate) async fn revoke(tx: &DatabaseTransaction, user: Id<User>, role: &str) -> Result<bool, DbErr> {
    changed(tx, "DELETE FROM user_roles WHERE user_id = $1 AND role_id = $2", [user.into(), role.into()])
        .await
}

/// The roles a user holds.
pub(crate) async fn of_user(connection: &impl ConnectionTrait, user: Id<User>) -> Result<Vec<String>, DbErr> {
    #[derive(FromQueryResult)]
    struct Held {
        role_id: String,
    }
    let held = all::<Held>(
        connection,
        "SELECT role_id FROM user_roles WHERE user_id = $1 ORDER BY role_id",
        [user.into()],
    )
    .await?;
    Ok(held.into_iter().map(|held| held.role_id).collect())
}
