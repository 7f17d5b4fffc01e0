//! Drives sagas: one owner each, every write under its fence, and takes over what others left behind.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::{DatabaseTransaction, DbErr};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, error, info, info_span, warn};
use uuid::Uuid;

use super::log::{self, Log, State, Ticket, row};
use super::progress::{Next, Plan, Progress, needed};
use super::{Failure, Outcome, Saga};
use crate::db::Db;
use crate::deadline;
use crate::task;
use crate::time::Timestamp;

/// The fence of whoever accepted the saga.
const FIRST_OWNER: i64 = 1;
/// Longer than any saga: the steps of a saga are bound by their own deadlines.
const UNBOUNDED: Duration = Duration::from_secs(365 * 24 * 3600);

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
    /// How many of those to work on at once.
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
    inner: Arc<Inner<S>>,
}

impl<S: Saga> Clone for Runner<S> {
    fn clone(&self) -> Runner<S> {
        Runner { inner: Arc::clone(&self.inner) }
    }
}

struct Inner<S: Saga> {
    db: Db,
    owner: String,
    settings: Settings,
    plan: Plan,
    factory: Arc<dyn Fn(Ticket, S::State) -> S + Send + Sync>,
    stop: CancellationToken,
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
        task::detached(async move { runner.work(started.log, started.state).await }).await
    }

    /// Takes over a saga whose owner is gone and drives it. `Pending`: somebody has it.
    pub async fn resume(&self, id: Uuid) -> Result<Outcome, DbErr> {
        match self.claim(id).await? {
            None => self.outcome(id).await,
            Some((log, state)) => {
                let runner = self.clone();
                task::detached(async move { runner.work(log, state).await }).await
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
            let free = u64::try_from(slots.available_permits()).unwrap_or(u64::MAX);
            let found = match log::abandoned::<S>(self.inner.db.writer(), free).await {
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
                    let _slot = slot;
                    if let Err(error) = runner.resume(id).await {
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

    pub(super) async fn work(&self, log: Log, state: S::State) -> Result<Outcome, DbErr> {
        let span = info_span!("saga", saga.id = %log.row.id, saga.kind = S::KIND, saga.fence = log.row.fence);
        let _running = Running::new(S::KIND);
        // The saga outlives the call that accepted it.
        deadline::scope(Instant::now() + UNBOUNDED, self.steps(log, state)).instrument(span).await
    }

    /// What goes well is not written down step by step: the saga's row, written before any step, says that it runs, and
    /// its end says the rest. A process that dies meanwhile leaves a row without a step: whoever takes it over then takes
    /// every step before the pivot for one that may have begun. From the first trouble on, each step is written down
    /// before it is made.
    async fn steps(&self, log: Log, state: S::State) -> Result<Outcome, DbErr> {
        let ticket = Ticket::of(&log.row);
        let mut saga = (self.inner.factory)(ticket.clone(), state);
        let until = until(log.row.deadline_at);
        let mut saved = log.clone();
        let mut progress = Progress::new(log, self.inner.plan.clone(), needed(&saga));
        let unwritten = saved.row.step.is_empty();
        if unwritten && saved.row.fence > FIRST_OWNER {
            progress.may_have_begun(Timestamp::now().micros());
        }
        loop {
            let next = progress.next(Instant::now() >= until, Timestamp::now().micros());
            let delay = progress.delay.take().unwrap_or_default();
            let plain = saved.row.step.is_empty()
                && saved.row.fence == FIRST_OWNER
                && matches!(next, Next::Run(step) if progress.is_plain(step));
            if progress.log != saved && !plain {
                progress.log.row.data = encode(&saga.state())?;
                if !self.save(&mut saga, &mut progress.log, &saved, delay, &next).await? {
                    return self.outcome(ticket.saga).await;
                }
                saved.clone_from(&progress.log);
            }
            if let Next::End(outcome) = next {
                self.ended(&progress.log);
                return Ok(outcome);
            }
            if self.pause(delay).await {
                self.hand_on(&saved).await?;
                return Ok(Outcome::Pending);
            }
            match next {
                Next::Run(step) if progress.is_poison(step) => {
                    let failure =
                        Failure::Unknown("its process died in this step again and again".to_owned());
                    progress.ran(step, Err(failure), true, Timestamp::now().micros());
                }
                Next::Run(step) => {
                    let is_local_pivot = S::STEPS[step] == S::PIVOT && S::PIVOT_IS_LOCAL;
                    if is_local_pivot {
                        progress.log.row.data = encode(&saga.state())?;
                        ticket.hold(&progress.log, &saved);
                    }
                    let Some(result) = self.leased(&ticket, saga.run(S::STEPS[step])).await else {
                        return self.outcome(ticket.saga).await;
                    };
                    // Only a local pivot can have ended the saga inside its own transaction: it has where it says so,
                    // and it may have where nothing is known of its commit.
                    if is_local_pivot {
                        let outcome = match result {
                            Ok(()) => Outcome::Completed,
                            Err(_) => self.outcome(ticket.saga).await?,
                        };
                        if outcome != Outcome::Pending {
                            progress.log.row.state = State::Completed;
                            self.ended(&progress.log);
                            return Ok(outcome);
                        }
                    }
                    progress.ran(step, result, Instant::now() >= until, Timestamp::now().micros());
                }
                Next::Undo(step) => {
                    let Some(result) = self.leased(&ticket, saga.compensate(S::STEPS[step])).await else {
                        return self.outcome(ticket.saga).await;
                    };
                    progress.undid(step, result, Timestamp::now().micros());
                }
                Next::End(_) => {}
            }
        }
    }

    /// Runs an attempt while keeping the lease. `None`: the lease is lost and the attempt is dropped.
    async fn leased(
        &self,
        ticket: &Ticket,
        attempt: impl Future<Output = Result<(), Failure>> + Send,
    ) -> Option<Result<(), Failure>> {
        let settings = &self.inner.settings;
        let bounded = timeout(settings.step_timeout, attempt);
        tokio::select! {
            biased;
            result = bounded => Some(result.unwrap_or_else(|_| Err(Failure::Unknown("no answer in time".to_owned())))),
            () = self.lost(ticket) => {
                warn!(saga.id = %ticket.saga, saga.fence = ticket.fence, "saga lost to another owner");
                None
            }
        }
    }

    /// Renews the lease until it is lost. A database that is down does not lose it: the fence still guards each write.
    async fn lost(&self, ticket: &Ticket) {
        let lease = self.inner.settings.lease;
        loop {
            sleep(lease / 3).await;
            let renewed = self.inner.db.write(async |tx| log::renew(tx, ticket, lease).await).await;
            match renewed {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => warn!(saga.id = %ticket.saga, %error, "saga lease not renewed"),
            }
        }
    }

    /// Saves the progress; the end is told in the same transaction. False: another owner has the saga, or it has ended.
    async fn save(
        &self,
        saga: &mut S,
        log: &mut Log,
        saved: &Log,
        delay: Duration,
        next: &Next,
    ) -> Result<bool, DbErr> {
        let now = Timestamp::now();
        let due = now.plus(delay);
        log.row.update_time = now.micros();
        log.row.next_attempt_at = due.micros();
        log.row.lease_until = match log.row.state.is_live() {
            true => due.plus(self.inner.settings.lease).micros(),
            false => i64::MAX,
        };
        let log = &*log;
        let mut tries = 0;
        loop {
            let written = self
                .inner
                .db
                .write(async |tx| {
                    let owned = log.save(tx, saved).await?;
                    if let (true, Next::End(outcome)) = (owned, next) {
                        saga.end(tx, outcome).await?;
                    }
                    Ok::<_, DbErr>(owned)
                })
                .await;
            match written {
                Ok(owned) => return Ok(owned),
                // The write is the same under the same fence, so one whose commit went unanswered may be repeated.
                Err(error) if tries < 5 => {
                    warn!(saga.id = %log.row.id, %error, "saga progress not saved, trying again");
                    sleep(self.inner.settings.delay_first * (1 << tries)).await;
                    tries += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits before the next attempt. True: this process stops.
    async fn pause(&self, delay: Duration) -> bool {
        let stop = &self.inner.stop;
        if delay.is_zero() || stop.is_cancelled() {
            return stop.is_cancelled();
        }
        timeout(delay, stop.cancelled()).await.is_ok()
    }

    /// Gives the lease back, so that another process goes on at once.
    async fn hand_on(&self, saved: &Log) -> Result<(), DbErr> {
        let mut log = saved.clone();
        log.row.lease_until = 0;
        self.inner.db.write(async |tx| log.save(tx, saved).await).await?;
        Ok(())
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

    fn ended(&self, log: &Log) {
        let row = &log.row;
        metrics::counter!("saga_ended_total", "kind" => S::KIND, "state" => row.state.as_str()).increment(1);
        if row.state == State::NeedsAttention {
            error!(saga.subject = row.subject, saga.error = row.last_error, "saga needs attention");
        }
    }
}

struct Running(&'static str);

impl Running {
    fn new(kind: &'static str) -> Running {
        metrics::gauge!("saga_running", "kind" => kind).increment(1);
        Running(kind)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        metrics::gauge!("saga_running", "kind" => self.0).decrement(1);
    }
}

/// The deadline as a monotonic instant: a clock set back or forth under way changes nothing.
fn until(deadline_at: i64) -> Instant {
    let left = deadline_at.saturating_sub(Timestamp::now().micros());
    Instant::now() + Duration::from_micros(u64::try_from(left).unwrap_or(0))
}

fn encode(state: &impl serde::Serialize) -> Result<String, DbErr> {
    serde_json::to_string(state).map_err(|error| DbErr::Json(error.to_string()))
}

fn decode<S: Saga>(row: &row::Model) -> Result<S::State, DbErr> {
    serde_json::from_str(&row.data).map_err(|error| DbErr::Json(error.to_string()))
}
