//! Drives one saga, step by step, under its lease and its fence.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::DbErr;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{Instrument, error, info_span, warn};

use super::log::{self, Log, State, encode};
use super::progress::{Next, Progress, needed};
use super::runner::{FIRST_OWNER, Runner};
use super::{Failure, Outcome, Saga, Ticket};
use crate::deadline;
use crate::time::Timestamp;

/// Longer than any saga: the steps of a saga are bound by their own deadlines.
const UNBOUNDED: Duration = Duration::from_secs(365 * 24 * 3600);

impl<S: Saga> Runner<S> {
    /// Drives a saga to its end. A slot is given back while the saga waits.
    pub(super) async fn work(
        &self,
        log: Log,
        state: S::State,
        slot: Option<OwnedSemaphorePermit>,
    ) -> Result<Outcome, DbErr> {
        let span = info_span!("saga", saga.id = %log.row.id, saga.kind = S::KIND, saga.fence = log.row.fence);
        let _running = Running::new(S::KIND);
        // The saga outlives the call that accepted it.
        deadline::scope(Instant::now() + UNBOUNDED, self.steps(log, state, slot)).instrument(span).await
    }

    /// What goes well is not written down step by step: the saga's row, written before any step, says that it runs, and
    /// its end says the rest. A process that dies meanwhile leaves a row without a step: whoever takes it over then takes
    /// every step before the pivot for one that may have begun. From the first trouble on, each step is written down
    /// before it is made.
    async fn steps(
        &self,
        log: Log,
        state: S::State,
        mut slot: Option<OwnedSemaphorePermit>,
    ) -> Result<Outcome, DbErr> {
        let ticket = Ticket::of(&log.row);
        let mut saga = (self.inner.factory)(ticket.clone(), state);
        let until = until(log.row.deadline_at);
        let mut renew_at = Instant::now() + self.inner.settings.lease / 3;
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
            if self.pause(delay, &mut slot).await {
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
                    let attempt = saga.run(S::STEPS[step]);
                    let Some(result) = self.leased(&ticket, &mut renew_at, attempt).await else {
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
                    let attempt = saga.compensate(S::STEPS[step]);
                    let Some(result) = self.leased(&ticket, &mut renew_at, attempt).await else {
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
        renew_at: &mut Instant,
        attempt: impl Future<Output = Result<(), Failure>> + Send,
    ) -> Option<Result<(), Failure>> {
        let settings = &self.inner.settings;
        let bounded = timeout(settings.step_timeout, attempt);
        tokio::select! {
            biased;
            result = bounded => Some(result.unwrap_or_else(|_| Err(Failure::Unknown("no answer in time".to_owned())))),
            () = self.lost(ticket, renew_at) => {
                warn!(saga.id = %ticket.saga, saga.fence = ticket.fence, "saga lost to another owner");
                None
            }
        }
    }

    /// Renews the lease until it is lost, whenever it is time, however many attempts that takes. A database that is down
    /// does not lose it: the fence still guards each write.
    async fn lost(&self, ticket: &Ticket, renew_at: &mut Instant) {
        let lease = self.inner.settings.lease;
        loop {
            sleep_until(*renew_at).await;
            *renew_at = Instant::now() + lease / 3;
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

    /// Waits before the next attempt, while others may have the slot. True: this process stops.
    async fn pause(&self, delay: Duration, slot: &mut Option<OwnedSemaphorePermit>) -> bool {
        let stop = &self.inner.stop;
        if delay.is_zero() || stop.is_cancelled() {
            return stop.is_cancelled();
        }
        let slots = slot.take().map(|slot| Arc::clone(slot.semaphore()));
        let stops = timeout(delay, stop.cancelled()).await.is_ok();
        if let Some(slots) = slots {
            *slot = slots.acquire_owned().await.ok();
        }
        stops
    }

    /// Gives the lease back, so that another process goes on at once.
    async fn hand_on(&self, saved: &Log) -> Result<(), DbErr> {
        let mut log = saved.clone();
        log.row.lease_until = 0;
        self.inner.db.write(async |tx| log.save(tx, saved).await).await?;
        Ok(())
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
