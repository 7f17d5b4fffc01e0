//! Sessions: begun by a sign-in, kept going by trading refresh tokens, ended here for everywhere.
use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chassis::{id::Id, time::Timestamp};
use ring::digest;
use sea_orm::DatabaseTransaction;

use crate::{
    domain::{Session, User, person::State},
    error::Error,
    store::{self, sessions, users},
    vault,
};

/// How long a refresh token waits to be traded.
const IDLE: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long a session lasts, however busy it is.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long a traded token still gives its successor, for a client that lost the answer.
const GRACE: Duration = Duration::from_secs(10);

/// A session with its latest refresh token.
pub(crate) struct Opened {
    pub(crate) session: Id<Session>,
    pub(crate) subject: String,
    pub(crate) roles: Vec<String>,
    pub(crate) refresh_token: String,
    pub(crate) refresh_expire_time: Timestamp,
}

/// What trading a token came to. A reuse is an outcome, not an error: what it ends must be committed.
pub(crate) enum Traded {
    Renewed(Opened),
    Reused,
    Unknown,
}

/// Begins a session.
pub(crate) async fn begin(
    tx: &DatabaseTransaction,
    subject: &str,
    roles: Vec<String>,
    now: Timestamp,
) -> Result<Opened, Error> {
    let session = Id::new();
    sessions::insert(tx, session, subject, now, now.plus(LONGEST)).await?;
    let token: [u8; 32] = vault::random()?;
    let expire_time = now.plus(IDLE);
    sessions::insert_token(tx, digest_of(&token), session, expire_time).await?;
    Ok(Opened {
        session,
        subject: subject.to_owned(),
        roles,
        refresh_token: encode(&token),
        refresh_expire_time: expire_time,
    })
}

/// Trades a refresh token for its successor.
pub(crate) async fn refresh(
    tx: &DatabaseTransaction,
    presented: &str,
    now: Timestamp,
) -> Result<Traded, Error> {
    let Ok(token) = BASE64_URL_SAFE_NO_PAD.decode(presented) else { return Ok(Traded::Unknown) };
    let digest = digest_of(&token);
    let Some(kept) = sessions::find_token(tx, &digest).await? else { return Ok(Traded::Unknown) };
    if kept.end_time.is_some()
        || kept.expire_time <= now
        || !sessions::go_on(tx, kept.session_id, now).await?
    {
        return Ok(Traded::Unknown);
    }
    let fresh: [u8; 32] = vault::random()?;
    let refresh_expire_time = now.plus(IDLE).min(kept.session_expire_time);
    let successor = if kept.use_time.is_none() && sessions::use_token(tx, &digest, &fresh, now).await? {
        let successor = successor_of(&token, &fresh);
        sessions::insert_token(tx, digest_of(&successor), kept.session_id, refresh_expire_time).await?;
        successor
    } else {
        // Traded before, by an answer that was lost or by somebody else at this moment.
        match sessions::find_token(tx, &digest).await? {
            Some(store::sessions::Kept { use_time: Some(at), salt: Some(salt), .. })
                if now <= at.plus(GRACE) =>
            {
                successor_of(&token, &salt)
            }
            _ => {
                tracing::warn!(session.id = %kept.session_id, "a refresh token was used again; its session is ended");
                sessions::end(tx, kept.session_id, now).await?;
                return Ok(Traded::Reused);
            }
        }
    };
    let roles = match Id::<User>::parse_name(&kept.subject) {
        Some(user) if !users::hold(tx, user, State::Active).await? => return Ok(Traded::Unknown),
        Some(user) => store::roles::of_user(tx, user).await?,
        None => Vec::new(),
    };
    Ok(Traded::Renewed(Opened {
        session: kept.session_id,
        subject: kept.subject,
        roles,
        refresh_token: encode(&successor),
        refresh_expire_time,
    }))
}

/// Ends the caller's session. Ending it again changes nothing.
pub(crate) async fn logout(
    tx: &DatabaseTransaction,
    session: Option<&str>,
    now: Timestamp,
) -> Result<(), Error> {
    if let Some(session) = session.and_then(Id::<Session>::parse_name) {
        sessions::end(tx, session, now).await?;
    }
    Ok(())
}

/// Whoever reads the database has the digests and the salts, whoever steals a token has that token: neither can make
/// the next one.
fn successor_of(token: &[u8], salt: &[u8]) -> Vec<u8> {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"successor");
    context.update(salt);
    context.update(token);
    context.finish().as_ref().to_vec()
}

fn digest_of(token: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, token).as_ref().to_vec()
}

fn encode(token: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(token)
}
