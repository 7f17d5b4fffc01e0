//! What our books say of operations, and what came of comparing it.

use std::collections::HashMap;

use chassis::id::Id;
use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Value};
use uuid::Uuid;

use super::{After, money, sql};
use crate::domain::reconcile::{Line, Moved, Ours};
use crate::domain::{Payment, Refund};

#[derive(FromQueryResult)]
struct PaymentRow {
    id: Id<Payment>,
    order_name: String,
    channel_reference: String,
    state: String,
    captured_minor: i64,
    amount_currency: String,
    is_under_way: bool,
    update_time: Timestamp,
}

#[derive(FromQueryResult)]
struct RefundRow {
    id: Id<Refund>,
    payment: Id<Payment>,
    order_name: String,
    channel_reference: String,
    state: String,
    amount_minor: i64,
    amount_currency: String,
    update_time: Timestamp,
}

const PAYMENT: &str = "p.id, p.order_name, p.channel_reference, p.state, p.captured_minor, p.amount_currency,
    p.next_check_at IS NOT NULL AS is_under_way, p.update_time";
const REFUND: &str =
    "r.id, r.payment, p.order_name, p.channel_reference, r.state, r.amount_minor, r.amount_currency,
    r.update_time";

impl TryFrom<PaymentRow> for Ours {
    type Error = DbErr;

    fn try_from(row: PaymentRow) -> Result<Ours, DbErr> {
        Ok(Ours {
            moved: Moved::Captured,
            key: Payment::capture_key_of(row.id),
            payment: row.id,
            order: row.order_name,
            reference: row.channel_reference,
            amount: money(row.captured_minor, &row.amount_currency)?,
            is_done: row.captured_minor > 0,
            is_under_way: row.is_under_way,
            status: row.state,
            time: row.update_time,
        })
    }
}

impl TryFrom<RefundRow> for Ours {
    type Error = DbErr;

    fn try_from(row: RefundRow) -> Result<Ours, DbErr> {
        Ok(Ours {
            moved: Moved::Refunded,
            key: Refund::key_of(row.id),
            payment: row.payment,
            order: row.order_name,
            reference: row.channel_reference,
            amount: money(row.amount_minor, &row.amount_currency)?,
            is_done: row.state == "SUCCEEDED",
            is_under_way: row.state == "PENDING",
            status: row.state,
            time: row.update_time,
        })
    }
}

/// What our books say of the operations of these lines, by their keys.
pub(crate) async fn of_lines(
    on: &impl ConnectionTrait,
    channel: &str,
    lines: &[Line],
) -> Result<HashMap<String, Ours>, DbErr> {
    if lines.is_empty() {
        return Ok(HashMap::new());
    }
    let named = |first: usize| {
        let places: Vec<String> = (first..first + lines.len()).map(|place| format!("${place}")).collect();
        places.join(", ")
    };
    let values = || {
        let orders = lines.iter().map(|line| Value::from(line.order.as_str()));
        std::iter::once(Value::from(channel)).chain(orders)
    };
    let captures =
        format!("SELECT {PAYMENT} FROM payments p WHERE p.channel = $1 AND p.order_name IN ({})", named(2));
    let captures = PaymentRow::find_by_statement(sql(on, &captures, values())).all(on).await?;
    let mut ours: HashMap<String, Ours> = HashMap::new();
    for row in captures {
        let known = Ours::try_from(row)?;
        ours.insert(known.key.clone(), known);
    }
    if lines.iter().any(|line| line.moved == Moved::Refunded) {
        let refunds = format!(
            "SELECT {REFUND} FROM payments p JOIN refunds r ON r.payment = p.id
             WHERE p.channel = $1 AND p.order_name IN ({})",
            named(2)
        );
        for row in RefundRow::find_by_statement(sql(on, &refunds, values())).all(on).await? {
            let known = Ours::try_from(row)?;
            ours.insert(known.key.clone(), known);
        }
    }
    Ok(ours)
}

/// From when to when operations were booked, and how many are read at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) limit: i64,
}

/// A page of what was booked as moved within a time, and after which row the next begins.
pub(crate) async fn booked(
    on: &impl ConnectionTrait,
    channel: &str,
    moved: Moved,
    span: Span,
    after: Option<After>,
) -> Result<(Vec<Ours>, Option<After>), DbErr> {
    #[derive(FromQueryResult)]
    struct At {
        booked_time: Timestamp,
        booked_id: Uuid,
    }
    let text = match moved {
        Moved::Captured => format!(
            "SELECT {PAYMENT}, e.post_time AS booked_time, e.id AS booked_id
             FROM journal_entries e JOIN payments p ON p.id = e.payment
             WHERE e.kind = 'capture' AND p.channel = $1 AND (e.post_time, e.id) > ($2, $3) AND e.post_time < $4
             ORDER BY e.post_time, e.id LIMIT $5"
        ),
        Moved::Refunded => format!(
            "SELECT {REFUND}, r.update_time AS booked_time, r.id AS booked_id
             FROM refunds r JOIN payments p ON p.id = r.payment
             WHERE r.state = 'SUCCEEDED' AND p.channel = $1 AND (r.update_time, r.id) > ($2, $3) AND r.update_time < $4
             ORDER BY r.update_time, r.id LIMIT $5"
        ),
    };
    let (time, id) = after.unwrap_or((span.from, Uuid::nil()));
    let values: [Value; 5] = [channel.into(), time.into(), id.into(), span.to.into(), span.limit.into()];
    let rows = on.query_all_raw(sql(on, &text, values)).await?;
    let mut ours = Vec::with_capacity(rows.len());
    let mut last = None;
    for row in &rows {
        let at = At::from_query_result(row, "")?;
        let known = match moved {
            Moved::Captured => Ours::try_from(PaymentRow::from_query_result(row, "")?)?,
            Moved::Refunded => Ours::try_from(RefundRow::from_query_result(row, "")?)?,
        };
        ours.push(Ours { time: at.booked_time, ..known });
        last = Some((at.booked_time, at.booked_id));
    }
    Ok((ours, last))
}
