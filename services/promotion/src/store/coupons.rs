//! Coupons, and how often each customer used them.

use chassis::id::Id;
use chassis::money::Money;
use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult, Value};

use super::{After, damaged, limit, money, newest, sql};
use crate::domain::{Code, Coupon, Draft, Reduction, State};

const COLUMNS: &str = "id, code, title, percent_off_basis_points, amount_off_minor, amount_off_currency,
    minimum_subtotal_minor, minimum_subtotal_currency, start_time, expire_time, redemption_limit,
    redemption_limit_per_customer, redemption_count, discount_budget_minor, discount_budget_currency,
    discount_total_minor, state, version, create_time, update_time";

#[derive(FromQueryResult)]
struct Row {
    id: Id<Coupon>,
    code: String,
    title: String,
    percent_off_basis_points: i64,
    amount_off_minor: Option<i64>,
    amount_off_currency: Option<String>,
    minimum_subtotal_minor: Option<i64>,
    minimum_subtotal_currency: Option<String>,
    start_time: Option<Timestamp>,
    expire_time: Option<Timestamp>,
    redemption_limit: i64,
    redemption_limit_per_customer: i64,
    redemption_count: i64,
    discount_budget_minor: Option<i64>,
    discount_budget_currency: Option<String>,
    discount_total_minor: i64,
    state: String,
    version: i64,
    create_time: Timestamp,
    update_time: Timestamp,
}

impl TryFrom<Row> for Coupon {
    type Error = DbErr;

    fn try_from(row: Row) -> Result<Coupon, DbErr> {
        let amount = optional_money(row.amount_off_minor, row.amount_off_currency)?;
        let terms = Draft {
            title: row.title,
            reduction: amount.map_or(Reduction::Percent(row.percent_off_basis_points), Reduction::Amount),
            minimum: optional_money(row.minimum_subtotal_minor, row.minimum_subtotal_currency)?,
            start_time: row.start_time,
            expire_time: row.expire_time,
            limit: row.redemption_limit,
            limit_per_customer: row.redemption_limit_per_customer,
            budget: optional_money(row.discount_budget_minor, row.discount_budget_currency)?,
            state: match row.state.as_str() {
                "ACTIVE" => State::Active,
                "DISABLED" => State::Disabled,
                other => return Err(damaged(other)),
            },
        };
        Ok(Coupon {
            id: row.id,
            code: Code::parse(&row.code).ok_or_else(|| damaged(&row.code))?,
            terms,
            redemption_count: row.redemption_count,
            discount_total: row.discount_total_minor,
            version: row.version,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}

fn optional_money(minor: Option<i64>, currency: Option<String>) -> Result<Option<Money>, DbErr> {
    minor.zip(currency).map(|(minor, currency)| money(minor, &currency)).transpose()
}

/// The values of what can be decided about a coupon, in the order of their columns.
fn terms(terms: &Draft) -> [Value; 12] {
    let (percent, amount) = match terms.reduction {
        Reduction::Percent(points) => (points, None),
        Reduction::Amount(amount) => (0, Some(amount)),
    };
    let currency = |money: Option<Money>| money.map(|money| money.currency.to_string());
    let state = match terms.state {
        State::Active => "ACTIVE",
        State::Disabled => "DISABLED",
    };
    [
        terms.title.as_str().into(),
        percent.into(),
        amount.map(|amount| amount.minor).into(),
        currency(amount).into(),
        terms.minimum.map(|minimum| minimum.minor).into(),
        currency(terms.minimum).into(),
        terms.start_time.into(),
        terms.expire_time.into(),
        state.into(),
        terms.limit_per_customer.into(),
        terms.budget.map(|budget| budget.minor).into(),
        currency(terms.budget).into(),
    ]
}

/// Writes a new coupon, unless its code is taken.
pub(crate) async fn insert(tx: &DatabaseTransaction, coupon: &Coupon) -> Result<bool, DbErr> {
    let text = "INSERT INTO coupons (title, percent_off_basis_points, amount_off_minor, amount_off_currency,
            minimum_subtotal_minor, minimum_subtotal_currency, start_time, expire_time, state, redemption_limit_per_customer,
            discount_budget_minor, discount_budget_currency, redemption_limit, id, code, redemption_count, version,
            create_time, update_time)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 0, $16, $17, $17)
        ON CONFLICT (code) WHERE delete_time IS NULL DO NOTHING";
    let own: [Value; 5] = [
        coupon.terms.limit.into(),
        coupon.id.into(),
        coupon.code.as_str().into(),
        coupon.version.into(),
        coupon.create_time.into(),
    ];
    let values = terms(&coupon.terms).into_iter().chain(own);
    Ok(tx.execute_raw(sql(tx, text, values)).await?.rows_affected() == 1)
}

/// Writes new terms, unless somebody else has since `coupon` was read, or it was used more often than they allow. What
/// it took off in all is to be summed up after, when the row is held.
pub(crate) async fn save(tx: &DatabaseTransaction, coupon: &Coupon, now: Timestamp) -> Result<bool, DbErr> {
    let text = "UPDATE coupons SET title = $1, percent_off_basis_points = $2, amount_off_minor = $3, amount_off_currency = $4,
            minimum_subtotal_minor = $5, minimum_subtotal_currency = $6, start_time = $7, expire_time = $8, state = $9,
            redemption_limit_per_customer = $10, discount_budget_minor = $11, discount_budget_currency = $12,
            discount_total_minor = 0, redemption_limit = $13, version = version + 1, update_time = $16
        WHERE id = $14 AND version = $15 AND delete_time IS NULL AND ($13 = 0 OR redemption_count <= $13)
          AND ($10 = 0 OR NOT EXISTS (SELECT 1 FROM coupon_customers c WHERE c.coupon = $14 AND c.redemption_count > $10))";
    let own: [Value; 4] = [coupon.terms.limit.into(), coupon.id.into(), coupon.version.into(), now.into()];
    let values = terms(&coupon.terms).into_iter().chain(own);
    Ok(tx.execute_raw(sql(tx, text, values)).await?.rows_affected() == 1)
}

/// Sums up what a coupon took off in the currency of its budget. False where that is more than the budget.
pub(crate) async fn sum_up(tx: &DatabaseTransaction, id: Id<Coupon>) -> Result<bool, DbErr> {
    let sum = "COALESCE((SELECT CAST(SUM(r.discount_minor) AS BIGINT) FROM redemptions r WHERE r.coupon = coupons.id
        AND r.state = 'REDEEMED' AND r.discount_currency = coupons.discount_budget_currency), 0)";
    let text = format!(
        "UPDATE coupons SET discount_total_minor = {sum}
         WHERE id = $1 AND (discount_budget_minor IS NULL OR {sum} <= discount_budget_minor)"
    );
    Ok(tx.execute_raw(sql(tx, &text, [id.into()])).await?.rows_affected() == 1)
}

/// Withdraws a coupon for good. Its uses stay.
pub(crate) async fn delete(tx: &DatabaseTransaction, id: Id<Coupon>, now: Timestamp) -> Result<bool, DbErr> {
    let text = "UPDATE coupons SET delete_time = COALESCE(delete_time, $2) WHERE id = $1";
    Ok(tx.execute_raw(sql(tx, text, [id.into(), now.into()])).await?.rows_affected() == 1)
}

pub(crate) async fn find(on: &impl ConnectionTrait, id: Id<Coupon>) -> Result<Option<Coupon>, DbErr> {
    let text = format!("SELECT {COLUMNS} FROM coupons WHERE id = $1 AND delete_time IS NULL");
    Row::find_by_statement(sql(on, &text, [id.into()])).one(on).await?.map(Coupon::try_from).transpose()
}

pub(crate) async fn by_code(on: &impl ConnectionTrait, code: &Code) -> Result<Option<Coupon>, DbErr> {
    let text = format!("SELECT {COLUMNS} FROM coupons WHERE code = $1 AND delete_time IS NULL");
    Row::find_by_statement(sql(on, &text, [code.as_str().into()]))
        .one(on)
        .await?
        .map(Coupon::try_from)
        .transpose()
}

/// A page of coupons, newest first.
pub(crate) async fn list(
    on: &impl ConnectionTrait,
    after: Option<After>,
    rows: u64,
) -> Result<Vec<Coupon>, DbErr> {
    let (time, id) = newest(after);
    let text = format!(
        "SELECT {COLUMNS} FROM coupons WHERE (create_time, id) < ($1, $2) AND delete_time IS NULL
         ORDER BY create_time DESC, id DESC LIMIT $3"
    );
    let statement = sql(on, &text, [time.into(), id.into(), limit(rows)]);
    Row::find_by_statement(statement).all(on).await?.into_iter().map(Coupon::try_from).collect()
}

/// How often a customer has used a coupon.
pub(crate) async fn used_by(on: &impl ConnectionTrait, id: Id<Coupon>, customer: &str) -> Result<i64, DbErr> {
    let text = "SELECT redemption_count FROM coupon_customers WHERE coupon = $1 AND customer = $2";
    let row = on.query_one_raw(sql(on, text, [id.into(), customer.into()])).await?;
    row.map_or(Ok(0), |row| row.try_get_by_index(0))
}

/// Counts one more use and what it takes off, if the coupon still allows both. This statement, and no check before it,
/// keeps limit and budget.
pub(crate) async fn count_up(
    tx: &DatabaseTransaction,
    id: Id<Coupon>,
    discount: Money,
) -> Result<bool, DbErr> {
    let text = "UPDATE coupons SET redemption_count = redemption_count + 1,
            discount_total_minor = CASE WHEN discount_budget_minor IS NULL THEN 0 ELSE discount_total_minor + $2 END
        WHERE id = $1 AND state = 'ACTIVE' AND delete_time IS NULL
          AND (redemption_limit = 0 OR redemption_count < redemption_limit)
          AND (discount_budget_minor IS NULL
               OR (discount_budget_currency = $3 AND discount_total_minor + $2 <= discount_budget_minor))";
    let values: [Value; 3] = [id.into(), discount.minor.into(), discount.currency.as_str().into()];
    Ok(tx.execute_raw(sql(tx, text, values)).await?.rows_affected() == 1)
}

/// Counts one more use by a customer, if the coupon still allows them one. The coupon itself is counted up before, which
/// lets one transaction at a time come here.
pub(crate) async fn count_up_for(
    tx: &DatabaseTransaction,
    id: Id<Coupon>,
    customer: &str,
) -> Result<bool, DbErr> {
    let text = "INSERT INTO coupon_customers (coupon, customer, redemption_count) VALUES ($1, $2, 0)
        ON CONFLICT (coupon, customer) DO NOTHING";
    tx.execute_raw(sql(tx, text, [id.into(), customer.into()])).await?;
    let text = "UPDATE coupon_customers SET redemption_count = redemption_count + 1
        WHERE coupon = $1 AND customer = $2 AND EXISTS (SELECT 1 FROM coupons c WHERE c.id = $1
            AND (c.redemption_limit_per_customer = 0
                OR coupon_customers.redemption_count < c.redemption_limit_per_customer))";
    Ok(tx.execute_raw(sql(tx, text, [id.into(), customer.into()])).await?.rows_affected() == 1)
}

/// Counts one use less, and what it took off, of the coupon and by the customer.
pub(crate) async fn count_down(
    tx: &DatabaseTransaction,
    id: Id<Coupon>,
    customer: &str,
    discount: Money,
) -> Result<(), DbErr> {
    let text = "UPDATE coupons SET redemption_count = redemption_count - 1,
            discount_total_minor = discount_total_minor - CASE WHEN discount_budget_currency = $3 THEN $2 ELSE 0 END
        WHERE id = $1";
    let values: [Value; 3] = [id.into(), discount.minor.into(), discount.currency.as_str().into()];
    tx.execute_raw(sql(tx, text, values)).await?;
    let text = "UPDATE coupon_customers SET redemption_count = redemption_count - 1 WHERE coupon = $1 AND customer = $2";
    tx.execute_raw(sql(tx, text, [id.into(), customer.into()])).await?;
    Ok(())
}
