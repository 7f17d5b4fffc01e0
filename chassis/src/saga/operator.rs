//! What operators see of sagas, and what they may do to one that needs attention.

use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseTransaction, QueryOrder, QuerySelect, Set};
use tonic::{Code, Status};

use super::log::{self, Direction, Log, State, StepOutcome, entry, row};
use super::{Refusal, Saga};
use crate::status;
use crate::time::Timestamp;

/// Which sagas to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only this kind.
    pub kind: Option<String>,
    /// Only in this state.
    pub state: Option<State>,
    /// Only about this resource.
    pub subject: Option<String>,
    /// Only those that are under way.
    pub unfinished: bool,
}

/// A saga, as operators see it.
#[derive(Clone, Debug)]
pub struct View {
    /// Its id.
    pub id: Uuid,
    /// The process it follows.
    pub kind: String,
    /// The resource it is about.
    pub subject: String,
    /// Where it stands.
    pub state: State,
    /// The step it stands at.
    pub step: String,
    /// Attempts at that step; rounds, while compensating.
    pub attempts: i32,
    /// Who works on it, or did last.
    pub owner: String,
    /// How many owners it has had.
    pub fence: i64,
    /// When it is tried next.
    pub next_attempt_time: Timestamp,
    /// When it stops trying by itself.
    pub deadline_time: Timestamp,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// Why it turned back.
    pub refusal: Option<Refusal>,
    /// When it was accepted.
    pub create_time: Timestamp,
    /// When it last moved.
    pub update_time: Timestamp,
    /// When it ended.
    pub end_time: Option<Timestamp>,
    /// Its log; empty in lists.
    pub steps: Vec<StepView>,
}

/// A line of a saga's log.
#[derive(Clone, Debug)]
pub struct StepView {
    /// Counts from 1.
    pub seq: i32,
    /// The step; what the operator did, for [`Direction::Operator`].
    pub step: String,
    /// Done or undone.
    pub direction: Direction,
    /// The attempts it took.
    pub attempt: i32,
    /// How it ended.
    pub outcome: StepOutcome,
    /// What went wrong; the operator, for [`Direction::Operator`].
    pub error: Option<String>,
    /// When it started.
    pub start_time: Timestamp,
    /// When it ended.
    pub end_time: Option<Timestamp>,
}

/// Why an operator's wish was not followed.
#[derive(Debug, thiserror::Error)]
pub enum Intervention {
    /// There is none.
    #[error("saga {0} not found")]
    NotFound(Uuid),
    /// It helps itself, or is over.
    #[error("saga {id} is {}, not NEEDS_ATTENTION", state.as_str())]
    NeedsNone {
        /// The saga.
        id: Uuid,
        /// Where it stands.
        state: State,
    },
    /// What was done cannot be undone any more.
    #[error("saga {0} has passed its pivot and only goes forward")]
    PivotPassed(Uuid),
    /// The database failed.
    #[error("database")]
    Database(#[from] DbErr),
}

impl From<Intervention> for Status {
    fn from(error: Intervention) -> Status {
        let (code, reason) = match &error {
            Intervention::NotFound(_) => (Code::NotFound, "SAGA_NOT_FOUND"),
            Intervention::NeedsNone { .. } => (Code::FailedPrecondition, "SAGA_NEEDS_NO_ATTENTION"),
            Intervention::PivotPassed(_) => (Code::FailedPrecondition, "SAGA_PIVOT_PASSED"),
            Intervention::Database(_) => return status::internal(&error),
        };
        status::refusal(code, reason, status::DOMAIN, &error)
    }
}

/// A page of sagas, the newest first. `after` is the last id of the page before.
pub async fn list(
    db: &impl ConnectionTrait,
    filter: &Filter,
    after: Option<Uuid>,
    limit: u64,
) -> Result<Vec<View>, DbErr> {
    let mut query = row::Entity::find().order_by_desc(row::Column::Id).limit(limit);
    if let Some(kind) = &filter.kind {
        query = query.filter(row::Column::Kind.eq(kind));
    }
    if let Some(state) = filter.state {
        query = query.filter(row::Column::State.eq(state));
    }
    if let Some(subject) = &filter.subject {
        query = query.filter(row::Column::Subject.eq(subject));
    }
    if filter.unfinished {
        query = query.filter(row::Column::EndTime.is_null());
    }
    if let Some(after) = after {
        query = query.filter(row::Column::Id.lt(after));
    }
    Ok(query.all(db).await?.into_iter().map(|row| view(row, Vec::new())).collect())
}

/// The saga with its log.
pub async fn get(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<View>, DbErr> {
    let Some(row) = log::find(db, id).await? else { return Ok(None) };
    Ok(Some(view(row, log::entries(db, id).await?)))
}

/// Lets the saga try again from where it stopped, with as much time as it had at first.
pub async fn retry(tx: &DatabaseTransaction, id: Uuid, operator: &str) -> Result<(), Intervention> {
    let mut log = load(tx, id).await?;
    log.row.state = match log.row.refusal {
        Some(_) => State::Compensating,
        None => State::Running,
    };
    for undo in log.entries.iter_mut().filter(|entry| entry.direction == Direction::Undo) {
        if undo.outcome == StepOutcome::Refused {
            undo.outcome = StepOutcome::Started;
            undo.end_time = None;
        }
    }
    release(tx, log, "retry", operator).await
}

/// Declares the step it stands at settled by hand; while compensating, everything that is not undone yet.
pub async fn skip(tx: &DatabaseTransaction, id: Uuid, operator: &str) -> Result<(), Intervention> {
    let mut log = load(tx, id).await?;
    let (state, direction) = match log.row.refusal {
        Some(_) => (State::Compensating, Direction::Undo),
        None => (State::Running, Direction::Run),
    };
    log.row.state = state;
    let now = Timestamp::now().micros();
    for entry in log.entries.iter_mut().filter(|entry| entry.direction == direction) {
        if entry.end_time.is_none() || (direction == Direction::Undo && entry.outcome == StepOutcome::Refused)
        {
            entry.outcome = StepOutcome::Skipped;
            entry.end_time = Some(now);
        }
    }
    release(tx, log, "skip", operator).await
}

/// Turns the saga back: what was done is undone. Refused past the pivot.
pub async fn compensate<S: Saga>(
    tx: &DatabaseTransaction,
    id: Uuid,
    operator: &str,
) -> Result<(), Intervention> {
    let mut log = load(tx, id).await?;
    let pivot = format!("{:?}", S::PIVOT);
    let passed = (log.entries.iter())
        .filter(|entry| entry.direction == Direction::Run && entry.step == pivot)
        .any(|entry| entry.end_time.is_some() && entry.outcome != StepOutcome::GivenUp);
    if passed && log.row.refusal.is_none() {
        return Err(Intervention::PivotPassed(id));
    }
    let now = Timestamp::now().micros();
    for entry in log.entries.iter_mut().filter(|entry| entry.direction == Direction::Run) {
        if entry.end_time.is_none() {
            entry.outcome = StepOutcome::GivenUp;
            entry.end_time = Some(now);
        }
    }
    log.row.state = State::Compensating;
    if log.row.refusal.is_none() {
        let refusal =
            Refusal::new(Code::Aborted, "SAGA_TURNED_BACK", status::DOMAIN, "an operator turned it back");
        log.row.refusal = serde_json::to_string(&refusal).ok();
    }
    release(tx, log, "compensate", operator).await
}

/// The saga as an operator found it, to be changed.
async fn load(tx: &DatabaseTransaction, id: Uuid) -> Result<Log, Intervention> {
    let row = log::find(tx, id).await?.ok_or(Intervention::NotFound(id))?;
    if row.state != State::NeedsAttention {
        return Err(Intervention::NeedsNone { id, state: row.state });
    }
    Ok(Log { entries: log::entries(tx, id).await?, row })
}

/// Puts the saga back where a runner finds it, and who did so into its log.
async fn release(
    tx: &DatabaseTransaction,
    mut log: Log,
    action: &str,
    operator: &str,
) -> Result<(), Intervention> {
    let now = Timestamp::now();
    let span = Timestamp::from_micros(log.row.deadline_at).since(Timestamp::from_micros(log.row.create_time));
    let step = log.row.step.clone();
    log.open(action.to_owned(), Direction::Operator, now.micros());
    if let Some(entry) = log.entries.last_mut() {
        entry.outcome = StepOutcome::Done;
        entry.error = Some(operator.to_owned());
        entry.end_time = Some(now.micros());
    }
    let changed = row::Entity::update_many()
        .set(row::ActiveModel {
            state: Set(log.row.state),
            step: Set(step),
            // The one who loses the race of two operators changes nothing: the fence has moved on.
            fence: Set(log.row.fence + 1),
            lease_until: Set(0),
            attempts: Set(0),
            next_attempt_at: Set(now.micros()),
            deadline_at: Set(now.plus(span).micros()),
            refusal: Set(log.row.refusal.clone()),
            update_time: Set(now.micros()),
            end_time: Set(None),
            ..Default::default()
        })
        .filter(row::Column::Id.eq(log.row.id))
        .filter(row::Column::Fence.eq(log.row.fence))
        .filter(row::Column::State.eq(State::NeedsAttention))
        .exec(tx)
        .await?;
    if changed.rows_affected == 0 {
        return Err(Intervention::NeedsNone { id: log.row.id, state: State::Running });
    }
    log::upsert(tx, &log.entries).await?;
    Ok(())
}

fn view(row: row::Model, entries: Vec<entry::Model>) -> View {
    let refusal = row.refusal.as_deref().and_then(|json| serde_json::from_str(json).ok());
    View {
        id: row.id,
        kind: row.kind,
        subject: row.subject,
        state: row.state,
        step: row.step,
        attempts: row.attempts,
        owner: row.owner,
        fence: row.fence,
        next_attempt_time: Timestamp::from_micros(row.next_attempt_at),
        deadline_time: Timestamp::from_micros(row.deadline_at),
        last_error: row.last_error,
        refusal,
        create_time: Timestamp::from_micros(row.create_time),
        update_time: Timestamp::from_micros(row.update_time),
        end_time: row.end_time.map(Timestamp::from_micros),
        steps: entries.into_iter().map(step_view).collect(),
    }
}

fn step_view(entry: entry::Model) -> StepView {
    StepView {
        seq: entry.seq,
        step: entry.step,
        direction: entry.direction,
        attempt: entry.attempt,
        outcome: entry.outcome,
        error: entry.error,
        start_time: Timestamp::from_micros(entry.start_time),
        end_time: entry.end_time.map(Timestamp::from_micros),
    }
}
