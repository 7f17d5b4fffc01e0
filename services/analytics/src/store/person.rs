//! What the tables know of one person, and how they forget it.
use chassis::money::Money;
use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr};

use super::{all, currency, execute, one};
use crate::domain::Profile;

/// How many of the products looked at last are shown.
const RECENT_MAX: u32 = 10;

/// All that is known of a user.
pub(crate) async fn profile(db: &impl ConnectionTrait, user: &str) -> Result<Profile, DbErr> {
    let mut profile = Profile::default();
    let sql = "SELECT currency, COUNT(*) AS orders, CAST(SUM(cancelled) AS BIGINT) AS cancelled_orders,
            CAST(SUM(CASE WHEN returned_units > 0 THEN 1 ELSE 0 END) AS BIGINT) AS orders_with_returns,
            CAST(SUM(total_minor - returned_minor) AS BIGINT) AS spent_minor, MAX(order_time) AS last_order_time
        FROM sales WHERE customer = $1 GROUP BY currency ORDER BY currency";
    for row in all(db, sql, vec![user.into()]).await? {
        profile.orders += row.try_get::<i64>("", "orders")?;
        profile.cancelled_orders += row.try_get::<i64>("", "cancelled_orders")?;
        profile.orders_with_returns += row.try_get::<i64>("", "orders_with_returns")?;
        profile.spent.push(Money::new(row.try_get("", "spent_minor")?, currency(&row)?));
        profile.last_order_time = profile.last_order_time.max(row.try_get("", "last_order_time")?);
    }
    let sql = "SELECT CAST(SUM(CASE WHEN kind = 'VIEW_PRODUCT' THEN 1 ELSE 0 END) AS BIGINT) AS views,
            MAX(CASE WHEN kind = 'ADD_TO_CART' THEN behave_time END) AS last_cart_time, MAX(behave_time) AS last_seen_time
        FROM behaviours WHERE visitor = $1";
    if let Some(row) = one(db, sql, vec![user.into()]).await? {
        profile.views = row.try_get::<Option<i64>>("", "views")?.unwrap_or_default();
        profile.last_cart_time = row.try_get("", "last_cart_time")?;
        profile.last_seen_time =
            row.try_get::<Option<Timestamp>>("", "last_seen_time")?.max(profile.last_order_time);
    }
    let sql = "SELECT product FROM behaviours WHERE visitor = $1 AND kind = 'VIEW_PRODUCT'
        GROUP BY product ORDER BY MAX(behave_time) DESC, product LIMIT $2";
    let recent = all(db, sql, vec![user.into(), i64::from(RECENT_MAX).into()]).await?;
    profile.recent_products =
        recent.iter().map(|row| row.try_get("", "product")).collect::<Result<_, _>>()?;
    Ok(profile)
}

/// Forgets a user: what they did goes, what they bought stays without them, and so will what is still on its way.
pub(crate) async fn erase(tx: &DatabaseTransaction, user: &str, now: Timestamp) -> Result<(), DbErr> {
    let sql =
        "INSERT INTO erased_users (user_name, erase_time) VALUES ($1, $2) ON CONFLICT (user_name) DO NOTHING";
    execute(tx, sql, vec![user.into(), now.into()]).await?;
    execute(tx, "DELETE FROM behaviours WHERE visitor = $1", vec![user.into()]).await?;
    execute(tx, "UPDATE sales SET customer = '' WHERE customer = $1", vec![user.into()]).await?;
    Ok(())
}

/// Whether a user asked to be forgotten.
pub(crate) async fn is_erased(db: &impl ConnectionTrait, user: &str) -> Result<bool, DbErr> {
    Ok(one(db, "SELECT 1 AS erased FROM erased_users WHERE user_name = $1", vec![user.into()])
        .await?
        .is_some())
}
