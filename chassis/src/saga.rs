//! Sagas: a process across services that survives a crash at any point, with its progress in rows.

mod drive;
mod failure;
mod log;
pub(crate) mod migration;
mod operator;
mod progress;
mod runner;
pub mod testing;
mod ticket;

use std::fmt::Debug;
use std::future::Future;

use sea_orm::{DatabaseTransaction, DbErr};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

pub use failure::{Failure, Refusal};
pub(crate) use log::abandon_all;
pub use log::{Direction, State, StepOutcome};
pub use operator::{Filter, Intervention, StepView, View, compensate, get, list, retry, skip};
pub use progress::DEADLINE_PASSED;
pub use runner::{Begin, Runner, Settings, Started};
pub use ticket::{Ticket, finish, finish_all};

/// A process across services: an enum of steps and two matches.
///
/// Steps stand in the order they run: what can be compensated, then the pivot, then what only needs retrying. Each call
/// a step makes carries [`Ticket::request_id`], so that a repeat finds its first answer. A compensation must also
/// succeed when the step never arrived, and leave a mark there that refuses it if it arrives late.
pub trait Saga: Send + Sized + 'static {
    /// The kind in the saga's row, such as `checkout`.
    const KIND: &'static str;
    /// The version of the definition. A row written by a newer one is left to a process that knows it.
    const VERSION: i32 = 1;
    /// The steps, by name.
    type Step: Copy + Debug + Eq + Send + Sync + 'static;
    /// The steps in the order they run.
    const STEPS: &'static [Self::Step];
    /// The step after which there is no way back. It is never compensated.
    const PIVOT: Self::Step;
    /// The pivot is a local transaction that calls [`finish`], so that whether it happened is read from the saga's own
    /// row. Otherwise a pivot whose outcome is unknown is asked again until the deadline and then left to an operator.
    const PIVOT_IS_LOCAL: bool = false;
    /// What a step leaves for later ones, saved with the progress.
    type State: Serialize + DeserializeOwned + Clone + Send + Sync + 'static;

    /// Whether there is anything to do in the step. One that is not needed costs nothing, is not in the log and is never
    /// compensated. It must be told by what the saga began with, so that a restart says the same.
    fn needs(&self, step: Self::Step) -> bool {
        let _ = step;
        true
    }

    /// Does the step. Repeatable.
    fn run(&mut self, step: Self::Step) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Undoes the step, whether it happened, happened in part or never arrived. Repeatable.
    fn compensate(&mut self, step: Self::Step) -> impl Future<Output = Result<(), Failure>> + Send;

    /// What to save.
    fn state(&self) -> Self::State;

    /// Called in the transaction that writes the saga's end, unless [`finish`] ended it: tells the aggregate. A saga that
    /// needs attention may come to another end later.
    fn end(
        &mut self,
        tx: &DatabaseTransaction,
        outcome: &Outcome,
    ) -> impl Future<Output = Result<(), DbErr>> + Send {
        let _ = (tx, outcome);
        async { Ok(()) }
    }
}

/// How far a saga came when its runner let go of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// Every step is done.
    Completed,
    /// The steps that were done are undone, because of this.
    Compensated(Refusal),
    /// It cannot finish by itself: an operator is asked.
    NeedsAttention,
    /// It goes on elsewhere or later: another owner has it, or this process stops.
    Pending,
}

/// The idempotency key of a step's call: the same saga, step and direction always give the same one.
#[must_use]
pub fn request_id(saga: Uuid, step: impl Debug, direction: Direction) -> String {
    Uuid::new_v5(&saga, format!("{step:?}/{}", direction.word()).as_bytes()).to_string()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests play clients and peers, which nobody drains")]
mod tests;
