//! What channels announced, and what came of it.

use chassis::id::{Id, Resource};
use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult, Value};

use super::{After, money, sql, unknown};
use crate::channel::{Accepted, Movement, Notice, Outcome};

/// An announcement that was taken in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: Id<Event>,
    pub(crate) channel: String,
    pub(crate) notice: Notice,
    pub(crate) state: State,
    /// Why it was flagged.
    pub(crate) reason: String,
    pub(crate) receive_time: Timestamp,
}

impl Resource for Event {
    const COLLECTION: &'static str = "webhookEvents";
}

/// What came of an announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It told something new.
    Applied,
    /// It told nothing new.
    Ignored,
    /// Its payment is not known.
    Parked,
    /// It contradicts what is known.
    Flagged,
}

const COLUMNS: &str =
    "id, channel, event, movement, operation_key, order_name, refusal, reference, method_summary,
    amount_minor, amount_currency, fee_minor, state, reason, receive_time";

#[derive(FromQueryResult)]
struct Row {
    id: Id<Event>,
    channel: String,
    event: String,
    movement: String,
    operation_key: String,
    order_name: String,
    refusal: String,
    reference: String,
    method_summary: String,
    amount_minor: i64,
    amount_currency: String,
    fee_minor: i64,
    state: String,
    reason: String,
    receive_time: Timestamp,
}

impl TryFrom<Row> for Event {
    type Error = DbErr;

    fn try_from(row: Row) -> Result<Event, DbErr> {
        let outcome = match row.refusal.as_str() {
            "" => Outcome::Accepted(Accepted {
                reference: row.reference,
                method_summary: row.method_summary,
                amount: money(row.amount_minor, &row.amount_currency)?,
                fee: row.fee_minor,
            }),
            _ => Outcome::Refused(row.refusal),
        };
        let notice = Notice {
            event: row.event,
            movement: movement(&row.movement)?,
            key: row.operation_key,
            order: row.order_name,
            outcome,
        };
        let (state, reason, receive_time) = (state(&row.state)?, row.reason, row.receive_time);
        Ok(Event { id: row.id, channel: row.channel, notice, state, reason, receive_time })
    }
}

impl Event {
    /// An announcement that has just arrived, of a payment that is not looked for yet.
    pub(crate) fn received(channel: &str, notice: Notice, now: Timestamp) -> Event {
        Event {
            id: Id::derived(&["webhook", channel, &notice.event]),
            channel: channel.to_owned(),
            notice,
            state: State::Parked,
            reason: String::new(),
            receive_time: now,
        }
    }
}

/// Takes an announcement in; `false` where it came before.
pub(crate) async fn insert(tx: &DatabaseTransaction, event: &Event) -> Result<bool, DbErr> {
    let text = format!(
        "INSERT INTO webhook_events ({COLUMNS})
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT DO NOTHING"
    );
    let Notice { event: external, movement, key, order, outcome } = &event.notice;
    let (refusal, done) = match outcome {
        Outcome::Refused(reason) => (reason.as_str(), None),
        Outcome::Accepted(done) => ("", Some(done)),
    };
    let values: [Value; 15] = [
        event.id.into(),
        event.channel.as_str().into(),
        external.as_str().into(),
        movement_name(*movement).into(),
        key.as_str().into(),
        order.as_str().into(),
        refusal.into(),
        done.map_or("", |done| done.reference.as_str()).into(),
        done.map_or("", |done| done.method_summary.as_str()).into(),
        done.map_or(0, |done| done.amount.minor).into(),
        done.map_or("", |done| done.amount.currency.as_str()).into(),
        done.map_or(0, |done| done.fee).into(),
        state_name(event.state).into(),
        event.reason.as_str().into(),
        event.receive_time.into(),
    ];
    Ok(tx.execute_raw(sql(tx, &text, values)).await?.rows_affected() == 1)
}

/// Writes what came of an announcement that waited for its payment; `false` where somebody else did.
pub(crate) async fn settle(
    tx: &DatabaseTransaction,
    id: Id<Event>,
    state: State,
    reason: &str,
) -> Result<bool, DbErr> {
    let text = "UPDATE webhook_events SET state = $2, reason = $3 WHERE id = $1 AND state = 'PARKED'";
    let settled = sql(tx, text, [id.into(), state_name(state).into(), reason.into()]);
    Ok(tx.execute_raw(settled).await?.rows_affected() == 1)
}

/// The announcements that waited for payments which have appeared.
pub(crate) async fn awaited(on: &impl ConnectionTrait, limit: i64) -> Result<Vec<Event>, DbErr> {
    let text = format!(
        "SELECT {COLUMNS} FROM webhook_events
         WHERE state = 'PARKED' AND order_name IN (SELECT order_name FROM payments)
         ORDER BY receive_time, id LIMIT $1"
    );
    let rows = Row::find_by_statement(sql(on, &text, [limit.into()])).all(on).await?;
    rows.into_iter().map(Event::try_from).collect()
}

/// A page of announcements, newest first; only those in one state where it is named.
pub(crate) async fn list(
    on: &impl ConnectionTrait,
    state: Option<State>,
    after: Option<After>,
    limit: u64,
) -> Result<Vec<Event>, DbErr> {
    let (time, id) = after.unwrap_or((Timestamp::from_micros(i64::MAX), uuid::Uuid::max()));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut values: Vec<Value> = vec![time.into(), id.into(), limit.into()];
    let only = match state {
        None => "",
        Some(state) => {
            values.push(state_name(state).into());
            "AND state = $4"
        }
    };
    let text = format!(
        "SELECT {COLUMNS} FROM webhook_events WHERE (receive_time, id) < ($1, $2) {only}
         ORDER BY receive_time DESC, id DESC LIMIT $3"
    );
    let rows = Row::find_by_statement(sql(on, &text, values)).all(on).await?;
    rows.into_iter().map(Event::try_from).collect()
}

fn state(name: &str) -> Result<State, DbErr> {
    let states = [State::Applied, State::Ignored, State::Parked, State::Flagged];
    states.into_iter().find(|state| state_name(*state) == name).ok_or_else(|| unknown("state", name))
}

fn state_name(state: State) -> &'static str {
    match state {
        State::Applied => "APPLIED",
        State::Ignored => "IGNORED",
        State::Parked => "PARKED",
        State::Flagged => "FLAGGED",
    }
}

fn movement(name: &str) -> Result<Movement, DbErr> {
    let movements = [Movement::Authorize, Movement::Capture, Movement::Void, Movement::Refund];
    movements.into_iter().find(|known| movement_name(*known) == name).ok_or_else(|| unknown("movement", name))
}

/// How a movement is called, here and in answers.
pub(crate) fn movement_name(movement: Movement) -> &'static str {
    match movement {
        Movement::Authorize => "authorize",
        Movement::Capture => "capture",
        Movement::Void => "void",
        Movement::Refund => "refund",
    }
}
