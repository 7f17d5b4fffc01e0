//! Codes for forgotten passwords, by the digest of the address they were asked for.
use std::time::Duration;

use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult};

use super::{changed, execute, one};

/// Counts a question for a code. False where as many as are allowed were asked within the window.
pub(crate) async fn count(
    tx: &DatabaseTransaction,
    address_mac: &[u8],
    allowed: i32,
    window: Duration,
    now: Timestamp,
) -> Result<bool, DbErr> {
    changed(
        tx,
        "INSERT INTO password_resets (address_mac, asked, window_time, tries, expire_time) VALUES ($1, 1, $2, 0, 0)
         ON CONFLICT (address_mac) DO UPDATE SET
           asked = CASE WHEN password_resets.window_time <= $3 THEN 1 ELSE password_resets.asked + 1 END,
           window_time = CASE WHEN password_resets.window_time <= $3 THEN $2 ELSE password_resets.window_time END
         WHERE password_resets.window_time <= $3 OR password_resets.asked < $4",
        [address_mac.to_vec().into(), now.into(), now.minus(window).into(), allowed.into()],
    )
    .await
}

/// When the window of an address began.
pub(crate) async fn window_time(
    connection: &impl ConnectionTrait,
    address_mac: &[u8],
) -> Result<Option<Timestamp>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        window_time: Timestamp,
    }
    let sql = "SELECT window_time FROM password_resets WHERE address_mac = $1";
    Ok(one::<Row>(connection, sql, [address_mac.to_vec().into()]).await?.map(|row| row.window_time))
}

/// Keeps a code's digest in place of the one before, with all its tries.
pub(crate) async fn save_code(
    tx: &DatabaseTransaction,
    address_mac: &[u8],
    code_mac: Vec<u8>,
    expire_time: Timestamp,
) -> Result<(), DbErr> {
    execute(
        tx,
        "UPDATE password_resets SET code_mac = $2, tries = 0, expire_time = $3 WHERE address_mac = $1",
        [address_mac.to_vec().into(), code_mac.into(), expire_time.into()],
    )
    .await?;
    Ok(())
}

/// Takes one of a code's tries and gives its digest; nothing where none is left or its time is over.
pub(crate) async fn try_code(
    tx: &DatabaseTransaction,
    address_mac: &[u8],
    tries_max: i32,
    now: Timestamp,
) -> Result<Option<Vec<u8>>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        code_mac: Option<Vec<u8>>,
    }
    let taken = changed(
        tx,
        "UPDATE password_resets SET tries = tries + 1
         WHERE address_mac = $1 AND code_mac IS NOT NULL AND tries < $2 AND expire_time > $3",
        [address_mac.to_vec().into(), tries_max.into(), now.into()],
    )
    .await?;
    if !taken {
        return Ok(None);
    }
    let sql = "SELECT code_mac FROM password_resets WHERE address_mac = $1";
    Ok(one::<Row>(tx, sql, [address_mac.to_vec().into()]).await?.and_then(|row| row.code_mac))
}

/// Spends a code. False where it is spent or replaced, or its time is over: of two who use it at once, one does.
pub(crate) async fn spend(
    tx: &DatabaseTransaction,
    address_mac: &[u8],
    code_mac: &[u8],
    now: Timestamp,
) -> Result<bool, DbErr> {
    changed(
        tx,
        "UPDATE password_resets SET code_mac = NULL WHERE address_mac = $1 AND code_mac = $2 AND expire_time > $3",
        [address_mac.to_vec().into(), code_mac.to_vec().into(), now.into()],
    )
    .await
}
