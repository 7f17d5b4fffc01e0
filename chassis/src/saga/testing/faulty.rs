//! A saga whose steps break down as told.

use std::sync::{Arc, Mutex, PoisonError};

use sea_orm::{DatabaseTransaction, DbErr};
use tonic::Code;

use super::super::{Direction, Failure, Outcome, Refusal, Saga};

/// How a step or its compensation breaks down.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    /// It is refused, and nothing is done.
    Refused,
    /// It is done, and its answer gets lost.
    Lost,
    /// It is not heard.
    Silent,
}

/// What is to break down, and how often in a row. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Script(Arc<Mutex<Vec<Line>>>);

#[derive(Debug)]
struct Line {
    step: usize,
    direction: Direction,
    faults: Vec<Fault>,
    /// The last fault goes on for ever.
    forever: bool,
}

impl Script {
    /// From now on this is to break down, and nothing else.
    pub(super) fn set(&self, strikes: &[(usize, Direction, &[Fault], bool)]) {
        let line = |(step, direction, faults, forever): &(usize, Direction, &[Fault], bool)| Line {
            step: *step,
            direction: *direction,
            faults: faults.to_vec(),
            forever: *forever,
        };
        *self.lines() = strikes.iter().map(line).collect();
    }

    fn next(&self, step: usize, direction: Direction) -> Option<Fault> {
        let mut lines = self.lines();
        let line = lines.iter_mut().find(|line| line.step == step && line.direction == direction)?;
        match line.faults[..] {
            [] => None,
            [last] if line.forever => Some(last),
            [_, ..] => Some(line.faults.remove(0)),
        }
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, Vec<Line>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A saga whose steps break down as told: otherwise it is the one within.
pub struct Faulty<S> {
    pub(super) saga: S,
    pub(super) script: Script,
}

/// Why a step is refused here.
pub(super) fn refusal() -> Refusal {
    Refusal::new(
        Code::FailedPrecondition,
        "REFUSED_IN_A_TRIAL",
        "testing",
        "it is refused to see what is left",
    )
}

impl<S: Saga> Saga for Faulty<S> {
    const KIND: &'static str = S::KIND;
    const VERSION: i32 = S::VERSION;
    type Step = S::Step;
    const STEPS: &'static [S::Step] = S::STEPS;
    const PIVOT: S::Step = S::PIVOT;
    const PIVOT_IS_LOCAL: bool = S::PIVOT_IS_LOCAL;
    type State = S::State;

    fn needs(&self, step: S::Step) -> bool {
        self.saga.needs(step)
    }

    async fn run(&mut self, step: S::Step) -> Result<(), Failure> {
        match self.script.next(position::<S>(step), Direction::Run) {
            Some(fault) => struck(fault, Box::pin(self.saga.run(step))).await,
            None => Box::pin(self.saga.run(step)).await,
        }
    }

    async fn compensate(&mut self, step: S::Step) -> Result<(), Failure> {
        match self.script.next(position::<S>(step), Direction::Undo) {
            Some(fault) => struck(fault, Box::pin(self.saga.compensate(step))).await,
            None => Box::pin(self.saga.compensate(step)).await,
        }
    }

    fn state(&self) -> S::State {
        self.saga.state()
    }

    async fn end(&mut self, tx: &DatabaseTransaction, outcome: &Outcome) -> Result<(), DbErr> {
        self.saga.end(tx, outcome).await
    }
}

async fn struck(fault: Fault, work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    match fault {
        Fault::Refused => Err(refusal().into()),
        Fault::Lost => {
            work.await?;
            Err(Failure::Unknown("its answer was lost".to_owned()))
        }
        Fault::Silent => Err(Failure::Unavailable("it was not heard".to_owned())),
    }
}

fn position<S: Saga>(step: S::Step) -> usize {
    S::STEPS.iter().position(|other| *other == step).unwrap_or(S::STEPS.len())
}
