//! Uses of coupons, one an order.

use chassis::id::Id;
use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult, Value};

use super::{After, damaged, limit, money, newest, sql};
use crate::domain::{Coupon, Redemption, RedemptionState as State};

const COLUMNS: &str =
    "id, coupon, code, order_name, customer, discount_minor, discount_currency, state, create_time";

#[derive(FromQueryResult)]
struct Row {
    id: Id<Redemption>,
    coupon: Option<Id<Coupon>>,
    code: String,
    order_name: String,
    customer: String,
    discount_minor: i64,
    discount_currency: String,
    state: String,
    create_time: Timestamp,
}

/// What an order has to do with coupons.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Known {
    /// It used one.
    Used(Redemption),
    /// It gave up before it used one.
    GivenUp,
}

impl TryFrom<Row> for Known {
    type Error = DbErr;

    fn try_from(row: Row) -> Result<Known, DbErr> {
        let Some(coupon) = row.coupon else { return Ok(Known::GivenUp) };
        Ok(Known::Used(Redemption {
            id: row.id,
            coupon,
            code: row.code,
            order: row.order_name,
            customer: row.customer,
            discount: money(row.discount_minor, &row.discount_currency)?,
            state: match row.state.as_str() {
                "REDEEMED" => State::Redeemed,
                "RELEASED" => State::Released,
                other => return Err(damaged(other)),
            },
            create_time: row.create_time,
        }))
    }
}

/// Writes a use, unless the order is known here already. Of two at once, the second waits for the first to commit.
pub(crate) async fn insert(tx: &DatabaseTransaction, redemption: &Redemption) -> Result<bool, DbErr> {
    let text = format!(
        "INSERT INTO redemptions ({COLUMNS}, update_time) VALUES ($1, $2, $3, $4, $5, $6, $7, 'REDEEMED', $8, $8)
         ON CONFLICT (order_name) DO NOTHING"
    );
    let values: [Value; 8] = [
        redemption.id.into(),
        redemption.coupon.into(),
        redemption.code.as_str().into(),
        redemption.order.as_str().into(),
        redemption.customer.as_str().into(),
        redemption.discount.minor.into(),
        redemption.discount.currency.as_str().into(),
        redemption.create_time.into(),
    ];
    Ok(tx.execute_raw(sql(tx, &text, values)).await?.rows_affected() == 1)
}

/// Notes that an order gave up before it used a coupon, unless it is known here already.
pub(crate) async fn give_up(tx: &DatabaseTransaction, order: &str, now: Timestamp) -> Result<(), DbErr> {
    let text = format!(
        "INSERT INTO redemptions ({COLUMNS}, update_time) VALUES ($1, NULL, '', $2, '', 0, '', 'RELEASED', $3, $3)
         ON CONFLICT (order_name) DO NOTHING"
    );
    tx.execute_raw(sql(tx, &text, [Redemption::id_of(order).into(), order.into(), now.into()])).await?;
    Ok(())
}

/// Gives a use back, if it counts.
pub(crate) async fn release(
    tx: &DatabaseTransaction,
    id: Id<Redemption>,
    now: Timestamp,
) -> Result<bool, DbErr> {
    let text =
        "UPDATE redemptions SET state = 'RELEASED', update_time = $2 WHERE id = $1 AND state = 'REDEEMED'";
    Ok(tx.execute_raw(sql(tx, text, [id.into(), now.into()])).await?.rows_affected() == 1)
}

pub(crate) async fn of_order(on: &impl ConnectionTrait, order: &str) -> Result<Option<Known>, DbErr> {
    let text = format!("SELECT {COLUMNS} FROM redemptions WHERE order_name = $1");
    Row::find_by_statement(sql(on, &text, [order.into()])).one(on).await?.map(Known::try_from).transpose()
}

/// A page of uses, newest first; only those of one coupon where it is named.
pub(crate) async fn list(
    on: &impl ConnectionTrait,
    coupon: Option<Id<Coupon>>,
    after: Option<After>,
    rows: u64,
) -> Result<Vec<Redemption>, DbErr> {
    let (time, id) = newest(after);
    let mut values: Vec<Value> = vec![time.into(), id.into(), limit(rows)];
    let only = match coupon {
        Some(coupon) => {
            values.push(coupon.into());
            "coupon = $4"
        }
        None => "coupon IS NOT NULL",
    };
    let text = format!(
        "SELECT {COLUMNS} FROM redemptions WHERE (create_time, id) < ($1, $2) AND {only}
         ORDER BY create_time DESC, id DESC LIMIT $3"
    );
    let rows = Row::find_by_statement(sql(on, &text, values)).all(on).await?;
    let known = rows.into_iter().map(Known::try_from).collect::<Result<Vec<_>, _>>()?;
    let used = |known| match known {
        Known::Used(redemption) => Some(redemption),
        Known::GivenUp => None,
    };
    Ok(known.into_iter().filter_map(used).collect())
}
