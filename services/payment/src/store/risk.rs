//! The rules, the blocklist, and what a customer asked for.

use std::collections::HashMap;
use std::time::Duration;

use chassis::id::Id;
use chassis::money::Money;
use chassis::rows::{self, Column, Rows};
use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult, QueryResult, Value};

use super::{After, money, sql, unknown};
use crate::domain::risk::{Blocked, Limit, Made, Outcome, RULES_MAX, Rule, Scope, Seen};

const RULE: &str =
    "id, title, outcome, scope, window_micros, attempts_max, amount_minor, amount_currency, creator,
    create_time, deleter, delete_time";
const ENTRY: &str = "id, customer, reason, creator, create_time, deleter, delete_time";

#[derive(FromQueryResult)]
struct RuleRow {
    id: Id<Rule>,
    title: String,
    outcome: String,
    scope: String,
    window_micros: i64,
    attempts_max: Option<i64>,
    amount_minor: Option<i64>,
    amount_currency: Option<String>,
    creator: String,
    create_time: Timestamp,
    deleter: String,
    delete_time: Option<Timestamp>,
}

impl TryFrom<RuleRow> for Rule {
    type Error = DbErr;

    fn try_from(row: RuleRow) -> Result<Rule, DbErr> {
        let amount = row.amount_minor.zip(row.amount_currency.as_deref());
        let amount = amount.map(|(minor, currency)| money(minor, currency)).transpose()?;
        let velocity = |scope| Limit::Velocity {
            window: Duration::from_micros(u64::try_from(row.window_micros).unwrap_or_default()),
            scope,
            attempts_max: row.attempts_max,
            amount_max: amount,
        };
        Ok(Rule {
            id: row.id,
            title: row.title,
            outcome: match row.outcome.as_str() {
                "REVIEW" => Outcome::Review,
                "DENY" => Outcome::Deny,
                other => return Err(unknown("outcome", other)),
            },
            limit: match (row.scope.as_str(), amount) {
                ("PAYMENT", Some(amount)) => Limit::Amount(amount),
                ("CUSTOMER", _) => velocity(Scope::Customer),
                ("CUSTOMER_AND_CHANNEL", _) => velocity(Scope::CustomerAndChannel),
                (other, _) => return Err(unknown("scope", other)),
            },
            made: made(row.creator, row.create_time, row.deleter, row.delete_time),
        })
    }
}

#[derive(FromQueryResult)]
struct EntryRow {
    id: Id<Blocked>,
    customer: String,
    reason: String,
    creator: String,
    create_time: Timestamp,
    deleter: String,
    delete_time: Option<Timestamp>,
}

impl From<EntryRow> for Blocked {
    fn from(row: EntryRow) -> Blocked {
        Blocked {
            id: row.id,
            customer: row.customer,
            reason: row.reason,
            made: made(row.creator, row.create_time, row.deleter, row.delete_time),
        }
    }
}

fn made(creator: String, create_time: Timestamp, deleter: String, delete_time: Option<Timestamp>) -> Made {
    Made { creator, create_time, ended: delete_time.map(|time| (deleter, time)) }
}

/// The rules that hold, oldest first.
pub(crate) async fn rules(on: &impl ConnectionTrait) -> Result<Vec<Rule>, DbErr> {
    let text = format!("SELECT {RULE} FROM risk_rules WHERE delete_time IS NULL ORDER BY id");
    let rows = RuleRow::find_by_statement(sql(on, &text, [])).all(on).await?;
    rows.into_iter().map(Rule::try_from).collect()
}

pub(crate) async fn find_rule(on: &impl ConnectionTrait, id: Id<Rule>) -> Result<Option<Rule>, DbErr> {
    let text = format!("SELECT {RULE} FROM risk_rules WHERE id = $1");
    RuleRow::find_by_statement(sql(on, &text, [id.into()])).one(on).await?.map(Rule::try_from).transpose()
}

/// A page of rules, newest first; those that were ended only where asked for.
pub(crate) async fn list_rules(
    on: &impl ConnectionTrait,
    with_ended: bool,
    after: Option<After>,
    limit: u64,
) -> Result<Vec<Rule>, DbErr> {
    let only = if with_ended { "" } else { " AND delete_time IS NULL" };
    let text = format!(
        "SELECT {RULE} FROM risk_rules WHERE (create_time, id) < ($1, $2){only}
         ORDER BY create_time DESC, id DESC LIMIT $3"
    );
    let rows = RuleRow::find_by_statement(sql(on, &text, page(after, limit))).all(on).await?;
    rows.into_iter().map(Rule::try_from).collect()
}

/// Writes a new rule. `false` where as many hold already as may.
pub(crate) async fn insert_rule(tx: &DatabaseTransaction, rule: &Rule) -> Result<bool, DbErr> {
    let text = format!(
        "INSERT INTO risk_rules ({RULE})
         SELECT $1, $2, $3, $4, $5, CAST($6 AS BIGINT), CAST($7 AS BIGINT), CAST($8 AS CHAR(3)), $9, $10, '', CAST(NULL AS BIGINT)
         WHERE (SELECT COUNT(*) FROM risk_rules WHERE delete_time IS NULL) < $11"
    );
    let (scope, window, attempts, amount) = match rule.limit {
        Limit::Amount(most) => ("PAYMENT", Duration::ZERO, None, Some(most)),
        Limit::Velocity { window, scope: Scope::Customer, attempts_max, amount_max } => {
            ("CUSTOMER", window, attempts_max, amount_max)
        }
        Limit::Velocity { window, scope: Scope::CustomerAndChannel, attempts_max, amount_max } => {
            ("CUSTOMER_AND_CHANNEL", window, attempts_max, amount_max)
        }
    };
    let values: [Value; 11] = [
        rule.id.into(),
        rule.title.as_str().into(),
        match rule.outcome {
            Outcome::Review => "REVIEW",
            Outcome::Deny => "DENY",
        }
        .into(),
        scope.into(),
        i64::try_from(window.as_micros()).unwrap_or(i64::MAX).into(),
        attempts.into(),
        amount.map(|amount| amount.minor).into(),
        amount.map(|amount| amount.currency.as_str().to_owned()).into(),
        rule.made.creator.as_str().into(),
        rule.made.create_time.into(),
        RULES_MAX.into(),
    ];
    Ok(tx.execute_raw(sql(tx, &text, values)).await?.rows_affected() == 1)
}

/// Ends a rule that holds; one that was ended stays as it was.
pub(crate) async fn end_rule(
    tx: &DatabaseTransaction,
    id: Id<Rule>,
    deleter: &str,
    now: Timestamp,
) -> Result<Option<Rule>, DbErr> {
    let text = "UPDATE risk_rules SET deleter = $2, delete_time = $3 WHERE id = $1 AND delete_time IS NULL";
    tx.execute_raw(sql(tx, text, [id.into(), deleter.into(), now.into()])).await?;
    find_rule(tx, id).await
}

/// Those of these customers who are blocked, each with the entry that says so.
pub(crate) async fn blocked(
    on: &impl ConnectionTrait,
    customers: &[&str],
) -> Result<HashMap<String, Id<Blocked>>, DbErr> {
    const ASKED: [Column; 1] = [rows::text("asked")];
    let text = "SELECT customer, id FROM blocklist_entries JOIN {rows} AS these ON customer = asked WHERE delete_time IS NULL";
    let rows = Rows::new(&ASKED, customers.iter().map(|customer| [(*customer).into()]));
    let read = |row: &QueryResult| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?));
    Ok(rows.query(on, text, &[], read).await?.into_iter().collect())
}

/// A page of the blocklist, newest first; only that of a customer where one is named.
pub(crate) async fn list_entries(
    on: &impl ConnectionTrait,
    customer: &str,
    with_ended: bool,
    after: Option<After>,
    limit: u64,
) -> Result<Vec<Blocked>, DbErr> {
    let mut values = page(after, limit);
    let mut only = String::new();
    if !customer.is_empty() {
        values.push(customer.into());
        only += " AND customer = $4";
    }
    if !with_ended {
        only += " AND delete_time IS NULL";
    }
    let text = format!(
        "SELECT {ENTRY} FROM blocklist_entries WHERE (create_time, id) < ($1, $2){only}
         ORDER BY create_time DESC, id DESC LIMIT $3"
    );
    let rows = EntryRow::find_by_statement(sql(on, &text, values)).all(on).await?;
    Ok(rows.into_iter().map(Blocked::from).collect())
}

/// Writes a new entry. `false` where the customer is blocked already.
pub(crate) async fn insert_entry(tx: &DatabaseTransaction, entry: &Blocked) -> Result<bool, DbErr> {
    let text = format!(
        "INSERT INTO blocklist_entries ({ENTRY}) VALUES ($1, $2, $3, $4, $5, '', NULL)
         ON CONFLICT (customer) WHERE delete_time IS NULL DO NOTHING"
    );
    let values: [Value; 5] = [
        entry.id.into(),
        entry.customer.as_str().into(),
        entry.reason.as_str().into(),
        entry.made.creator.as_str().into(),
        entry.made.create_time.into(),
    ];
    Ok(tx.execute_raw(sql(tx, &text, values)).await?.rows_affected() == 1)
}

/// Ends an entry that holds; one that was ended stays as it was.
pub(crate) async fn end_entry(
    tx: &DatabaseTransaction,
    id: Id<Blocked>,
    deleter: &str,
    now: Timestamp,
) -> Result<Option<Blocked>, DbErr> {
    let text =
        "UPDATE blocklist_entries SET deleter = $2, delete_time = $3 WHERE id = $1 AND delete_time IS NULL";
    tx.execute_raw(sql(tx, text, [id.into(), deleter.into(), now.into()])).await?;
    let text = format!("SELECT {ENTRY} FROM blocklist_entries WHERE id = $1");
    let row = EntryRow::find_by_statement(sql(tx, &text, [id.into()])).one(tx).await?;
    Ok(row.map(Blocked::from))
}

/// Has a customer's payments judged one after the other: whoever comes meanwhile waits for this transaction, and then sees
/// what it wrote.
pub(crate) async fn hold(tx: &DatabaseTransaction, customer: &str) -> Result<(), DbErr> {
    let text = "INSERT INTO risk_customers (customer, judged) VALUES ($1, 1)
        ON CONFLICT (customer) DO UPDATE SET judged = risk_customers.judged + 1";
    tx.execute_raw(sql(tx, text, [customer.into()])).await?;
    Ok(())
}

/// What a customer has asked for since then, through one channel where it is named. The customer must be held.
pub(crate) async fn seen(
    tx: &DatabaseTransaction,
    customer: &str,
    channel: Option<&str>,
    currency_of: Money,
    since: Timestamp,
) -> Result<Seen, DbErr> {
    let mut values: Vec<Value> = vec![customer.into(), since.into(), currency_of.currency.as_str().into()];
    let mut only = "";
    if let Some(channel) = channel {
        values.push(channel.into());
        only = " AND channel = $4";
    }
    let text = format!(
        "SELECT COUNT(*), CAST(COALESCE(SUM(CASE WHEN amount_currency = $3 AND goal <> 'GIVE_UP'
                AND state NOT IN ('DECLINED', 'VOIDED') THEN amount_minor ELSE 0 END), 0) AS BIGINT)
         FROM payments WHERE customer = $1 AND create_time > $2{only}"
    );
    let row = tx.query_one_raw(sql(tx, &text, values)).await?;
    let row = row.ok_or(DbErr::RecordNotFound("a count".to_owned()))?;
    Ok(Seen { attempts: row.try_get_by_index(0)?, minor: row.try_get_by_index(1)? })
}

fn page(after: Option<After>, limit: u64) -> Vec<Value> {
    let (time, id) = after.unwrap_or((Timestamp::from_micros(i64::MAX), uuid::Uuid::max()));
    vec![time.into(), id.into(), i64::try_from(limit).unwrap_or(i64::MAX).into()]
}
