//! Doing a thing once: a repeated request gets the first reply again.

use std::collections::HashSet;
use std::fmt;

use prost::Message;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, QueryResult, Statement, Value};
use serde::{Deserialize, Serialize};
use tonic::{Code, Status};

use crate::caller::Caller;
use crate::db::Db;
use crate::failpoint;
use crate::rows::{self, Column, Rows};
use crate::status;
use crate::time::Timestamp;

/// Whose reasons these are.
const DOMAIN: &str = "cartwright";

/// What a request is recognised by. Serializable, so that a process that replies later can keep it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    caller: String,
    method: String,
    request_id: String,
    fingerprint: Vec<u8>,
}

impl Key {
    /// The key of a caller's request. An empty `request_id` claims nothing: the work is done each time.
    pub fn of<M: Message>(caller: &Caller, method: &str, request_id: &str, request: &M) -> Key {
        Key {
            caller: caller.key(),
            method: method.to_owned(),
            request_id: request_id.to_ascii_lowercase(),
            fingerprint: fingerprint(&request.encode_to_vec()),
        }
    }
}

/// The caller, the method and the request's id.
impl fmt::Display for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {} {}", self.caller, self.method, self.request_id)
    }
}

/// What a claim found.
#[derive(Debug, PartialEq, Eq)]
pub enum Claim<R> {
    /// Nobody has asked this before: do it, then [`settle`].
    New,
    /// It was done: this was the reply.
    Done(R),
}

/// Why a request may not be carried out under its id.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The id was used for another request.
    #[error("the request id was already used for a different request")]
    Reused,
    /// The first request with this id has not been answered yet.
    #[error("a request with this id is still being carried out")]
    InFlight,
    /// The database failed.
    #[error("the request's id could not be looked up")]
    Database(#[from] DbErr),
}

impl From<Error> for Status {
    fn from(error: Error) -> Status {
        match &error {
            Error::Reused => status::refusal(Code::AlreadyExists, "REQUEST_ID_REUSED", DOMAIN, &error),
            Error::InFlight => status::busy("REQUEST_IN_FLIGHT", DOMAIN, &error),
            Error::Database(_) => status::internal(&error),
        }
    }
}

/// Runs `work` in a transaction once per key, and keeps its reply with it.
///
/// The same request again gets the first reply; another request under the same id is `ALREADY_EXISTS`. What fails
/// is rolled back together with the claim, and may be tried again.
pub async fn once<R, E, F>(db: &Db, key: Key, work: F) -> Result<R, Status>
where
    R: Message + Default,
    E: From<DbErr> + Into<Status>,
    F: AsyncFnOnce(&DatabaseTransaction) -> Result<R, E>,
{
    let result = db
        .write(async |tx| match claim(tx, &key).await.map_err(Failure::Claim)? {
            Claim::Done(reply) => Ok(reply),
            Claim::New => {
                let reply = work(tx).await.map_err(Failure::Work)?;
                settle(tx, &key, &reply).await.map_err(Error::from).map_err(Failure::Claim)?;
                Ok(reply)
            }
        })
        .await;
    result.map_err(|failure| match failure {
        Failure::Claim(error) => error.into(),
        Failure::Work(error) => error.into(),
    })
}

enum Failure<E> {
    Claim(Error),
    Work(E),
}

impl<E: From<DbErr>> From<DbErr> for Failure<E> {
    fn from(error: DbErr) -> Failure<E> {
        Failure::Work(error.into())
    }
}

/// Claims a key. Of two transactions that claim it at once, the second waits for the first to end.
///
/// Used directly where the reply comes later than the transaction that accepts the request: claim there, reply
/// with [`settle`] at the end. A repeat in between is `ABORTED`.
pub async fn claim<R: Message + Default>(tx: &DatabaseTransaction, key: &Key) -> Result<Claim<R>, Error> {
    if key.request_id.is_empty() {
        return Ok(Claim::New);
    }
    let claimed = tx
        .execute_raw(Statement::from_sql_and_values(
            tx.get_database_backend(),
            "INSERT INTO requests (caller, method, request_id, fingerprint, create_time) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (caller, method, request_id) DO NOTHING",
            [
                key.caller.as_str().into(),
                key.method.as_str().into(),
                key.request_id.as_str().into(),
                key.fingerprint.clone().into(),
                Timestamp::now().micros().into(),
            ],
        ))
        .await?;
    if claimed.rows_affected() == 1 || failpoint::mutated("claim") {
        return Ok(Claim::New);
    }
    known(tx, key).await?.map(Claim::Done).ok_or(Error::InFlight)
}

/// The reply that a request got before, if it was made before.
pub async fn known<R: Message + Default>(on: &impl ConnectionTrait, key: &Key) -> Result<Option<R>, Error> {
    let first = on
        .query_one_raw(Statement::from_sql_and_values(
            on.get_database_backend(),
            "SELECT fingerprint, reply FROM requests WHERE caller = $1 AND method = $2 AND request_id = $3",
            [key.caller.as_str().into(), key.method.as_str().into(), key.request_id.as_str().into()],
        ))
        .await?;
    let Some(first) = first else { return Ok(None) };
    if first.try_get_by_index::<Vec<u8>>(0)? != key.fingerprint {
        return Err(Error::Reused);
    }
    let reply: Option<Vec<u8>> = first.try_get_by_index(1)?;
    let reply = reply.ok_or(Error::InFlight)?;
    let reply = R::decode(reply.as_slice())
        .map_err(|error| DbErr::Type(format!("a kept reply is damaged: {error}")))?;
    Ok(Some(reply))
}

/// Claims the keys of requests that this transaction carries out, and keeps the reply of each, in one statement. `false`
/// where one of them is known: then the transaction must not commit.
pub async fn answer_all<'a, R: Message>(
    tx: &DatabaseTransaction,
    requests: impl IntoIterator<Item = (&'a Key, R)>,
) -> Result<bool, DbErr> {
    const COLUMNS: [Column; 5] = [
        rows::text("caller"),
        rows::text("method"),
        rows::text("request_id"),
        rows::bytes("fingerprint"),
        rows::bytes("reply"),
    ];
    let mut requests: Vec<_> = requests.into_iter().filter(|(key, _)| !key.request_id.is_empty()).collect();
    // Two transactions that claim the same keys wait for each other at the first.
    requests.sort_by(|(one, _), (other, _)| one.request_id.cmp(&other.request_id));
    let row = |(key, reply): &(&Key, R)| -> [Value; 5] {
        [
            key.caller.as_str().into(),
            key.method.as_str().into(),
            key.request_id.as_str().into(),
            key.fingerprint.clone().into(),
            reply.encode_to_vec().into(),
        ]
    };
    let sql = "INSERT INTO requests (caller, method, request_id, fingerprint, reply, create_time)
        SELECT caller, method, request_id, fingerprint, reply, $1 FROM {rows} AS new WHERE TRUE
        ON CONFLICT (caller, method, request_id) DO NOTHING";
    let (rows, now) = (Rows::new(&COLUMNS, requests.iter().map(row)), Timestamp::now().micros());
    let claimed = rows.run(tx, sql, &[now.into()]).await?;
    Ok(claimed == requests.len() as u64 || failpoint::mutated("claim"))
}

/// Keeps the reply to a claimed request.
pub async fn settle<R: Message>(tx: &DatabaseTransaction, key: &Key, reply: &R) -> Result<(), DbErr> {
    if key.request_id.is_empty() {
        return Ok(());
    }
    tx.execute_raw(Statement::from_sql_and_values(
        tx.get_database_backend(),
        "UPDATE requests SET reply = $4 WHERE caller = $1 AND method = $2 AND request_id = $3",
        [
            key.caller.as_str().into(),
            key.method.as_str().into(),
            key.request_id.as_str().into(),
            reply.encode_to_vec().into(),
        ],
    ))
    .await?;
    Ok(())
}

/// Claims many keys at once, as [`claim`] does each; no two of them are the same. Most are new, and cost one statement
/// together.
pub async fn claim_all<R: Message + Default>(
    tx: &DatabaseTransaction,
    keys: &[&Key],
) -> Result<Vec<Result<Claim<R>, Error>>, DbErr> {
    const COLUMNS: [Column; 4] =
        [rows::text("caller"), rows::text("method"), rows::text("request_id"), rows::bytes("fingerprint")];
    let named = keys.iter().filter(|key| !key.request_id.is_empty());
    let row = |key: &&Key| -> [Value; 4] {
        [
            key.caller.as_str().into(),
            key.method.as_str().into(),
            key.request_id.as_str().into(),
            key.fingerprint.clone().into(),
        ]
    };
    let sql = "INSERT INTO requests (caller, method, request_id, fingerprint, create_time)
         SELECT caller, method, request_id, fingerprint, $1 FROM {rows} AS new WHERE TRUE
         ON CONFLICT (caller, method, request_id) DO NOTHING RETURNING caller, method, request_id";
    let read = |row: &QueryResult| {
        Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?))
    };
    let claimed: HashSet<(String, String, String)> = Rows::new(&COLUMNS, named.copied().map(|key| row(&key)))
        .query(tx, sql, &[Timestamp::now().micros().into()], read)
        .await?
        .into_iter()
        .collect();
    let mut answers = Vec::with_capacity(keys.len());
    for key in keys {
        let id = (key.caller.clone(), key.method.clone(), key.request_id.clone());
        answers.push(match key.request_id.is_empty() || claimed.contains(&id) {
            true => Ok(Claim::New),
            false => claim(tx, key).await,
        });
    }
    Ok(answers)
}

/// Keeps the replies to many claimed requests.
pub async fn settle_all<R: Message>(tx: &DatabaseTransaction, replies: Vec<(&Key, R)>) -> Result<(), DbErr> {
    const COLUMNS: [Column; 4] =
        [rows::text("caller"), rows::text("method"), rows::text("request_id"), rows::bytes("reply")];
    let row = |(key, reply): (&Key, R)| -> [Value; 4] {
        [
            key.caller.as_str().into(),
            key.method.as_str().into(),
            key.request_id.as_str().into(),
            reply.encode_to_vec().into(),
        ]
    };
    let named = replies.into_iter().filter(|(key, _)| !key.request_id.is_empty());
    let sql = "UPDATE requests SET reply = done.reply FROM {rows} AS done
         WHERE requests.caller = done.caller AND requests.method = done.method
           AND requests.request_id = done.request_id";
    let rows = Rows::new(&COLUMNS, named.map(row));
    rows.run(tx, sql, &[]).await?;
    Ok(())
}

/// Gives a claimed key up, so that the same request may be made again.
pub async fn forget(tx: &DatabaseTransaction, key: &Key) -> Result<(), DbErr> {
    tx.execute_raw(Statement::from_sql_and_values(
        tx.get_database_backend(),
        "DELETE FROM requests WHERE caller = $1 AND method = $2 AND request_id = $3",
        [key.caller.as_str().into(), key.method.as_str().into(), key.request_id.as_str().into()],
    ))
    .await?;
    Ok(())
}

/// SHA-256, by which two messages are known to be the same.
pub(crate) fn fingerprint(bytes: &[u8]) -> Vec<u8> {
    ring::digest::digest(&ring::digest::SHA256, bytes).as_ref().to_vec()
}
