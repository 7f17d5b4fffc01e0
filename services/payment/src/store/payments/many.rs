//! What is written about many payments in one statement.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chassis::db::Db;
use chassis::id::Id;
use chassis::money::Money;
use chassis::rows::{self, Column, Rows};
use chassis::time::Timestamp;
use sea_orm::{DatabaseBackend, DatabaseTransaction, DbErr, FromQueryResult, Statement, Value};

use super::{COLUMNS, Due, Row, goal_name, payment, state_name};
use crate::domain::Payment;
use crate::store::{Later, Leased};

const ORDERS: [Column; 1] = [rows::text("order_name")];

/// Speaks for orders that are to be paid. The answer has those for which nobody had spoken; of two at once, the second
/// waits for the first to commit.
pub(crate) async fn claim_all<'a>(
    tx: &DatabaseTransaction,
    orders: impl IntoIterator<Item = &'a str>,
) -> Result<HashSet<String>, DbErr> {
    let mut orders: Vec<&str> = orders.into_iter().collect();
    // Two transactions that speak for the same orders wait for each other at the first.
    orders.sort_unstable();
    let text = "INSERT INTO order_claims (order_name, kind, create_time)
        SELECT order_name, 'PAYMENT', $1 FROM {rows} AS new WHERE TRUE
        ON CONFLICT (order_name) DO NOTHING RETURNING order_name";
    let claimed = Rows::new(&ORDERS, orders.into_iter().map(|order| [order.into()]))
        .query(tx, text, &[Timestamp::now().into()], |row| row.try_get_by_index(0))
        .await?;
    Ok(claimed.into_iter().collect())
}

const INTENDED: [Column; 7] = [
    rows::uuid("id"),
    rows::text("order_name"),
    rows::text("customer"),
    rows::text("channel"),
    rows::bigint("amount_minor"),
    rows::text("amount_currency"),
    rows::bigint("create_time"),
];

/// Writes new payments, each taken to work on by whoever asked for it.
pub(crate) async fn insert_taken(
    tx: &DatabaseTransaction,
    intended: &[Payment],
    due: Due,
    lease_until: Timestamp,
) -> Result<(), DbErr> {
    let text = format!(
        "INSERT INTO payments ({COLUMNS}, next_check_at, order_check_at, lease_until, last_error)
         SELECT id, order_name, customer, 'PENDING', 'AUTHORIZE', channel, amount_minor, amount_currency, 0, 0, 0, '', '', '',
            FALSE, 1, 1, create_time, create_time, 0, '', create_time, amount_minor, '', '', '', '', $1, $2, $3, ''
         FROM {{rows}} AS new WHERE TRUE"
    );
    let row = |payment: &Payment| -> [Value; 7] {
        [
            payment.id.into(),
            payment.order.as_str().into(),
            payment.customer.as_str().into(),
            payment.channel.as_str().into(),
            payment.amount.minor.into(),
            payment.amount.currency.as_str().into(),
            payment.create_time.into(),
        ]
    };
    let values = [due.channel.into(), due.order.into(), lease_until.into()];
    Rows::new(&INTENDED, intended.iter().map(row)).run(tx, &text, &values).await?;
    Ok(())
}

const CONFIRMED: [Column; 3] = [rows::uuid("payment"), rows::bigint("minor"), rows::text("currency")];

/// Has the money taken of payments of these amounts that nobody has decided on, now. The answer has those it found.
pub(crate) async fn want_captures(
    tx: &DatabaseTransaction,
    confirmed: &[(Id<Payment>, Money)],
) -> Result<HashSet<Id<Payment>>, DbErr> {
    let mut sorted = confirmed.to_vec();
    sorted.sort_by_key(|(id, _)| *id);
    let text = "UPDATE payments SET goal = 'CAPTURE', next_check_at = $1, attempts = 0, attention = '', wanted_since = $1, update_time = $1
        FROM {rows} AS new
        WHERE id = new.payment AND goal = 'AUTHORIZE' AND review IN ('', 'APPROVED')
          AND amount_minor = new.minor AND amount_currency = new.currency
        RETURNING id";
    let row = |(id, amount): &(Id<Payment>, Money)| {
        [(*id).into(), amount.minor.into(), amount.currency.as_str().into()]
    };
    let found = Rows::new(&CONFIRMED, sorted.iter().map(row))
        .query(tx, text, &[Timestamp::now().into()], |row| row.try_get_by_index(0))
        .await?;
    Ok(found.into_iter().collect())
}

/// Takes payments that are due to work on, those that have waited longest first, unless somebody else has them.
pub(crate) async fn lease_due(db: &Db, span: Duration, limit: i64) -> Result<Vec<Leased<Payment>>, DbErr> {
    // Who looks at the same moment need not wait to see that these are taken.
    let skip = if db.backend() == DatabaseBackend::Postgres { "FOR UPDATE SKIP LOCKED" } else { "" };
    let these = format!(
        "id IN (SELECT id FROM payments WHERE next_check_at <= $2 AND lease_until <= $2
            ORDER BY next_check_at LIMIT $3 {skip}) AND next_check_at <= $2"
    );
    lease_those(db, span, &these, limit.into()).await
}

/// Takes a payment to work on, unless somebody else has it or nothing is to be done about it.
pub(crate) async fn lease(
    db: &Db,
    id: Id<Payment>,
    span: Duration,
) -> Result<Option<Leased<Payment>>, DbErr> {
    Ok(lease_those(db, span, "id = $3 AND next_check_at IS NOT NULL", id.into()).await?.pop())
}

async fn lease_those(
    db: &Db,
    span: Duration,
    these: &str,
    value: Value,
) -> Result<Vec<Leased<Payment>>, DbErr> {
    let now = Timestamp::now();
    // The note that a capture is sent is written before it is.
    let text = format!(
        "UPDATE payments SET lease_until = $1, fence = fence + 1, attempts = attempts + 1,
            capture_sent = CASE WHEN state = 'AUTHORIZED' AND goal = 'CAPTURE' THEN TRUE ELSE capture_sent END
         WHERE {these} AND lease_until <= $2 RETURNING {COLUMNS}"
    );
    let statement =
        Statement::from_sql_and_values(db.backend(), text, [now.plus(span).into(), now.into(), value]);
    let rows = db.query(statement).await?;
    rows.iter().map(|row| Row::from_query_result(row, "")?.try_into()).collect()
}

/// What became of a payment that was taken to work on.
#[derive(Debug)]
pub(crate) struct Settled<'a> {
    pub(crate) taken: &'a Leased<Payment>,
    pub(crate) now_is: &'a Payment,
    pub(crate) later: Later<'a>,
}

const SETTLED: [Column; 16] = [
    rows::uuid("payment"),
    rows::bigint("held"),
    rows::text("now_is"),
    rows::bigint("taken"),
    rows::text("refusal"),
    rows::text("reference"),
    rows::text("summary"),
    rows::bool("sent"),
    rows::bigint("tries"),
    rows::text("error"),
    rows::bigint("fee"),
    rows::text("was_why"),
    rows::text("why"),
    rows::text("was_wanted"),
    rows::text("wanted"),
    rows::bigint("due").or_null(),
];

/// Writes what became of payments that were taken to work on, and hands them back. The answer lacks those that somebody
/// else has taken since. Where more is wanted of one by now than when it was taken, it is due at once. What an operator was
/// given to look at meanwhile stays, and what was settled by wanting more does not come back.
pub(crate) async fn settle(
    tx: &DatabaseTransaction,
    settled: &[Settled<'_>],
) -> Result<HashMap<Id<Payment>, Payment>, DbErr> {
    let mut sorted: Vec<_> = settled.iter().collect();
    sorted.sort_by_key(|settled| settled.now_is.id);
    let text = format!(
        "UPDATE payments SET state = now_is, captured_minor = taken, decline_reason = refusal, channel_reference = reference,
            method_summary = summary, capture_sent = sent, attempts = tries, last_error = error, lease_until = 0,
            update_time = $1, fee_minor = fee,
            attention = CASE WHEN why <> was_why AND attention IN ('', was_why) THEN why ELSE attention END,
            wanted_since = CASE WHEN state = now_is THEN wanted_since ELSE $1 END,
            goal = CASE WHEN goal = was_wanted THEN wanted ELSE goal END,
            next_check_at = CASE WHEN goal = was_wanted THEN due ELSE $1 END
         FROM {{rows}} AS new WHERE id = payment AND fence = held RETURNING {COLUMNS}"
    );
    let rows = Rows::new(&SETTLED, sorted.into_iter().map(row));
    let settled: Vec<Row> = rows.all(tx, &text, &[Timestamp::now().into()]).await?;
    settled.into_iter().map(|row| payment(row).map(|payment| (payment.id, payment))).collect()
}

fn row(Settled { taken, now_is, later }: &Settled<'_>) -> [Value; 16] {
    let progress = taken.row.state != now_is.state;
    [
        now_is.id.into(),
        taken.fence.into(),
        state_name(now_is.state).into(),
        now_is.captured.minor.into(),
        now_is.decline_reason.as_str().into(),
        now_is.channel_reference.as_str().into(),
        now_is.method_summary.as_str().into(),
        now_is.capture_sent.into(),
        if progress { 0_i64 } else { taken.attempts }.into(),
        later.error.into(),
        now_is.fee.minor.into(),
        taken.row.attention.as_str().into(),
        later.attention.into(),
        goal_name(taken.row.goal).into(),
        goal_name(now_is.goal).into(),
        later.at.into(),
    ]
}

#[cfg(test)]
mod tests {
    use chassis::testing::TestDb;

    use super::*;
    use crate::domain::attention::{AMOUNT_MISMATCH, UNASKED, UNRESOLVED};
    use crate::store::payments::insert;
    use crate::store::sql;

    #[tokio::test]
    async fn what_an_operator_should_look_at_is_not_lost_while_a_channel_is_asked() {
        let db = TestDb::new::<crate::Migrator>().await;
        let (now, minute) = (Timestamp::now(), Duration::from_secs(60));
        let amount = Money::new(1000, "GBP".parse().expect("a currency"));
        let payment = Payment::intended("orders/1", "users/1", "sandbox", amount, now);
        let due = Due { channel: Some(now), order: None };
        db.write(async |tx| insert(tx, &payment, due).await).await.expect("a payment");
        let flag = async |why: &str| {
            let text = "UPDATE payments SET attention = $1";
            db.execute(sql(db.writer(), text, [why.into()])).await.expect("flagged");
        };
        for (was, meanwhile, says, is) in [
            ("", "", UNRESOLVED, UNRESOLVED),
            (UNRESOLVED, UNRESOLVED, "", ""),
            // An announcement has contradicted what is known.
            ("", UNASKED, "", UNASKED),
            (UNRESOLVED, UNASKED, "", UNASKED),
            // More is wanted, which begins anew.
            (UNRESOLVED, "", UNRESOLVED, ""),
            (UNRESOLVED, "", AMOUNT_MISMATCH, AMOUNT_MISMATCH),
        ] {
            flag(was).await;
            let taken = lease(&db, payment.id, minute).await.expect("a lease").expect("it is due");
            flag(meanwhile).await;
            let later = Later { at: Some(now), error: "", attention: says };
            let settled = [Settled { taken: &taken, now_is: &taken.row, later }];
            let settled = db.write(async |tx| settle(tx, &settled).await).await.expect("settled");
            assert_eq!(settled[&payment.id].attention, is, "{was} {meanwhile} {says}");
        }
    }
}
