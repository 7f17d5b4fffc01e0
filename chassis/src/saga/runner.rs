//! Starts sagas, and takes over what others left behind: each has one owner, and every write is under its fence.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::{DatabaseTransaction, DbErr};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use super::log::{self, Log, State, decode, encode, row};
use super::progress::{Next, Plan, Progress};
use super::{Outcome, Saga, Ticket};
use crate::db::Db;
use crate::task;
use crate::time::Timestamp;

/// The fence of whoever accepted the saga.
pub(super) const FIRST_OWNER: i64 = 1;
/// Sagas taken over that have not ended yet: most of them wait, as for a peer that is away.
const TAKEN_OVER_MAX: usize = 1024;

/// How patient a runner is. The defaults are for production; tests shorten them.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long an owner that stopped keeps its saga.
    pub lease: Duration,
    /// Attempts at a step before the pivot, before what was done is undone.
    pub step_tries: i32,
    /// Rounds of compensations before an operator is asked.
    pub undo_tries: i32,
    /// The longest a single attempt may take: beyond it the outcome is unknown.
    pub step_timeout: Duration,
    /// The delay before the second attempt; it doubles from there, with jitter.
    pub delay_first: Duration,
    /// The longest delay between two attempts.
    pub delay_max: Duration,
    /// How often to look for sagas that nobody works on.
    pub poll: Duration,
    /// How many of those to work on at once, those that wait for their next attempt not counted.
    pub concurrency: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            lease: Duration::from_secs(15),
            step_tries: 6,
            undo_tries: 40,
            step_timeout: Duration::from_secs(30),
            delay_first: Duration::from_millis(100),
            delay_max: Duration::from_secs(10),
            poll: Duration::from_secs(1),
            concurrency: 16,
        }
    }
}

/// Drives the sagas of one kind.
pub struct Runner<S: Saga> {
    pub(super) inner: Arc<Inner<S>>,
}

impl<S: Saga> Clone for Runner<S> {
    fn clone(&self) -> Runner<S> {
        Runner { inner: Arc::clone(&self.inner) }
    }
}

pub(super) struct Inner<S: Saga> {
    pub(super) db: Db,
    owner: String,
    pub(super) settings: Settings,
    pub(super) plan: Plan,
    pub(super) factory: Arc<dyn Fn(Ticket, S::State) -> S + Send + Sync>,
    pub(super) stop: CancellationToken,
}

/// A saga accepted in a transaction and owned by this process: drive it once that is committed.
#[must_use = "an accepted saga waits for its lease to run out unless it is driven"]
pub struct Started<S: Saga> {
    pub(super) log: Log,
    pub(super) state: S::State,
}

impl<S: Saga> Started<S> {
    /// The right to write the saga's rows.
    pub fn ticket(&self) -> Ticket {
        Ticket::of(&self.log.row)
    }
}

/// A saga to start: about `subject`, and with so much time.
#[derive(Debug)]
pub struct Begin<S: Saga> {
    /// Its id.
    pub id: Uuid,
    /// The resource it is about.
    pub subject: String,
    /// What its steps need.
    pub state: S::State,
    /// How long it may take before it turns back.
    pub deadline: Duration,
}

impl<S: Saga> Runner<S> {
    /// A runner that builds its sagas by `factory`, from the ticket and the saved state.
    pub fn new(
        db: &Db,
        owner: &str,
        settings: Settings,
        factory: impl Fn(Ticket, S::State) -> S + Send + Sync + 'static,
    ) -> Runner<S> {
        let plan = Plan::of::<S>(&settings);
        // A restarted process is another owner: what it held before the crash is taken over, not taken for its own.
        let owner = format!("{owner}/{}", Uuid::now_v7());
        let inner = Inner {
            db: db.clone(),
            owner,
            settings,
            plan,
            factory: Arc::new(factory),
            stop: CancellationToken::new(),
        };
        Runner { inner: Arc::new(inner) }
    }

    /// Another owner of the same sagas, as a process is that starts after this one has died.
    pub(super) fn successor(&self) -> Runner<S> {
        let Inner { db, settings, plan, factory, .. } = &*self.inner;
        let inner = Inner {
            db: db.clone(),
            owner: Uuid::now_v7().to_string(),
            settings: settings.clone(),
            plan: plan.clone(),
            factory: Arc::clone(factory),
            stop: CancellationToken::new(),
        };
        Runner { inner: Arc::new(inner) }
    }

    /// Writes the saga in the accepting transaction, already owned by this process.
    ///
    /// `subject` is the resource the saga is about; past `deadline` it turns back, or asks for attention after the pivot.
    pub async fn start(
        &self,
        tx: &DatabaseTransaction,
        id: Uuid,
        subject: &str,
        state: &S::State,
        deadline: Duration,
    ) -> Result<Started<S>, DbErr> {
        let begin = Begin { id, subject: subject.to_owned(), state: state.clone(), deadline };
        self.start_all(tx, vec![begin]).await?.pop().ok_or(DbErr::RecordNotInserted)
    }

    /// Writes many sagas, as [`Runner::start`] does one.
    pub async fn start_all(
        &self,
        tx: &DatabaseTransaction,
        sagas: Vec<Begin<S>>,
    ) -> Result<Vec<Started<S>>, DbErr> {
        let now = Timestamp::now();
        let mut started = Vec::with_capacity(sagas.len());
        for Begin { id, subject, state, deadline } in sagas {
            let row = row::Model {
                id,
                kind: S::KIND.to_owned(),
                subject,
                version: S::VERSION,
                state: State::Running,
                step: String::new(),
                data: encode(&state)?,
                owner: self.inner.owner.clone(),
                fence: FIRST_OWNER,
                lease_until: now.plus(self.inner.settings.lease).micros(),
                attempts: 1,
                next_attempt_at: now.micros(),
                deadline_at: now.plus(deadline).micros(),
                last_error: None,
                refusal: None,
                create_time: now.micros(),
                update_time: now.micros(),
                end_time: None,
            };
            started.push(Started { log: Log { row, entries: Vec::new() }, state });
        }
        log::insert(tx, &started.iter().map(|started| &started.log.row).collect::<Vec<_>>()).await?;
        Ok(started)
    }

    /// Drives an accepted saga to its end, in a task of its own: a caller who goes away does not cut it.
    pub async fn drive(&self, started: Started<S>) -> Result<Outcome, DbErr> {
        let runner = self.clone();
        task::detached(async move { runner.work(started.log, started.state, None).await }).await
    }

    /// Takes over a saga whose owner is gone and drives it. `Pending`: somebody has it.
    pub async fn resume(&self, id: Uuid) -> Result<Outcome, DbErr> {
        self.resume_in(id, None).await
    }

    async fn resume_in(&self, id: Uuid, slot: Option<OwnedSemaphorePermit>) -> Result<Outcome, DbErr> {
        match self.claim(id).await? {
            None => self.outcome(id).await,
            Some((log, state)) => {
                let runner = self.clone();
                task::detached(async move { runner.work(log, state, slot).await }).await
            }
        }
    }

    pub(super) async fn claim(&self, id: Uuid) -> Result<Option<(Log, S::State)>, DbErr> {
        let Inner { db, owner, settings, .. } = &*self.inner;
        let claimed = db.write(async |tx| log::claim::<S>(tx, id, owner, settings.lease).await).await?;
        let Some(log) = claimed else { return Ok(None) };
        let state = decode::<S>(&log.row)?;
        info!(saga.id = %id, saga.kind = S::KIND, saga.fence = log.row.fence, "saga taken over");
        Ok(Some((log, state)))
    }

    /// How the saga stands: `Pending` while it is under way.
    pub async fn outcome(&self, id: Uuid) -> Result<Outcome, DbErr> {
        let row = log::find(self.inner.db.writer(), id).await?;
        Ok(row.map_or(Outcome::Pending, |row| self.outcome_of(row)))
    }

    /// Waits until the saga has ended, whoever drives it.
    pub async fn wait(&self, id: Uuid) -> Result<Outcome, DbErr> {
        let mut delay = Duration::from_millis(20);
        loop {
            let outcome = self.outcome(id).await?;
            if outcome != Outcome::Pending {
                return Ok(outcome);
            }
            sleep(delay).await;
            delay = (delay * 2).min(Duration::from_secs(1));
        }
    }

    /// Takes over abandoned sagas until `shutdown`; then the ones under way here are handed on between two steps.
    pub async fn recover(&self, shutdown: CancellationToken) {
        let settings = &self.inner.settings;
        let slots = Arc::new(Semaphore::new(settings.concurrency));
        let mut running = JoinSet::new();
        while !shutdown.is_cancelled() {
            let free = slots.available_permits().min(TAKEN_OVER_MAX.saturating_sub(running.len()));
            let found = match log::abandoned::<S>(self.inner.db.writer(), free as u64).await {
                Ok(found) => found,
                Err(error) => {
                    warn!(saga.kind = S::KIND, %error, "cannot look for abandoned sagas");
                    Vec::new()
                }
            };
            for id in found {
                let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { break };
                let runner = self.clone();
                running.spawn(async move {
                    if let Err(error) = runner.resume_in(id, Some(slot)).await {
                        warn!(saga.id = %id, saga.kind = S::KIND, %error, "saga left for a later attempt");
                    }
                });
            }
            while running.try_join_next().is_some() {}
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = sleep(settings.poll) => {}
            }
        }
        self.inner.stop.cancel();
        while running.join_next().await.is_some() {}
    }

    fn outcome_of(&self, row: row::Model) -> Outcome {
        let log = Log { row, entries: Vec::new() };
        let mut progress = Progress::new(log, self.inner.plan.clone(), Vec::new());
        match progress.log.row.state {
            State::Running | State::Compensating => Outcome::Pending,
            State::Completed | State::Compensated | State::NeedsAttention => match progress.next(false, 0) {
                Next::End(outcome) => outcome,
                Next::Run(_) | Next::Undo(_) => Outcome::Pending,
            },
        }
    }
}
