//! Payments, and which orders are spoken for.

mod many;

use chassis::id::Id;
use chassis::money::Money;
use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult, Value};

use super::{After, Leased, money, sql, unknown};
use crate::domain::risk::Review;
use crate::domain::{Goal, Payment, State};
use crate::risk::Reviewer;

pub(crate) use many::{Settled, claim_all, insert_taken, lease, lease_due, settle, want_captures};

const COLUMNS: &str = "id, order_name, customer, state, goal, channel, amount_minor, amount_currency, captured_minor,
    refunded_minor, refunding_minor, decline_reason, channel_reference, method_summary, capture_sent, attempts, fence,
    create_time, update_time, fee_minor, attention, wanted_since, capture_minor,
    review, risk_rules, reviewer, review_note";

#[derive(FromQueryResult)]
struct Row {
    id: Id<Payment>,
    order_name: String,
    customer: String,
    state: String,
    goal: String,
    channel: String,
    amount_minor: i64,
    amount_currency: String,
    captured_minor: i64,
    refunded_minor: i64,
    refunding_minor: i64,
    decline_reason: String,
    channel_reference: String,
    method_summary: String,
    capture_sent: bool,
    attempts: i64,
    fence: i64,
    create_time: Timestamp,
    update_time: Timestamp,
    fee_minor: i64,
    attention: String,
    wanted_since: Timestamp,
    capture_minor: i64,
    review: String,
    risk_rules: String,
    reviewer: String,
    review_note: String,
}

impl TryFrom<Row> for Leased<Payment> {
    type Error = DbErr;

    fn try_from(row: Row) -> Result<Self, DbErr> {
        let amount = money(row.amount_minor, &row.amount_currency)?;
        let part = |minor| Money::new(minor, amount.currency);
        let payment = Payment {
            id: row.id,
            order: row.order_name,
            customer: row.customer,
            state: state(&row.state)?,
            goal: goal(&row.goal)?,
            channel: row.channel,
            amount,
            capturing: part(row.capture_minor),
            captured: part(row.captured_minor),
            refunded: part(row.refunded_minor),
            refunding: part(row.refunding_minor),
            fee: part(row.fee_minor),
            attention: row.attention,
            decline_reason: row.decline_reason,
            channel_reference: row.channel_reference,
            method_summary: row.method_summary,
            capture_sent: row.capture_sent,
            create_time: row.create_time,
            update_time: row.update_time,
            review: review_of(&row.review)?,
            risk_rules: row
                .risk_rules
                .split(',')
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
            reviewer: row.reviewer,
            review_note: row.review_note,
        };
        Ok(Leased { row: payment, fence: row.fence, attempts: row.attempts, since: row.wanted_since })
    }
}

fn payment(row: Row) -> Result<Payment, DbErr> {
    Leased::try_from(row).map(|leased| leased.row)
}

/// Who speaks for an order first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    Payment,
    Void,
}

/// Speaks for an order. Whoever was first is told: of two at once, the second waits for the first to commit.
pub(crate) async fn claim(tx: &DatabaseTransaction, order: &str, claim: Claim) -> Result<Claim, DbErr> {
    let kind = match claim {
        Claim::Payment => "PAYMENT",
        Claim::Void => "VOID",
    };
    let insert = "INSERT INTO order_claims (order_name, kind, create_time) VALUES ($1, $2, $3)
        ON CONFLICT (order_name) DO NOTHING";
    let claimed =
        tx.execute_raw(sql(tx, insert, [order.into(), kind.into(), Timestamp::now().into()])).await?;
    if claimed.rows_affected() == 1 {
        return Ok(claim);
    }
    let first = sql(tx, "SELECT kind FROM order_claims WHERE order_name = $1", [order.into()]);
    let first = tx.query_one_raw(first).await?.ok_or(DbErr::RecordNotFound(order.to_owned()))?;
    Ok(if first.try_get_by_index::<String>(0)? == "VOID" { Claim::Void } else { Claim::Payment })
}

/// When a new payment is looked at again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Due {
    /// When its channel is asked; never where nothing is left to be done.
    pub(crate) channel: Option<Timestamp>,
    /// When order is asked whether it still wants it.
    pub(crate) order: Option<Timestamp>,
}

/// Writes a new payment.
pub(crate) async fn insert(tx: &DatabaseTransaction, payment: &Payment, due: Due) -> Result<(), DbErr> {
    let text = format!(
        "INSERT INTO payments ({COLUMNS}, next_check_at, order_check_at, lease_until, last_error)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 0, 0, $16, $17, 0, '', $16, $18,
            $21, $22, '', '', $19, $20, 0, '')"
    );
    let values: [Value; 22] = [
        payment.id.into(),
        payment.order.as_str().into(),
        payment.customer.as_str().into(),
        state_name(payment.state).into(),
        goal_name(payment.goal).into(),
        payment.channel.as_str().into(),
        payment.amount.minor.into(),
        payment.amount.currency.as_str().into(),
        payment.captured.minor.into(),
        payment.refunded.minor.into(),
        payment.refunding.minor.into(),
        payment.decline_reason.as_str().into(),
        payment.channel_reference.as_str().into(),
        payment.method_summary.as_str().into(),
        payment.capture_sent.into(),
        payment.create_time.into(),
        payment.update_time.into(),
        payment.capturing.minor.into(),
        due.channel.into(),
        due.order.into(),
        review_name(payment.review).into(),
        payment.risk_rules.join(",").into(),
    ];
    tx.execute_raw(sql(tx, &text, values)).await?;
    Ok(())
}

pub(crate) async fn find(on: &impl ConnectionTrait, id: Id<Payment>) -> Result<Option<Payment>, DbErr> {
    let text = format!("SELECT {COLUMNS} FROM payments WHERE id = $1");
    Row::find_by_statement(sql(on, &text, [id.into()])).one(on).await?.map(payment).transpose()
}

/// A payment that is about to be decided on: nobody else changes it before the transaction ends. Writing it, and not
/// `FOR UPDATE`, holds it on both databases.
pub(crate) async fn load(tx: &DatabaseTransaction, id: Id<Payment>) -> Result<Option<Payment>, DbErr> {
    let text = format!("UPDATE payments SET fence = fence WHERE id = $1 RETURNING {COLUMNS}");
    Row::find_by_statement(sql(tx, &text, [id.into()])).one(tx).await?.map(payment).transpose()
}

pub(crate) async fn of_order(on: &impl ConnectionTrait, order: &str) -> Result<Option<Payment>, DbErr> {
    let text = format!("SELECT {COLUMNS} FROM payments WHERE order_name = $1");
    Row::find_by_statement(sql(on, &text, [order.into()])).one(on).await?.map(payment).transpose()
}

/// The payment of an order is somebody else's now.
pub(crate) async fn give(tx: &DatabaseTransaction, order: &str, customer: &str) -> Result<(), DbErr> {
    tx.execute_raw(sql(
        tx,
        "UPDATE payments SET customer = $2 WHERE order_name = $1",
        [order.into(), customer.into()],
    ))
    .await?;
    Ok(())
}

/// Which payments are asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filter<'a> {
    /// Only that of this order, where one is named.
    pub(crate) order: &'a str,
    /// Only those that an operator should look at, by themselves or for a refund, or because they are under review.
    pub(crate) needs_attention: bool,
    /// Only those under review.
    pub(crate) under_review: bool,
}

/// Which payments somebody has yet to decide about: [`Payment::is_under_review`].
const UNDER_REVIEW: &str =
    "review IN ('WAITING', 'HELD') AND goal <> 'GIVE_UP' AND state NOT IN ('DECLINED', 'VOIDED')";

/// A page of payments, newest first.
pub(crate) async fn list(
    on: &impl ConnectionTrait,
    filter: Filter<'_>,
    after: Option<After>,
    limit: u64,
) -> Result<Vec<Payment>, DbErr> {
    let (time, id) = after.unwrap_or((Timestamp::from_micros(i64::MAX), uuid::Uuid::max()));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut values: Vec<Value> = vec![time.into(), id.into(), limit.into()];
    let mut only = String::new();
    if !filter.order.is_empty() {
        values.push(filter.order.into());
        only += " AND order_name = $4";
    }
    if filter.needs_attention {
        only += &format!(
            " AND (attention <> '' OR id IN (SELECT payment FROM refunds WHERE attention <> '') OR ({UNDER_REVIEW}))"
        );
    }
    if filter.under_review {
        only += &format!(" AND {UNDER_REVIEW}");
    }
    let text = format!(
        "SELECT {COLUMNS} FROM payments WHERE (create_time, id) < ($1, $2){only} ORDER BY create_time DESC, id DESC LIMIT $3"
    );
    Row::find_by_statement(sql(on, &text, values)).all(on).await?.into_iter().map(payment).collect()
}

/// Wants more of a payment that was loaded, and has it looked at then. A goal never moves back.
pub(crate) async fn want(
    tx: &DatabaseTransaction,
    id: Id<Payment>,
    goal: Goal,
    due: Timestamp,
) -> Result<(), DbErr> {
    let text = "UPDATE payments SET goal = $2, next_check_at = $3, attempts = 0, attention = '', wanted_since = $4, update_time = $4
        WHERE id = $1 AND (goal <> 'GIVE_UP' OR $2 = 'GIVE_UP')";
    let values = [id.into(), goal_name(goal).into(), due.into(), Timestamp::now().into()];
    tx.execute_raw(sql(tx, text, values)).await?;
    Ok(())
}

/// Wants so much taken of a payment that was loaded.
pub(crate) async fn want_capture(
    tx: &DatabaseTransaction,
    id: Id<Payment>,
    amount: Money,
    due: Timestamp,
) -> Result<(), DbErr> {
    let text = "UPDATE payments SET capture_minor = $2 WHERE id = $1";
    tx.execute_raw(sql(tx, text, [id.into(), amount.minor.into()])).await?;
    want(tx, id, Goal::Capture, due).await
}

/// Notes what was decided about a payment that was loaded.
pub(crate) async fn review(
    tx: &DatabaseTransaction,
    id: Id<Payment>,
    review: Review,
    reviewer: Reviewer<'_>,
) -> Result<(), DbErr> {
    let text = "UPDATE payments SET review = $2, reviewer = $3, review_note = $4, update_time = $5
        WHERE id = $1 AND review IN ('WAITING', 'HELD')";
    let values: [Value; 5] = [
        id.into(),
        review_name(review).into(),
        reviewer.name.into(),
        reviewer.note.into(),
        Timestamp::now().into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await?;
    Ok(())
}

/// Notes that the order of a payment under review is confirmed: its capture waits for the decision alone.
pub(crate) async fn hold_capture(tx: &DatabaseTransaction, id: Id<Payment>) -> Result<(), DbErr> {
    let text = "UPDATE payments SET review = 'HELD', update_time = $2 WHERE id = $1 AND review = 'WAITING'";
    tx.execute_raw(sql(tx, text, [id.into(), Timestamp::now().into()])).await?;
    Ok(())
}

/// Has an operator look at a payment, for the first reason there is.
pub(crate) async fn flag(tx: &DatabaseTransaction, id: Id<Payment>, reason: &str) -> Result<(), DbErr> {
    let text = "UPDATE payments SET attention = $2, update_time = $3 WHERE id = $1 AND attention IN ('', 'UNRESOLVED')";
    tx.execute_raw(sql(tx, text, [id.into(), reason.into(), Timestamp::now().into()])).await?;
    Ok(())
}

/// Takes a payment over from whoever works on it: what its channel did is known by now.
pub(crate) async fn seize(tx: &DatabaseTransaction, id: Id<Payment>) -> Result<Leased<Payment>, DbErr> {
    let text =
        format!("UPDATE payments SET fence = fence + 1, lease_until = 0 WHERE id = $1 RETURNING {COLUMNS}");
    let row = Row::find_by_statement(sql(tx, &text, [id.into()])).one(tx).await?;
    row.ok_or(DbErr::RecordNotUpdated)?.try_into()
}

/// The payments of which order is to be asked.
pub(crate) async fn unchecked(
    on: &impl ConnectionTrait,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<(Id<Payment>, String)>, DbErr> {
    let text =
        "SELECT id, order_name FROM payments WHERE order_check_at <= $1 ORDER BY order_check_at LIMIT $2";
    let rows = on.query_all_raw(sql(on, text, [now.into(), limit.into()])).await?;
    rows.iter().map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))).collect()
}

/// Notes when order is to be asked about a payment again, if at all.
pub(crate) async fn check_later(
    on: &impl ConnectionTrait,
    id: Id<Payment>,
    at: Option<Timestamp>,
) -> Result<(), DbErr> {
    let text = "UPDATE payments SET order_check_at = $2 WHERE id = $1";
    on.execute_raw(sql(on, text, [id.into(), at.into()])).await?;
    Ok(())
}

/// Sets so much aside for a refund, if it is still there. This statement, and no check before it, keeps refunds within
/// what was captured.
pub(crate) async fn set_aside(
    tx: &DatabaseTransaction,
    id: Id<Payment>,
    amount: Money,
) -> Result<bool, DbErr> {
    let text = "UPDATE payments SET refunding_minor = refunding_minor + $2, update_time = $4
        WHERE id = $1 AND amount_currency = $3 AND captured_minor - refunded_minor - refunding_minor >= $2";
    let values: [Value; 4] =
        [id.into(), amount.minor.into(), amount.currency.as_str().into(), Timestamp::now().into()];
    Ok(tx.execute_raw(sql(tx, text, values)).await?.rows_affected() == 1)
}

/// Makes what was set aside refunded. Whoever has taken the payment to work on meanwhile does not know, and must not write.
pub(crate) async fn refunded(
    tx: &DatabaseTransaction,
    id: Id<Payment>,
    amount: Money,
) -> Result<Payment, DbErr> {
    let text = format!(
        "UPDATE payments SET refunding_minor = refunding_minor - $2, refunded_minor = refunded_minor + $2, update_time = $3,
            state = CASE WHEN refunded_minor + $2 = captured_minor THEN 'REFUNDED' ELSE 'PARTIALLY_REFUNDED' END,
            fence = fence + 1, lease_until = 0
         WHERE id = $1 RETURNING {COLUMNS}"
    );
    let statement = sql(tx, &text, [id.into(), amount.minor.into(), Timestamp::now().into()]);
    let row = Row::find_by_statement(statement).one(tx).await?;
    payment(row.ok_or(DbErr::RecordNotUpdated)?)
}

/// Puts what was set aside back.
pub(crate) async fn put_back(
    tx: &DatabaseTransaction,
    id: Id<Payment>,
    amount: Money,
) -> Result<Payment, DbErr> {
    let text = format!(
        "UPDATE payments SET refunding_minor = refunding_minor - $2, update_time = $3 WHERE id = $1 RETURNING {COLUMNS}"
    );
    let statement = sql(tx, &text, [id.into(), amount.minor.into(), Timestamp::now().into()]);
    let row = Row::find_by_statement(statement).one(tx).await?;
    payment(row.ok_or(DbErr::RecordNotUpdated)?)
}

const STATES: [State; 8] = [
    State::Pending,
    State::Unknown,
    State::Authorized,
    State::Captured,
    State::Voided,
    State::Refunded,
    State::PartiallyRefunded,
    State::Declined,
];

fn state(name: &str) -> Result<State, DbErr> {
    STATES.into_iter().find(|state| state_name(*state) == name).ok_or_else(|| unknown("state", name))
}

fn state_name(state: State) -> &'static str {
    match state {
        State::Pending => "PENDING",
        State::Unknown => "UNKNOWN",
        State::Authorized => "AUTHORIZED",
        State::Captured => "CAPTURED",
        State::Voided => "VOIDED",
        State::Refunded => "REFUNDED",
        State::PartiallyRefunded => "PARTIALLY_REFUNDED",
        State::Declined => "DECLINED",
    }
}

fn review_of(name: &str) -> Result<Review, DbErr> {
    let reviews = [Review::None, Review::Waiting, Review::Held, Review::Approved, Review::Refused];
    reviews.into_iter().find(|review| review_name(*review) == name).ok_or_else(|| unknown("review", name))
}

fn review_name(review: Review) -> &'static str {
    match review {
        Review::None => "",
        Review::Waiting => "WAITING",
        Review::Held => "HELD",
        Review::Approved => "APPROVED",
        Review::Refused => "REFUSED",
    }
}

fn goal(name: &str) -> Result<Goal, DbErr> {
    let goals = [Goal::Authorize, Goal::Capture, Goal::GiveUp];
    goals.into_iter().find(|goal| goal_name(*goal) == name).ok_or_else(|| unknown("goal", name))
}

fn goal_name(goal: Goal) -> &'static str {
    match goal {
        Goal::Authorize => "AUTHORIZE",
        Goal::Capture => "CAPTURE",
        Goal::GiveUp => "GIVE_UP",
    }
}
