//! Users and guests.
use std::collections::HashMap;

use chassis::{id::Id, page::Page, time::Timestamp};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult, Value};
use uuid::Uuid;

use super::{all, changed, count, execute, one, places};
use crate::domain::{
    Guest, User,
    person::{Email, State},
};

/// A user, with the roles held.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) id: Id<User>,
    pub(crate) email: String,
    pub(crate) display_name: String,
    pub(crate) locale: String,
    pub(crate) state: State,
    pub(crate) roles: Vec<String>,
    pub(crate) version: i64,
    pub(crate) create_time: Timestamp,
    pub(crate) update_time: Timestamp,
}

#[derive(FromQueryResult)]
struct Row {
    id: Id<User>,
    email: Option<String>,
    display_name: String,
    locale: String,
    state: String,
    version: i64,
    create_time: Timestamp,
    update_time: Timestamp,
}

impl Row {
    fn with(self, roles: Vec<String>) -> Result<Person, DbErr> {
        let state =
            State::parse(&self.state).ok_or_else(|| DbErr::Type(format!("{} is no state", self.state)))?;
        Ok(Person {
            id: self.id,
            email: self.email.unwrap_or_default(),
            display_name: self.display_name,
            locale: self.locale,
            state,
            roles,
            version: self.version,
            create_time: self.create_time,
            update_time: self.update_time,
        })
    }
}

const COLUMNS: &str = "id, email, display_name, locale, state, version, create_time, update_time";

/// What opens an account.
pub(crate) struct New<'a> {
    pub(crate) id: Id<User>,
    pub(crate) email: Option<&'a Email>,
    pub(crate) display_name: &'a str,
    pub(crate) locale: &'a str,
    pub(crate) state: State,
}

/// Opens an account. False where the id or the address is taken.
pub(crate) async fn insert(tx: &DatabaseTransaction, user: &New<'_>, now: Timestamp) -> Result<bool, DbErr> {
    changed(
        tx,
        "INSERT INTO users (id, email, display_name, locale, state, version, mail_time, verify_time, create_time, update_time)
         VALUES ($1, $2, $3, $4, $5, 1, 0, $7, $6, $6) ON CONFLICT DO NOTHING",
        [
            user.id.into(),
            user.email.map(|email| email.as_str().to_owned()).into(),
            user.display_name.into(),
            user.locale.into(),
            user.state.as_str().into(),
            now.into(),
            (user.state == State::Active).then_some(now).into(),
        ],
    )
    .await
}

/// Whoever has the address.
pub(crate) async fn find_by_email(
    connection: &impl ConnectionTrait,
    email: &Email,
) -> Result<Option<Person>, DbErr> {
    let row = one::<Row>(
        connection,
        &format!("SELECT {COLUMNS} FROM users WHERE email = $1"),
        [email.as_str().into()],
    )
    .await?;
    match row {
        Some(row) => with_roles(connection, vec![row]).await.map(|mut people| people.pop()),
        None => Ok(None),
    }
}

/// The user of that id.
pub(crate) async fn find(connection: &impl ConnectionTrait, id: Id<User>) -> Result<Option<Person>, DbErr> {
    let row =
        one::<Row>(connection, &format!("SELECT {COLUMNS} FROM users WHERE id = $1"), [id.into()]).await?;
    match row {
        Some(row) => with_roles(connection, vec![row]).await.map(|mut people| people.pop()),
        None => Ok(None),
    }
}

/// A page of users, newest first; one more than fits where another page follows.
pub(crate) async fn list(connection: &impl ConnectionTrait, page: &Page) -> Result<Vec<Person>, DbErr> {
    let after = page.after.as_deref().and_then(|keys| match keys {
        [time, id] => Some((time.parse::<i64>().ok()?, id.parse::<Uuid>().ok()?)),
        _ => None,
    });
    let (time, id) = after.unwrap_or((i64::MAX, Uuid::max()));
    let limit = i64::try_from(page.size + 1).unwrap_or(i64::MAX);
    let sql = format!(
        "SELECT {COLUMNS} FROM users WHERE create_time < $1 OR (create_time = $1 AND id < $2)
         ORDER BY create_time DESC, id DESC LIMIT $3"
    );
    let rows = all::<Row>(connection, &sql, [time.into(), id.into(), limit.into()]).await?;
    with_roles(connection, rows).await
}

async fn with_roles(connection: &impl ConnectionTrait, rows: Vec<Row>) -> Result<Vec<Person>, DbErr> {
    #[derive(FromQueryResult)]
    struct Held {
        user_id: Id<User>,
        role_id: String,
    }
    let mut roles: HashMap<Id<User>, Vec<String>> = HashMap::new();
    if !rows.is_empty() {
        let sql = format!(
            "SELECT user_id, role_id FROM user_roles WHERE user_id IN ({}) ORDER BY role_id",
            places(1, rows.len())
        );
        for held in all::<Held>(connection, &sql, rows.iter().map(|row| Value::from(row.id))).await? {
            roles.entry(held.user_id).or_default().push(held.role_id);
        }
    }
    rows.into_iter()
        .map(|row| {
            let roles = roles.remove(&row.id).unwrap_or_default();
            row.with(roles)
        })
        .collect()
}

/// Saves a profile. False where somebody was faster.
pub(crate) async fn save_profile(
    tx: &DatabaseTransaction,
    user: &Person,
    now: Timestamp,
) -> Result<bool, DbErr> {
    changed(
        tx,
        "UPDATE users SET display_name = $3, locale = $4, version = version + 1, update_time = $5 WHERE id = $1 AND version = $2",
        [user.id.into(), user.version.into(), user.display_name.as_str().into(), user.locale.as_str().into(), now.into()],
    )
    .await
}

/// Puts a new account to use. False where it is not new.
pub(crate) async fn verify(tx: &DatabaseTransaction, id: Id<User>, now: Timestamp) -> Result<bool, DbErr> {
    changed(
        tx,
        "UPDATE users SET state = 'ACTIVE', verify_time = $2, version = version + 1, update_time = $2
         WHERE id = $1 AND state = 'UNVERIFIED'",
        [id.into(), now.into()],
    )
    .await
}

/// Shuts an account.
pub(crate) async fn disable(tx: &DatabaseTransaction, id: Id<User>, now: Timestamp) -> Result<bool, DbErr> {
    changed(
        tx,
        "UPDATE users SET state = 'DISABLED', version = version + 1, update_time = $2
         WHERE id = $1 AND state IN ('ACTIVE', 'UNVERIFIED')",
        [id.into(), now.into()],
    )
    .await
}

/// Opens a shut account again. Who had not proven the contact has to do so still.
pub(crate) async fn enable(tx: &DatabaseTransaction, id: Id<User>, now: Timestamp) -> Result<bool, DbErr> {
    changed(
        tx,
        "UPDATE users SET state = CASE WHEN verify_time IS NULL THEN 'UNVERIFIED' ELSE 'ACTIVE' END,
         version = version + 1, update_time = $2 WHERE id = $1 AND state = 'DISABLED'",
        [id.into(), now.into()],
    )
    .await
}

/// Holds the row against a change of state until the transaction ends. False where the user is not in that state.
pub(crate) async fn hold(tx: &DatabaseTransaction, id: Id<User>, state: State) -> Result<bool, DbErr> {
    changed(
        tx,
        "UPDATE users SET mail_time = mail_time WHERE id = $1 AND state = $2",
        [id.into(), state.as_str().into()],
    )
    .await
}

/// Notes a change that is kept in another table.
pub(crate) async fn touch(tx: &DatabaseTransaction, id: Id<User>, now: Timestamp) -> Result<(), DbErr> {
    execute(
        tx,
        "UPDATE users SET version = version + 1, update_time = $2 WHERE id = $1",
        [id.into(), now.into()],
    )
    .await?;
    Ok(())
}

/// Notes that a message about the account is sent, unless one was after `since`. False where one was.
pub(crate) async fn claim_mail(
    tx: &DatabaseTransaction,
    id: Id<User>,
    since: Timestamp,
    now: Timestamp,
) -> Result<bool, DbErr> {
    changed(
        tx,
        "UPDATE users SET mail_time = $3 WHERE id = $1 AND mail_time <= $2",
        [id.into(), since.into(), now.into()],
    )
    .await
}

/// Forgets everything personal about a user, in every table of this database.
pub(crate) async fn erase(tx: &DatabaseTransaction, user: &Person, now: Timestamp) -> Result<(), DbErr> {
    execute(
        tx,
        "UPDATE users SET email = NULL, display_name = '', locale = 'en', state = 'ERASED', version = version + 1, update_time = $2
         WHERE id = $1",
        [user.id.into(), now.into()],
    )
    .await?;
    for table in ["credentials", "verifications", "addresses", "user_roles", "outbound"] {
        execute(tx, &format!("DELETE FROM {table} WHERE user_id = $1"), [user.id.into()]).await?;
    }
    // Replies kept for repeated requests show the profile and addresses.
    execute(tx, "DELETE FROM requests WHERE caller = $1", [user.id.name().into()]).await?;
    Ok(())
}

/// How many users may sign in and hold the role.
pub(crate) async fn count_active_with_role(
    connection: &impl ConnectionTrait,
    role: &str,
) -> Result<u64, DbErr> {
    count(
        connection,
        "SELECT COUNT(*) AS count FROM users JOIN user_roles ON user_id = id WHERE role_id = $1 AND state = 'ACTIVE'",
        [role.into()],
    )
    .await
}

/// Makes a guest known.
pub(crate) async fn insert_guest(
    tx: &DatabaseTransaction,
    id: Id<Guest>,
    now: Timestamp,
) -> Result<(), DbErr> {
    execute(
        tx,
        "INSERT INTO guests (id, email, locale, create_time, update_time) VALUES ($1, '', 'en', $2, $2)",
        [id.into(), now.into()],
    )
    .await?;
    Ok(())
}

/// Keeps a guest's contact. False where there is no such guest.
pub(crate) async fn save_guest(
    tx: &DatabaseTransaction,
    id: Id<Guest>,
    email: &Email,
    locale: &str,
    now: Timestamp,
) -> Result<bool, DbErr> {
    changed(
        tx,
        "UPDATE guests SET email = $2, locale = $3, update_time = $4 WHERE id = $1",
        [id.into(), email.as_str().into(), locale.into(), now.into()],
    )
    .await
}

/// Where somebody is reached.
#[derive(FromQueryResult)]
pub(crate) struct Contact {
    pub(crate) email: String,
    pub(crate) display_name: String,
    pub(crate) locale: String,
}

/// Where a user is reached who was not erased.
pub(crate) async fn contact_of_user(
    connection: &impl ConnectionTrait,
    id: Id<User>,
) -> Result<Option<Contact>, DbErr> {
    let sql =
        "SELECT COALESCE(email, '') AS email, display_name, locale FROM users WHERE id = $1 AND state <> $2";
    one(connection, sql, [id.into(), State::Erased.as_str().into()]).await
}

/// Where a guest is reached.
pub(crate) async fn contact_of_guest(
    connection: &impl ConnectionTrait,
    id: Id<Guest>,
) -> Result<Option<Contact>, DbErr> {
    let sql = "SELECT email, '' AS display_name, locale FROM guests WHERE id = $1";
    one(connection, sql, [id.into()]).await
}
