//! What the chassis can check of its own tables in every service's database: sagas, events, and who holds it up.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr, QueryResult, Statement, Value};
use uuid::Uuid;

use super::Finding;
use crate::db::Db;
use crate::history;
use crate::time::Timestamp;

/// How long what should happen at once may take before it counts as wrong.
const PATIENCE: Duration = Duration::from_secs(60);
/// Rows named by one query.
const ROWS_MAX: u32 = 100;

/// An invariant: how much it looks at, and who breaks it. `$1` is the first id looked at, and `{late}` a minute ago.
struct Check {
    number: &'static str,
    invariant: &'static str,
    counted: &'static str,
    offenders: &'static str,
}

const CHECKS: [Check; 6] = [
    Check {
        number: "I15",
        invariant: "no saga is under way past its deadline",
        counted: "SELECT COUNT(*) FROM saga WHERE end_time IS NULL AND id >= $1",
        offenders: "SELECT kind || ' of ' || subject FROM saga WHERE end_time IS NULL AND id >= $1
            AND state IN ('RUNNING', 'COMPENSATING') AND deadline_at < {late}",
    },
    Check {
        number: "I16",
        invariant: "every step of a saga that ended has ended",
        counted: "SELECT COUNT(*) FROM saga_steps WHERE saga_id >= $1",
        offenders: "SELECT s.kind || ' of ' || s.subject FROM saga s JOIN saga_steps t ON t.saga_id = s.id
            WHERE s.id >= $1 AND s.state IN ('COMPLETED', 'COMPENSATED') AND t.end_time IS NULL",
    },
    Check {
        number: "I16",
        invariant: "no step is run once one was undone",
        counted: "SELECT COUNT(*) FROM saga_steps WHERE saga_id >= $1 AND direction = 'UNDO'",
        // What an operator decides may well run again.
        offenders: "SELECT DISTINCT s.kind || ' of ' || s.subject FROM saga s
            JOIN saga_steps undone ON undone.saga_id = s.id AND undone.direction = 'UNDO'
            JOIN saga_steps ran ON ran.saga_id = s.id AND ran.direction = 'RUN' AND ran.seq > undone.seq
            WHERE s.id >= $1
              AND NOT EXISTS (SELECT 1 FROM saga_steps o WHERE o.saga_id = s.id AND o.direction = 'OPERATOR')",
    },
    Check {
        number: "I16",
        invariant: "steps are undone in reverse",
        counted: "SELECT COUNT(*) FROM saga_steps WHERE saga_id >= $1 AND direction = 'UNDO'",
        offenders: "SELECT DISTINCT s.kind || ' of ' || s.subject FROM saga s
            JOIN saga_steps first ON first.saga_id = s.id AND first.direction = 'RUN'
            JOIN saga_steps later ON later.saga_id = s.id AND later.direction = 'RUN' AND later.seq > first.seq
            WHERE s.id >= $1 AND first.step <> later.step
              AND (SELECT MIN(u.seq) FROM saga_steps u WHERE u.saga_id = s.id AND u.direction = 'UNDO' AND u.step = first.step)
                < (SELECT MIN(u.seq) FROM saga_steps u WHERE u.saga_id = s.id AND u.direction = 'UNDO' AND u.step = later.step)
              AND NOT EXISTS (SELECT 1 FROM saga_steps o WHERE o.saga_id = s.id AND o.direction = 'OPERATOR')",
    },
    Check {
        number: "I23",
        invariant: "no event waits in the outbox for a minute",
        counted: "SELECT COUNT(*) FROM outbox WHERE published_at IS NULL AND id >= $1",
        offenders: "SELECT kind || ' of ' || key FROM outbox
            WHERE published_at IS NULL AND id >= $1 AND create_time < {late} ORDER BY seq",
    },
    Check {
        number: "I27",
        invariant: "a message that was put aside says why",
        counted: "SELECT COUNT(*) FROM parked WHERE event_id >= $1",
        offenders: "SELECT kind || ' of ' || key FROM parked WHERE reason = '' AND event_id >= $1",
    },
];

/// Checks what was begun since that time.
pub(super) async fn check(db: &Db, since: Timestamp) -> Result<Vec<Finding>, DbErr> {
    let first = history::first_id(since);
    let late = Timestamp::now().minus(PATIENCE).micros().to_string();
    let mut findings = Vec::with_capacity(CHECKS.len() + 2);
    for check in &CHECKS {
        let counted = rows(db, check.counted, [first.into()]).await?;
        let counted = counted.first().map_or(Ok(0), |row| row.try_get_by_index::<i64>(0))?;
        let offenders = format!("{} LIMIT {ROWS_MAX}", check.offenders.replace("{late}", &late));
        let offenders = rows(db, &offenders, [first.into()]).await?;
        findings.push(Finding {
            number: check.number,
            invariant: check.invariant,
            checked: u64::try_from(counted).unwrap_or_default(),
            offenders: offenders.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?,
        });
    }
    findings.push(in_order(db, first).await?);
    if db.backend() == DatabaseBackend::Postgres {
        findings.push(nobody_idles(db).await?);
    }
    Ok(findings)
}

/// Events of one aggregate are applied in the order in which their announcer made them. What was tried again, parked or
/// read later from its outbox is allowed to come late.
async fn in_order(db: &Db, first: Uuid) -> Result<Finding, DbErr> {
    // `cartwright.order.v1.OrderPlaced` is order's.
    let announcer = if db.backend() == DatabaseBackend::Postgres {
        "split_part(kind, '.', 2)"
    } else {
        "substr(kind, 12, instr(substr(kind, 12), '.') - 1)"
    };
    let counted = rows(db, "SELECT COUNT(*) FROM inbox WHERE id >= $1", [first.into()]).await?;
    let sql = format!(
        "SELECT id, kind, key, create_time FROM (
             SELECT id, kind, key, create_time,
                 LAG(id) OVER (PARTITION BY key, {announcer} ORDER BY create_time, id) AS before
             FROM inbox WHERE id >= $1 AND key <> '') AS applied
         WHERE before > id LIMIT 1000"
    );
    let mut offenders = Vec::new();
    for row in rows(db, &sql, [first.into()]).await? {
        let (id, kind, key) = (
            row.try_get_by_index::<Uuid>(0)?,
            row.try_get_by_index::<String>(1)?,
            row.try_get_by_index::<String>(2)?,
        );
        let applied = Timestamp::from_micros(row.try_get_by_index(3)?);
        if applied.since(history::time_of(id)) < PATIENCE {
            offenders.push(format!("{kind} {id} of {key} was applied after a later one"));
        }
    }
    let counted = counted.first().map_or(Ok(0), |row| row.try_get_by_index::<i64>(0))?;
    Ok(Finding {
        number: "I26",
        invariant: "an aggregate's events are applied in their order",
        checked: u64::try_from(counted).unwrap_or_default(),
        offenders,
    })
}

/// A session that stays inside a transaction holds its locks, and its writes are lost if somebody else is given it.
async fn nobody_idles(db: &Db) -> Result<Finding, DbErr> {
    let sessions = "FROM pg_stat_activity WHERE datname = current_database()";
    let counted = rows(db, &format!("SELECT COUNT(*) {sessions}"), []).await?;
    let idle = format!(
        "SELECT 'session ' || pid || ' since ' || state_change {sessions}
         AND state LIKE 'idle in transaction%' AND state_change < now() - interval '5 seconds' LIMIT {ROWS_MAX}"
    );
    let idle = rows(db, &idle, []).await?;
    let counted = counted.first().map_or(Ok(0), |row| row.try_get_by_index::<i64>(0))?;
    Ok(Finding {
        number: "I38",
        invariant: "no session idles inside a transaction for five seconds",
        checked: u64::try_from(counted).unwrap_or_default(),
        offenders: idle.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?,
    })
}

async fn rows(
    db: &Db,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<QueryResult>, DbErr> {
    db.writer().query_all_raw(Statement::from_sql_and_values(db.backend(), sql, values)).await
}
