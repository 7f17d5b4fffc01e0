//! The addresses that users keep.
use chassis::{id::Id, page::Page, time::Timestamp};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult};
use uuid::Uuid;

use super::{all, changed, count, execute, one};
use crate::domain::{Address, User, address::PostalAddress};

/// A kept address.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) id: Id<Address>,
    pub(crate) user: Id<User>,
    pub(crate) postal: PostalAddress,
    pub(crate) preferred: bool,
}

#[derive(FromQueryResult)]
struct Row {
    id: Id<Address>,
    user_id: Id<User>,
    recipient: String,
    line1: String,
    line2: String,
    city: String,
    region: String,
    postal_code: String,
    country_code: String,
    phone: String,
    preferred: bool,
}

impl From<Row> for Kept {
    fn from(row: Row) -> Self {
        let postal = PostalAddress {
            recipient: row.recipient,
            line1: row.line1,
            line2: row.line2,
            city: row.city,
            region: row.region,
            postal_code: row.postal_code,
            country_code: row.country_code,
            phone: row.phone,
        };
        Self { id: row.id, user: row.user_id, postal, preferred: row.preferred }
    }
}

const COLUMNS: &str =
    "id, user_id, recipient, line1, line2, city, region, postal_code, country_code, phone, preferred";

/// Saves an address, new or changed. A preferred one takes the mark from the others.
pub(crate) async fn save(tx: &DatabaseTransaction, kept: &Kept, now: Timestamp) -> Result<(), DbErr> {
    if kept.preferred {
        execute(
            tx,
            "UPDATE addresses SET preferred = FALSE WHERE user_id = $1 AND preferred AND id <> $2",
            [kept.user.into(), kept.id.into()],
        )
        .await?;
    }
    let postal = &kept.postal;
    execute(
        tx,
        &format!(
            "INSERT INTO addresses ({COLUMNS}, create_time) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
             ON CONFLICT (id) DO UPDATE SET recipient = excluded.recipient, line1 = excluded.line1, line2 = excluded.line2,
             city = excluded.city, region = excluded.region, postal_code = excluded.postal_code,
             country_code = excluded.country_code, phone = excluded.phone, preferred = excluded.preferred"
        ),
        [
            kept.id.into(),
            kept.user.into(),
            postal.recipient.as_str().into(),
            postal.line1.as_str().into(),
            postal.line2.as_str().into(),
            postal.city.as_str().into(),
            postal.region.as_str().into(),
            postal.postal_code.as_str().into(),
            postal.country_code.as_str().into(),
            postal.phone.as_str().into(),
            kept.preferred.into(),
            now.into(),
        ],
    )
    .await?;
    Ok(())
}

/// One of a user's addresses.
pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    user: Id<User>,
    id: Id<Address>,
) -> Result<Option<Kept>, DbErr> {
    let sql = format!("SELECT {COLUMNS} FROM addresses WHERE user_id = $1 AND id = $2");
    Ok(one::<Row>(connection, &sql, [user.into(), id.into()]).await?.map(Kept::from))
}

/// A page of a user's addresses: the preferred one, then the newest; one more than fits where another page follows.
pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    user: Id<User>,
    page: &Page,
) -> Result<Vec<Kept>, DbErr> {
    let after = page.after.as_deref().and_then(|keys| match keys {
        [preferred, id] => Some((preferred.parse::<i32>().ok()?, id.parse::<Uuid>().ok()?)),
        _ => None,
    });
    let (preferred, id) = after.unwrap_or((2, Uuid::max()));
    let limit = i64::try_from(page.size + 1).unwrap_or(i64::MAX);
    let sql = format!(
        "SELECT {COLUMNS} FROM (SELECT {COLUMNS}, CASE WHEN preferred THEN 1 ELSE 0 END AS rank FROM addresses WHERE user_id = $1) AS ranked
         WHERE rank < $2 OR (rank = $2 AND id < $3) ORDER BY rank DESC, id DESC LIMIT $4"
    );
    let rows = all::<Row>(connection, &sql, [user.into(), preferred.into(), id.into(), limit.into()]).await?;
    Ok(rows.into_iter().map(Kept::from).collect())
}

/// How many addresses a user keeps.
pub(crate) async fn count_of(connection: &impl ConnectionTrait, user: Id<User>) -> Result<u64, DbErr> {
    count(connection, "SELECT COUNT(*) AS count FROM addresses WHERE user_id = $1", [user.into()]).await
}

/// Forgets an address. False where there is none.
pub(crate) async fn delete(tx: &DatabaseTransaction, user: Id<User>, id: Id<Address>) -> Result<bool, DbErr> {
    changed(tx, "DELETE FROM addresses WHERE user_id = $1 AND id = $2", [user.into(), id.into()]).await
}
