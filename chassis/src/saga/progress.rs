//! What a saga does next: decisions over its log, without I/O.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tonic::Code;

use super::log::{Direction, Log, State, StepOutcome, entry};
use super::runner::Settings;
use super::{Failure, Outcome, Refusal, Saga};

/// The reason of a saga that turned back because its deadline had passed.
pub const DEADLINE_PASSED: &str = "SAGA_DEADLINE_PASSED";

/// The definition of a saga as names and positions.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    steps: Vec<String>,
    pivot: usize,
    pivot_is_local: bool,
    step_tries: i32,
    undo_tries: i32,
    delays: ExponentialBuilder,
    delay_first: Duration,
    delay_max: Duration,
}

/// What to do now. The log already says so; it is saved first.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Next {
    Run(usize),
    Undo(usize),
    End(Outcome),
}

impl Plan {
    pub(super) fn of<S: Saga>(settings: &Settings) -> Plan {
        Plan {
            steps: S::STEPS.iter().map(|step| format!("{step:?}")).collect(),
            pivot: S::STEPS.iter().position(|step| *step == S::PIVOT).unwrap_or(S::STEPS.len()),
            pivot_is_local: S::PIVOT_IS_LOCAL,
            step_tries: settings.step_tries,
            undo_tries: settings.undo_tries,
            delays: ExponentialBuilder::default()
                .with_min_delay(settings.delay_first)
                .with_max_delay(settings.delay_max)
                .without_max_times()
                .with_jitter(),
            delay_first: settings.delay_first,
            delay_max: settings.delay_max,
        }
    }

    /// How long to wait for what has been under way for so many microseconds: the longer it took, the longer.
    fn patience(&self, taken: i64) -> Duration {
        let quarter = Duration::from_micros(u64::try_from(taken / 4).unwrap_or(0));
        quarter.clamp(self.delay_first, self.delay_max.max(self.delay_first))
    }

    /// Whether there is a way back at this step: before the pivot, and at one that tells by the saga's row whether it
    /// happened.
    fn turns_back_at(&self, step: usize) -> bool {
        step < self.pivot || (step == self.pivot && self.pivot_is_local)
    }
}

/// Which steps have anything to do, by position.
pub(super) fn needed<S: Saga>(saga: &S) -> Vec<bool> {
    S::STEPS.iter().map(|step| saga.needs(*step)).collect()
}

/// A log with the decisions of its plan.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) log: Log,
    plan: Plan,
    /// Which steps have anything to do, by position.
    needed: Vec<bool>,
    /// Compensations tried in this round: a failing one lets the others go first.
    tried: Vec<usize>,
    /// How long to wait before the next action.
    pub(super) delay: Option<Duration>,
}

impl Progress {
    pub(super) fn new(log: Log, plan: Plan, needed: Vec<bool>) -> Progress {
        Progress { log, plan, needed, tried: Vec::new(), delay: None }
    }

    /// Opens in the log what comes next, or ends the saga there.
    pub(super) fn next(&mut self, late: bool, now: i64) -> Next {
        loop {
            let next = match self.log.row.state {
                State::Running => self.forward(late, now),
                State::Compensating => self.backward(now),
                State::Completed => Some(Next::End(Outcome::Completed)),
                State::Compensated => Some(Next::End(self.compensated())),
                State::NeedsAttention => Some(Next::End(Outcome::NeedsAttention)),
            };
            if let Some(next) = next {
                return next;
            }
        }
    }

    /// Takes in how the step went.
    pub(super) fn ran(&mut self, step: usize, result: Result<(), Failure>, late: bool, now: i64) {
        match result {
            Ok(()) => {
                self.close(step, StepOutcome::Done, None, now);
                self.log.row.attempts = 1;
                self.log.row.last_error = None;
            }
            Err(Failure::Refused(refusal)) if step <= self.plan.pivot => {
                self.close(step, StepOutcome::Refused, Some(refusal.message.clone()), now);
                self.turn_back(refusal, now);
            }
            // Past the pivot there is no way back, and asking again what was refused changes nothing.
            Err(Failure::Refused(refusal)) => self.give_up(refusal.message, now),
            Err(Failure::Pending(error)) => {
                self.fail_attempt(&error);
                // Somebody has answered, so that its tries begin anew; and a refusal from here on may leave something.
                self.log.row.attempts = 2;
                if late && self.plan.turns_back_at(step) {
                    self.close(step, StepOutcome::GivenUp, Some(error), now);
                    self.turn_back(too_late(), now);
                } else if late {
                    self.give_up(error, now);
                } else {
                    let taken = self.open_run(step).map_or(0, |entry| now - entry.start_time);
                    self.delay = Some(self.plan.patience(taken));
                }
            }
            Err(Failure::Unavailable(error) | Failure::Unknown(error)) => {
                let exhausted = self.log.row.attempts >= self.plan.step_tries;
                self.fail_attempt(&error);
                if self.plan.turns_back_at(step) && (exhausted || late) {
                    self.close(step, StepOutcome::GivenUp, Some(error.clone()), now);
                    self.turn_back(unavailable(&self.plan.steps[step]), now);
                } else if late {
                    self.give_up(error, now);
                } else {
                    self.wait();
                }
            }
        }
    }

    /// Takes in how the compensation went.
    pub(super) fn undid(&mut self, step: usize, result: Result<(), Failure>, now: i64) {
        self.tried.push(step);
        let name = self.plan.steps[step].clone();
        let Some(entry) = open_undo(&mut self.log, &name) else { return };
        match result {
            Ok(()) => {
                entry.outcome = StepOutcome::Done;
                entry.end_time = Some(now);
            }
            Err(Failure::Refused(refusal)) => {
                entry.outcome = StepOutcome::Refused;
                entry.error = Some(refusal.message);
                entry.end_time = Some(now);
            }
            Err(Failure::Unavailable(error) | Failure::Unknown(error) | Failure::Pending(error)) => {
                entry.attempt += 1;
                entry.error = Some(error);
            }
        }
    }

    /// The step crashed its process so often that it is not run again to find out.
    pub(super) fn is_poison(&self, step: usize) -> bool {
        step < self.plan.pivot && self.log.row.attempts > self.plan.step_tries.saturating_mul(2)
    }

    fn forward(&mut self, late: bool, now: i64) -> Option<Next> {
        let runs = self.log.entries.iter().filter(|entry| entry.direction == Direction::Run);
        if let Some(unknown) = runs.clone().find(|entry| !self.plan.steps.contains(&entry.step)) {
            let error = format!("this version knows no step {}", unknown.step);
            self.give_up(error, now);
            return None;
        }
        let has_run =
            |name: &String| runs.clone().any(|entry| entry.step == *name && entry.end_time.is_some());
        let next =
            (0..self.plan.steps.len()).find(|step| self.needed[*step] && !has_run(&self.plan.steps[*step]));
        match next {
            None => {
                // An earlier version of the definition may have opened what this one does not need.
                self.close_open(StepOutcome::Done, now);
                self.end(State::Completed, now);
                None
            }
            // There is still a way back, also for what may have begun.
            Some(step) if late && self.plan.turns_back_at(step) => {
                self.turn_back(too_late(), now);
                None
            }
            Some(step) => {
                let name = self.plan.steps[step].clone();
                match self.open_run(step) {
                    Some(_) => self.log.row.step = name,
                    None => {
                        self.log.open(name, Direction::Run, now);
                    }
                }
                Some(Next::Run(step))
            }
        }
    }

    /// Writes down that any step before the pivot may have begun: a process that has died did not say how far it came.
    /// The next attempt at each is therefore a second one, whose refusal may leave something.
    pub(super) fn may_have_begun(&mut self, now: i64) {
        for step in 0..self.plan.pivot {
            if self.needed[step] && self.open_run(step).is_none() {
                let begun = self.log.open(self.plan.steps[step].clone(), Direction::Run, now);
                begun.attempt = 2;
            }
        }
    }

    /// Whether this step, run for the first time, need not be written down before: a saga that dies here is run again from
    /// its first step by whoever takes it over, and every step before it is repeatable.
    pub(super) fn is_plain(&self, step: usize) -> bool {
        let row = &self.log.row;
        row.state == State::Running && row.last_error.is_none() && self.plan.turns_back_at(step)
    }

    fn open_run(&self, step: usize) -> Option<&entry::Model> {
        let name = &self.plan.steps[step];
        let open = |entry: &&entry::Model| entry.direction == Direction::Run && entry.end_time.is_none();
        self.log.entries.iter().filter(open).find(|entry| entry.step == *name)
    }

    fn backward(&mut self, now: i64) -> Option<Next> {
        let pending = self.pending();
        if let Some(step) = pending.iter().copied().find(|step| !self.tried.contains(step)) {
            let name = self.plan.steps[step].clone();
            if open_undo(&mut self.log, &name).is_none() {
                self.log.open(name, Direction::Undo, now);
            } else {
                self.log.row.step = name;
            }
            return Some(Next::Undo(step));
        }
        if !pending.is_empty() && self.log.row.attempts < self.plan.undo_tries {
            self.tried.clear();
            self.log.row.attempts += 1;
            self.wait();
            return None;
        }
        let failed: Vec<String> = (self.log.entries.iter())
            .filter(|entry| entry.direction == Direction::Undo)
            .filter(|entry| !matches!(entry.outcome, StepOutcome::Done | StepOutcome::Skipped))
            .map(|entry| format!("{}: {}", entry.step, entry.error.as_deref().unwrap_or("no answer")))
            .collect();
        if failed.is_empty() {
            self.end(State::Compensated, now);
        } else {
            self.give_up(format!("not undone: {}", failed.join("; ")), now);
        }
        None
    }

    /// The steps that may have left something and are not undone yet, the last one first.
    fn pending(&self) -> Vec<usize> {
        let mut steps: Vec<usize> = (self.log.entries.iter())
            .filter(|entry| entry.direction == Direction::Run && left_something(entry))
            .filter(|entry| !self.log.entries.iter().any(|other| undoes(other, entry)))
            .filter_map(|entry| self.plan.steps.iter().position(|name| *name == entry.step))
            .filter(|step| *step < self.plan.pivot)
            .collect();
        steps.reverse();
        steps
    }

    fn compensated(&self) -> Outcome {
        Outcome::Compensated(self.log.refusal().unwrap_or_else(too_late))
    }

    fn close(&mut self, step: usize, outcome: StepOutcome, error: Option<String>, now: i64) {
        let name = &self.plan.steps[step];
        let open = |entry: &&mut entry::Model| {
            entry.direction == Direction::Run && entry.end_time.is_none() && entry.step == *name
        };
        if let Some(entry) = self.log.entries.iter_mut().find(open) {
            entry.outcome = outcome;
            entry.attempt = self.log.row.attempts.max(entry.attempt);
            entry.error = error.or_else(|| entry.error.take());
            entry.end_time = Some(now);
        }
    }

    fn close_open(&mut self, outcome: StepOutcome, now: i64) {
        let open = |entry: &&mut entry::Model| entry.direction == Direction::Run && entry.end_time.is_none();
        for entry in self.log.entries.iter_mut().filter(open) {
            entry.outcome = outcome;
            entry.end_time = Some(now);
        }
    }

    fn turn_back(&mut self, refusal: Refusal, now: i64) {
        // What else may have begun is given up too.
        self.close_open(StepOutcome::GivenUp, now);
        self.log.row.state = State::Compensating;
        self.log.row.attempts = 1;
        self.log.row.last_error = Some(refusal.message.clone());
        self.log.row.refusal = serde_json::to_string(&refusal).ok();
    }

    fn fail_attempt(&mut self, error: &str) {
        self.log.row.last_error = Some(error.to_owned());
    }

    fn wait(&mut self) {
        // The exponent is bounded long before: the delay has its own ceiling.
        let earlier = usize::try_from(self.log.row.attempts - 1).unwrap_or(0).min(16);
        self.delay = self.plan.delays.build().nth(earlier);
        if self.log.row.state == State::Running {
            self.log.row.attempts += 1;
        }
    }

    fn give_up(&mut self, error: String, now: i64) {
        self.log.row.last_error = Some(error);
        self.end(State::NeedsAttention, now);
    }

    fn end(&mut self, state: State, now: i64) {
        self.log.row.state = state;
        self.log.row.end_time = Some(now);
    }
}

fn open_undo<'a>(log: &'a mut Log, step: &str) -> Option<&'a mut entry::Model> {
    (log.entries.iter_mut())
        .find(|entry| entry.direction == Direction::Undo && entry.end_time.is_none() && entry.step == step)
}

/// A refusal at the first attempt left nothing; after an attempt of unknown outcome it may have.
fn left_something(entry: &entry::Model) -> bool {
    match entry.outcome {
        StepOutcome::Done | StepOutcome::GivenUp | StepOutcome::Skipped | StepOutcome::Started => true,
        StepOutcome::Refused => entry.attempt > 1,
    }
}

/// Settled one way or the other: a refused compensation is not asked again by itself.
fn undoes(undo: &entry::Model, run: &entry::Model) -> bool {
    undo.direction == Direction::Undo && undo.step == run.step && undo.end_time.is_some()
}

fn unavailable(step: &str) -> Refusal {
    let message = format!("{step} could not be reached; nothing was kept, try again later");
    Refusal::new(Code::Unavailable, "SAGA_STEP_UNAVAILABLE", "cartwright", message)
}

fn too_late() -> Refusal {
    Refusal::new(Code::DeadlineExceeded, DEADLINE_PASSED, "cartwright", "it took too long; nothing was kept")
}
