//! The ledger's entries and balances. There is no way to change one.

use std::collections::BTreeMap;

use chassis::id::Id;
use chassis::money::Money;
use chassis::rows::{self, Column, Rows};
use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult, Value};

use super::{After, money, sql};
use crate::domain::{Entry, Line, Payment};

const LINES: [Column; 5] = [
    rows::uuid("entry"),
    rows::bigint("line"),
    rows::text("account"),
    rows::bigint("amount_minor"),
    rows::text("amount_currency"),
];
const ENTRIES: [Column; 6] = [
    rows::uuid("id"),
    rows::text("kind"),
    rows::uuid("payment"),
    rows::text("order_name"),
    rows::bigint("lines"),
    rows::bigint("post_time"),
];

/// Writes entries. Their lines go first: entries are checked against them, and closed, as they are written.
pub(crate) async fn post(tx: &DatabaseTransaction, entries: &[Entry]) -> Result<(), DbErr> {
    let lines = entries.iter().flat_map(|entry| {
        (1_i64..).zip(&entry.lines).map(|(number, line)| -> [Value; 5] {
            [
                entry.id.into(),
                number.into(),
                line.account.as_str().into(),
                line.amount.minor.into(),
                line.amount.currency.as_str().into(),
            ]
        })
    });
    let text = "INSERT INTO journal_lines (entry, line, account, amount_minor, amount_currency)
        SELECT entry, line, account, amount_minor, amount_currency FROM {rows} AS new WHERE TRUE";
    Rows::new(&LINES, lines).run(tx, text, &[]).await?;
    let entry = |entry: &Entry| -> [Value; 6] {
        [
            entry.id.into(),
            entry.kind.as_str().into(),
            entry.payment.into(),
            entry.order.as_str().into(),
            i64::try_from(entry.lines.len()).unwrap_or(i64::MAX).into(),
            entry.post_time.into(),
        ]
    };
    let text = "INSERT INTO journal_entries (id, kind, payment, order_name, lines, post_time, create_time)
        SELECT id, kind, payment, order_name, lines, post_time, $1 FROM {rows} AS new WHERE TRUE";
    Rows::new(&ENTRIES, entries.iter().map(entry)).run(tx, text, &[Timestamp::now().into()]).await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct EntryRow {
    id: Id<Entry>,
    kind: String,
    payment: Id<Payment>,
    order_name: String,
    post_time: Timestamp,
}

#[derive(FromQueryResult)]
struct LineRow {
    entry: Id<Entry>,
    account: String,
    amount_minor: i64,
    amount_currency: String,
}

/// A page of entries, newest first; only those of one order where it is named.
pub(crate) async fn list(
    on: &impl ConnectionTrait,
    order: &str,
    after: Option<After>,
    limit: u64,
) -> Result<Vec<Entry>, DbErr> {
    let (time, id) = after.unwrap_or((Timestamp::from_micros(i64::MAX), uuid::Uuid::max()));
    let mut values: Vec<Value> =
        vec![time.into(), id.into(), i64::try_from(limit).unwrap_or(i64::MAX).into()];
    let only = if order.is_empty() {
        ""
    } else {
        values.push(order.into());
        "AND order_name = $4"
    };
    let text = format!(
        "SELECT id, kind, payment, order_name, post_time FROM journal_entries
         WHERE (post_time, id) < ($1, $2) {only} ORDER BY post_time DESC, id DESC LIMIT $3"
    );
    let entries = EntryRow::find_by_statement(sql(on, &text, values)).all(on).await?;
    let mut lines = lines(on, &entries).await?;
    let entry = |row: EntryRow| Entry {
        lines: lines.remove(&row.id).unwrap_or_default(),
        id: row.id,
        kind: row.kind,
        payment: row.payment,
        order: row.order_name,
        post_time: row.post_time,
    };
    Ok(entries.into_iter().map(entry).collect())
}

async fn lines(
    on: &impl ConnectionTrait,
    entries: &[EntryRow],
) -> Result<BTreeMap<Id<Entry>, Vec<Line>>, DbErr> {
    if entries.is_empty() {
        return Ok(BTreeMap::new());
    }
    let places: Vec<String> = (1..=entries.len()).map(|place| format!("${place}")).collect();
    let text = format!(
        "SELECT entry, account, amount_minor, amount_currency FROM journal_lines WHERE entry IN ({}) ORDER BY entry, line",
        places.join(", ")
    );
    let rows = LineRow::find_by_statement(sql(on, &text, entries.iter().map(|entry| entry.id.into())))
        .all(on)
        .await?;
    let mut lines: BTreeMap<Id<Entry>, Vec<Line>> = BTreeMap::new();
    for row in rows {
        let amount = money(row.amount_minor, &row.amount_currency)?;
        lines.entry(row.entry).or_default().push(Line { account: row.account, amount });
    }
    Ok(lines)
}

#[derive(FromQueryResult)]
struct BalanceRow {
    account: String,
    amount_currency: String,
    balance: i64,
}

/// What each account's lines add up to, by currency, in order of account.
pub(crate) async fn balances(on: &impl ConnectionTrait) -> Result<Vec<(String, Money)>, DbErr> {
    let text =
        "SELECT account, amount_currency, CAST(SUM(amount_minor) AS BIGINT) AS balance FROM journal_lines
        GROUP BY account, amount_currency ORDER BY account, amount_currency";
    let rows = BalanceRow::find_by_statement(sql(on, text, [])).all(on).await?;
    rows.into_iter().map(|row| Ok((row.account, money(row.balance, &row.amount_currency)?))).collect()
}
