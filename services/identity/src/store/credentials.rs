//! What proves who somebody is: passwords, codes, and the count of failures.
use std::time::Duration;

use chassis::{id::Id, time::Timestamp};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult};

use super::{changed, execute, one};
use crate::{domain::User, hasher::Hashed};

/// Keeps a password in place of the one before.
pub(crate) async fn save_password(
    tx: &DatabaseTransaction,
    user: Id<User>,
    password: &Hashed,
    now: Timestamp,
) -> Result<(), DbErr> {
    execute(
        tx,
        "INSERT INTO credentials (user_id, password_hash, pepper_id, update_time) VALUES ($1, $2, $3, $4)
         ON CONFLICT (user_id) DO UPDATE SET password_hash = excluded.password_hash, pepper_id = excluded.pepper_id,
         update_time = excluded.update_time",
        [user.into(), password.phc.as_str().into(), password.pepper_id.as_str().into(), now.into()],
    )
    .await?;
    Ok(())
}

/// Replaces a password that is still the one that was read. False where it was changed meanwhile.
pub(crate) async fn replace_password(
    tx: &DatabaseTransaction,
    user: Id<User>,
    old: &Hashed,
    new: &Hashed,
    now: Timestamp,
) -> Result<bool, DbErr> {
    changed(
        tx,
        "UPDATE credentials SET password_hash = $3, pepper_id = $4, update_time = $5 WHERE user_id = $1 AND password_hash = $2",
        [user.into(), old.phc.as_str().into(), new.phc.as_str().into(), new.pepper_id.as_str().into(), now.into()],
    )
    .await
}

/// A user's password. Those who were taken over from elsewhere have none.
pub(crate) async fn find_password(
    connection: &impl ConnectionTrait,
    user: Id<User>,
) -> Result<Option<Hashed>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        password_hash: String,
        pepper_id: String,
    }
    let row = one::<Row>(
        connection,
        "SELECT password_hash, pepper_id FROM credentials WHERE user_id = $1",
        [user.into()],
    )
    .await?;
    Ok(row.map(|row| Hashed { phc: row.password_hash, pepper_id: row.pepper_id }))
}

/// Keeps a code's digest in place of the one before, with all its tries.
pub(crate) async fn save_code(
    tx: &DatabaseTransaction,
    user: Id<User>,
    mac: Vec<u8>,
    expire_time: Timestamp,
) -> Result<(), DbErr> {
    execute(
        tx,
        "INSERT INTO verifications (user_id, code_mac, tries, expire_time) VALUES ($1, $2, 0, $3)
         ON CONFLICT (user_id) DO UPDATE SET code_mac = excluded.code_mac, tries = 0, expire_time = excluded.expire_time",
        [user.into(), mac.into(), expire_time.into()],
    )
    .await?;
    Ok(())
}

/// Takes one of a code's tries and gives its digest; nothing where none is left or its time is over. Counting before
/// comparing lets nobody try more often by trying at once.
pub(crate) async fn try_code(
    tx: &DatabaseTransaction,
    user: Id<User>,
    tries_max: i32,
    now: Timestamp,
) -> Result<Option<Vec<u8>>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        code_mac: Vec<u8>,
    }
    let taken = changed(
        tx,
        "UPDATE verifications SET tries = tries + 1 WHERE user_id = $1 AND tries < $2 AND expire_time > $3",
        [user.into(), tries_max.into(), now.into()],
    )
    .await?;
    if !taken {
        return Ok(None);
    }
    let row = one::<Row>(tx, "SELECT code_mac FROM verifications WHERE user_id = $1", [user.into()]).await?;
    Ok(row.map(|row| row.code_mac))
}

/// Gives a try back, for a code that was right.
pub(crate) async fn give_try_back(tx: &DatabaseTransaction, user: Id<User>) -> Result<(), DbErr> {
    execute(tx, "UPDATE verifications SET tries = tries - 1 WHERE user_id = $1 AND tries > 0", [user.into()])
        .await?;
    Ok(())
}

/// Until when an address is locked, if it is.
pub(crate) async fn locked_until(
    connection: &impl ConnectionTrait,
    address_mac: &[u8],
    now: Timestamp,
) -> Result<Option<Timestamp>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        locked_until: Timestamp,
    }
    let row = one::<Row>(
        connection,
        "SELECT locked_until FROM sign_in_failures WHERE address_mac = $1 AND locked_until > $2",
        [address_mac.to_vec().into(), now.into()],
    )
    .await?;
    Ok(row.map(|row| row.locked_until))
}

/// Counts a failure. The last of those allowed within the window locks the address for as long as the window is.
pub(crate) async fn count_failure(
    tx: &DatabaseTransaction,
    address_mac: &[u8],
    allowed: i32,
    window: Duration,
    now: Timestamp,
) -> Result<(), DbErr> {
    execute(
        tx,
        "INSERT INTO sign_in_failures (address_mac, failures, window_time, locked_until) VALUES ($1, 1, $2, 0)
         ON CONFLICT (address_mac) DO UPDATE SET
           failures = CASE WHEN sign_in_failures.window_time <= $3 THEN 1 ELSE sign_in_failures.failures + 1 END,
           window_time = CASE WHEN sign_in_failures.window_time <= $3 THEN $2 ELSE sign_in_failures.window_time END",
        [address_mac.to_vec().into(), now.into(), now.minus(window).into()],
    )
    .await?;
    execute(
        tx,
        "UPDATE sign_in_failures SET locked_until = $3, failures = 0, window_time = $3 WHERE address_mac = $1 AND failures >= $2",
        [address_mac.to_vec().into(), allowed.into(), now.plus(window).into()],
    )
    .await?;
    Ok(())
}

/// Forgets the failures of an address.
pub(crate) async fn forget_failures(tx: &DatabaseTransaction, address_mac: &[u8]) -> Result<(), DbErr> {
    execute(tx, "DELETE FROM sign_in_failures WHERE address_mac = $1", [address_mac.to_vec().into()]).await?;
    Ok(())
}
