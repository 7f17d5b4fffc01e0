//! The saga's rows, and the conditional writes that only their owner can make.

use std::time::Duration;

use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseTransaction, ExprTrait, QueryOrder, QuerySelect, Set, Statement, Value};

use super::{Refusal, Saga, Ticket};
use crate::db::Db;
use crate::rows::{self, Column, Rows};
use crate::time::Timestamp;

/// Where a saga stands.
#[derive(Clone, Copy, Debug, DeriveActiveEnum, EnumIter, Eq, PartialEq)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum State {
    /// Going forward.
    #[sea_orm(string_value = "RUNNING")]
    Running,
    /// Undoing what was done.
    #[sea_orm(string_value = "COMPENSATING")]
    Compensating,
    /// Every step is done.
    #[sea_orm(string_value = "COMPLETED")]
    Completed,
    /// Everything that was done is undone.
    #[sea_orm(string_value = "COMPENSATED")]
    Compensated,
    /// Waits for an operator.
    #[sea_orm(string_value = "NEEDS_ATTENTION")]
    NeedsAttention,
}

impl State {
    /// The state as it is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            State::Running => "RUNNING",
            State::Compensating => "COMPENSATING",
            State::Completed => "COMPLETED",
            State::Compensated => "COMPENSATED",
            State::NeedsAttention => "NEEDS_ATTENTION",
        }
    }

    pub(super) fn is_live(self) -> bool {
        matches!(self, State::Running | State::Compensating)
    }
}

/// Whether a row of the log is about doing or undoing.
#[derive(Clone, Copy, Debug, DeriveActiveEnum, EnumIter, Eq, Hash, PartialEq)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum Direction {
    /// The step itself.
    #[sea_orm(string_value = "RUN")]
    Run,
    /// Its compensation.
    #[sea_orm(string_value = "UNDO")]
    Undo,
    /// What an operator did to the saga; the error column names them.
    #[sea_orm(string_value = "OPERATOR")]
    Operator,
}

impl Direction {
    pub(super) fn word(self) -> &'static str {
        match self {
            Direction::Run => "run",
            Direction::Undo => "undo",
            Direction::Operator => "operator",
        }
    }
}

/// How a row of the log ended.
#[derive(Clone, Copy, Debug, DeriveActiveEnum, EnumIter, Eq, PartialEq)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum StepOutcome {
    /// Under way, or cut off by a crash.
    #[sea_orm(string_value = "STARTED")]
    Started,
    /// Done.
    #[sea_orm(string_value = "DONE")]
    Done,
    /// Refused.
    #[sea_orm(string_value = "REFUSED")]
    Refused,
    /// Given up without knowing whether it happened.
    #[sea_orm(string_value = "GIVEN_UP")]
    GivenUp,
    /// An operator declared it settled.
    #[sea_orm(string_value = "SKIPPED")]
    Skipped,
}

pub(super) mod row {
    use sea_orm::entity::prelude::*;

    /// A saga.
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "saga")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub kind: String,
        pub subject: String,
        pub version: i32,
        pub state: super::State,
        pub step: String,
        pub data: String,
        pub owner: String,
        pub fence: i64,
        pub lease_until: i64,
        pub attempts: i32,
        pub next_attempt_at: i64,
        pub deadline_at: i64,
        pub last_error: Option<String>,
        pub refusal: Option<String>,
        pub create_time: i64,
        pub update_time: i64,
        pub end_time: Option<i64>,
    }

    #[derive(Clone, Copy, Debug, DeriveRelation, EnumIter)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod entry {
    use sea_orm::entity::prelude::*;

    /// A step run or undone.
    #[derive(Clone, Debug, DeriveEntityModel, PartialEq)]
    #[sea_orm(table_name = "saga_steps")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub saga_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub seq: i32,
        pub step: String,
        pub direction: super::Direction,
        pub attempt: i32,
        pub outcome: super::StepOutcome,
        pub error: Option<String>,
        pub start_time: i64,
        pub end_time: Option<i64>,
    }

    #[derive(Clone, Copy, Debug, DeriveRelation, EnumIter)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A saga as it stands in the database, held in memory while its owner works on it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Log {
    pub(super) row: row::Model,
    pub(super) entries: Vec<entry::Model>,
}

impl Log {
    /// Appends the start of `step`, makes it the current one, and hands out its line.
    pub(super) fn open(&mut self, step: String, direction: Direction, now: i64) -> &mut entry::Model {
        self.row.step.clone_from(&step);
        let seq = self.entries.last().map_or(1, |last| last.seq + 1);
        self.entries.push_mut(entry::Model {
            saga_id: self.row.id,
            seq,
            step,
            direction,
            attempt: 1,
            outcome: StepOutcome::Started,
            error: None,
            start_time: now,
            end_time: None,
        })
    }

    pub(super) fn refusal(&self) -> Option<Refusal> {
        serde_json::from_str(self.row.refusal.as_deref()?).ok()
    }

    /// Writes what changed since `saved`. False: another owner has the saga, and nothing was written.
    pub(super) async fn save(&self, tx: &DatabaseTransaction, saved: &Log) -> Result<bool, DbErr> {
        let row = &self.row;
        let updated = row::Entity::update_many()
            .set(row::ActiveModel {
                state: Set(row.state),
                step: Set(row.step.clone()),
                data: Set(row.data.clone()),
                lease_until: Set(row.lease_until),
                attempts: Set(row.attempts),
                next_attempt_at: Set(row.next_attempt_at),
                last_error: Set(row.last_error.clone()),
                refusal: Set(row.refusal.clone()),
                update_time: Set(row.update_time),
                end_time: Set(row.end_time),
                ..Default::default()
            })
            .filter(row::Column::Id.eq(row.id))
            .filter(row::Column::Fence.eq(row.fence))
            .filter(row::Column::State.is_in([State::Running, State::Compensating]))
            .exec(tx)
            .await?;
        if updated.rows_affected == 0 {
            return Ok(false);
        }
        let changed: Vec<_> =
            (self.entries.iter()).filter(|entry| !saved.entries.contains(entry)).cloned().collect();
        upsert(tx, &changed).await?;
        Ok(true)
    }
}

/// The saga's row.
pub(super) async fn find(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<row::Model>, DbErr> {
    row::Entity::find_by_id(id).one(db).await
}

/// The saga's log, in order.
pub(super) async fn entries(db: &impl ConnectionTrait, id: Uuid) -> Result<Vec<entry::Model>, DbErr> {
    entry::Entity::find().filter(entry::Column::SagaId.eq(id)).order_by_asc(entry::Column::Seq).all(db).await
}

/// Takes a saga whose lease is over. `None`: it has a live owner, has ended, or is written by a newer definition.
pub(super) async fn claim<S: Saga>(
    tx: &DatabaseTransaction,
    id: Uuid,
    owner: &str,
    lease: Duration,
) -> Result<Option<Log>, DbErr> {
    let now = Timestamp::now();
    let claimed = row::Entity::update_many()
        .col_expr(row::Column::Owner, Expr::value(owner))
        .col_expr(row::Column::Fence, Expr::col(row::Column::Fence).add(1))
        // The step may have run before the crash, so this is another attempt; it also bounds a step that kills us.
        .col_expr(row::Column::Attempts, Expr::col(row::Column::Attempts).add(1))
        .col_expr(row::Column::LeaseUntil, Expr::value(now.plus(lease).micros()))
        .col_expr(row::Column::UpdateTime, Expr::value(now.micros()))
        .filter(row::Column::Id.eq(id))
        .filter(row::Column::Kind.eq(S::KIND))
        .filter(row::Column::Version.lte(S::VERSION))
        .filter(row::Column::State.is_in([State::Running, State::Compensating]))
        .filter(row::Column::LeaseUntil.lt(now.micros()))
        .exec(tx)
        .await?;
    if claimed.rows_affected == 0 {
        return Ok(None);
    }
    let Some(row) = find(tx, id).await? else { return Ok(None) };
    Ok(Some(Log { row, entries: entries(tx, id).await? }))
}

/// Keeps the lease while a step runs. False: it is lost.
pub(super) async fn renew(tx: &DatabaseTransaction, ticket: &Ticket, lease: Duration) -> Result<bool, DbErr> {
    let until = Timestamp::now().plus(lease).micros();
    let renewed = row::Entity::update_many()
        .col_expr(row::Column::LeaseUntil, Expr::value(until))
        .filter(row::Column::Id.eq(ticket.saga))
        .filter(row::Column::Fence.eq(ticket.fence))
        .filter(row::Column::State.is_in([State::Running, State::Compensating]))
        .exec(tx)
        .await?;
    Ok(renewed.rows_affected == 1)
}

/// Ends every lease. Only for a database that no other process has open: whoever held one is gone.
pub(crate) async fn abandon_all(db: &Db) -> Result<(), DbErr> {
    let sql =
        "UPDATE saga SET lease_until = 0 WHERE end_time IS NULL AND state IN ('RUNNING', 'COMPENSATING')";
    db.execute(Statement::from_string(db.backend(), sql)).await.map(drop)
}

/// The sagas of a kind that nobody works on.
pub(super) async fn abandoned<S: Saga>(db: &impl ConnectionTrait, limit: u64) -> Result<Vec<Uuid>, DbErr> {
    row::Entity::find()
        .select_only()
        .column(row::Column::Id)
        .filter(row::Column::Kind.eq(S::KIND))
        .filter(row::Column::Version.lte(S::VERSION))
        // As the index has it, which holds what is unfinished only.
        .filter(row::Column::EndTime.is_null())
        .filter(row::Column::LeaseUntil.lt(Timestamp::now().micros()))
        .order_by_asc(row::Column::LeaseUntil)
        .limit(limit)
        .into_tuple()
        .all(db)
        .await
}

/// Writes the rows of sagas that begin. Their logs are empty.
pub(super) async fn insert(tx: &DatabaseTransaction, begun: &[&row::Model]) -> Result<(), DbErr> {
    const COLUMNS: [Column; 11] = [
        rows::uuid("id"),
        rows::text("kind"),
        rows::text("subject"),
        rows::int("version"),
        rows::text("step"),
        rows::text("data"),
        rows::text("owner"),
        rows::bigint("fence"),
        rows::bigint("lease_until"),
        rows::bigint("deadline_at"),
        rows::bigint("create_time"),
    ];
    let values = |row: &&row::Model| -> [Value; 11] {
        [
            row.id.into(),
            row.kind.as_str().into(),
            row.subject.as_str().into(),
            row.version.into(),
            row.step.as_str().into(),
            row.data.as_str().into(),
            row.owner.as_str().into(),
            row.fence.into(),
            row.lease_until.into(),
            row.deadline_at.into(),
            row.create_time.into(),
        ]
    };
    let sql = "INSERT INTO saga (id, kind, subject, version, state, step, data, owner, fence, lease_until, attempts,
             next_attempt_at, deadline_at, create_time, update_time)
         SELECT id, kind, subject, version, 'RUNNING', step, data, owner, fence, lease_until, 1,
             create_time, deadline_at, create_time, create_time FROM {rows} AS new";
    Rows::new(&COLUMNS, begun.iter().map(values)).run(tx, sql, &[]).await?;
    Ok(())
}

/// Writes lines of logs, or what became of them.
pub(super) async fn upsert(tx: &DatabaseTransaction, entries: &[entry::Model]) -> Result<(), DbErr> {
    const COLUMNS: [Column; 9] = [
        rows::uuid("saga_id"),
        rows::int("seq"),
        rows::text("step"),
        rows::text("direction"),
        rows::int("attempt"),
        rows::text("outcome"),
        rows::text("error").or_null(),
        rows::bigint("start_time"),
        rows::bigint("end_time").or_null(),
    ];
    let values = |entry: &entry::Model| -> [Value; 9] {
        [
            entry.saga_id.into(),
            entry.seq.into(),
            entry.step.as_str().into(),
            entry.direction.to_value().into(),
            entry.attempt.into(),
            entry.outcome.to_value().into(),
            entry.error.clone().into(),
            entry.start_time.into(),
            entry.end_time.into(),
        ]
    };
    let sql = "INSERT INTO saga_steps (saga_id, seq, step, direction, attempt, outcome, error, start_time, end_time)
         SELECT saga_id, seq, step, direction, attempt, outcome, error, start_time, end_time FROM {rows} AS new
         WHERE TRUE ON CONFLICT (saga_id, seq) DO UPDATE SET attempt = excluded.attempt, outcome = excluded.outcome,
             error = excluded.error, end_time = excluded.end_time";
    Rows::new(&COLUMNS, entries.iter().map(values)).run(tx, sql, &[]).await?;
    Ok(())
}

/// What a saga knows, as its row keeps it.
pub(super) fn encode(state: &impl serde::Serialize) -> Result<String, DbErr> {
    serde_json::to_string(state).map_err(|error| DbErr::Json(error.to_string()))
}

pub(super) fn decode<S: Saga>(row: &row::Model) -> Result<S::State, DbErr> {
    serde_json::from_str(&row.data).map_err(|error| DbErr::Json(error.to_string()))
}
