//! Checkouts as operators see them.

use chassis::caller::Caller;
use chassis::db::Db;
use chassis::id::{Id, Resource};
use chassis::page::Page;
use chassis::saga::{self, Direction, Filter, Intervention, State, StepOutcome, StepView, View};
use chassis::{status, wire};
use contract::order::v1 as pb;
use sea_orm::DatabaseTransaction;
use tonic::Status;

/// What a saga's name refers to.
pub(super) struct Process;

impl Resource for Process {
    const COLLECTION: &'static str = "sagas";
}

pub(super) async fn list(db: &Db, request: &pb::ListSagasRequest) -> Result<pb::ListSagasResponse, Status> {
    let filter = Filter { state: state(request.state)?, ..Filter::default() };
    let page = Page::of(request.page_size, &request.page_token, &format!("sagas {}", request.state))?;
    let after = page.after.as_ref().and_then(|keys| keys.first()?.parse().ok());
    let found = saga::list(db.reader(), &filter, after, page.size + 1).await;
    let found = found.map_err(|error| status::internal(&error))?;
    let (found, next_page_token) = page.cut(found, |saga| vec![saga.id.to_string()]);
    Ok(pb::ListSagasResponse { sagas: found.into_iter().map(tell).collect(), next_page_token })
}

pub(super) async fn get(db: &Db, name: &str) -> Result<pb::Saga, Status> {
    let id: Id<Process> = wire::name("name", name)?;
    let found = saga::get(db.writer(), id.uuid()).await.map_err(|error| status::internal(&error))?;
    Ok(tell(found.ok_or(Intervention::NotFound(id.uuid()))?))
}

/// Lets an operator act on a saga, and shows how it stands then.
pub(super) async fn intervene<F>(db: &Db, name: &str, act: F) -> Result<pb::Saga, Status>
where
    F: AsyncFnOnce(&DatabaseTransaction, uuid::Uuid) -> Result<(), Intervention>,
{
    let id: Id<Process> = wire::name("name", name)?;
    db.write(async |tx| act(tx, id.uuid()).await).await?;
    get(db, name).await
}

/// Who acted, and in which words, for the saga's log.
pub(super) fn operator(caller: &Caller, reason: &str) -> String {
    match reason {
        "" => caller.key(),
        reason => format!("{}: {reason}", caller.key()),
    }
}

fn state(state: i32) -> Result<Option<State>, Status> {
    let state =
        pb::saga::State::try_from(state).map_err(|_| status::invalid("state", "is not a state of sagas"))?;
    Ok(match state {
        pb::saga::State::Unspecified => None,
        pb::saga::State::Running => Some(State::Running),
        pb::saga::State::Compensating => Some(State::Compensating),
        pb::saga::State::Completed => Some(State::Completed),
        pb::saga::State::Compensated => Some(State::Compensated),
        pb::saga::State::NeedsAttention => Some(State::NeedsAttention),
    })
}

fn tell(saga: View) -> pb::Saga {
    let live = matches!(saga.state, State::Running | State::Compensating);
    let mut wire = pb::Saga {
        name: Id::<Process>::from(saga.id).name(),
        kind: saga.kind,
        subject: saga.subject,
        step: saga.step,
        attempts: saga.attempts,
        last_error: saga.last_error.unwrap_or_default(),
        steps: saga.steps.into_iter().map(tell_step).collect(),
        create_time: Some(saga.create_time.into()),
        retry_time: live.then(|| saga.next_attempt_time.into()),
        end_time: saga.end_time.map(Into::into),
        ..pb::Saga::default()
    };
    wire.set_state(match saga.state {
        State::Running => pb::saga::State::Running,
        State::Compensating => pb::saga::State::Compensating,
        State::Completed => pb::saga::State::Completed,
        State::Compensated => pb::saga::State::Compensated,
        State::NeedsAttention => pb::saga::State::NeedsAttention,
    });
    wire
}

fn tell_step(step: StepView) -> pb::SagaStep {
    let outcome = match step.outcome {
        StepOutcome::Started => "STARTED",
        StepOutcome::Done => "DONE",
        StepOutcome::Refused => "REFUSED",
        StepOutcome::GivenUp => "UNAVAILABLE",
        StepOutcome::Skipped => "SKIPPED",
    };
    pb::SagaStep {
        step: step.step,
        compensation: step.direction == Direction::Undo,
        attempt: step.attempt,
        outcome: outcome.to_owned(),
        error: step.error.unwrap_or_default(),
        start_time: Some(step.start_time.into()),
        end_time: step.end_time.map(Into::into),
    }
}
