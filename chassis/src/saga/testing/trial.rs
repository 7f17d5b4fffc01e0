//! Drives a saga through everything that can go wrong at each of its steps, and compares what it leaves.

use std::fmt::Debug;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use sea_orm::Statement;
use uuid::Uuid;

use super::super::runner::{Runner, Settings, Started};
use super::super::{Direction, Outcome, Saga, Ticket};
use super::faulty::{Fault, Faulty, Script, refusal};
use crate::db::Db;

/// More awaits than any saga has.
const POLLS_MAX: usize = 10_000;

/// A saga on trial. Each question is asked of as many sagas as it takes, all in one world. Its futures are boxed, because
/// those of a saga with all its peers within would not fit on the stack of a test.
pub struct Trial<S: Saga, A, P> {
    db: Db,
    script: Script,
    runner: Runner<Faulty<S>>,
    accept: A,
    probe: P,
}

impl<S, A, P, T> Trial<S, A, P>
where
    S: Saga,
    A: AsyncFn(&Runner<Faulty<S>>) -> Started<Faulty<S>>,
    P: AsyncFn(Uuid) -> T,
    T: PartialEq + Debug,
{
    /// `factory` builds the saga as its own runner does; `accept` starts one that will succeed; `probe` tells what the
    /// world holds because of a saga, without ids.
    pub fn new(
        db: &Db,
        factory: impl Fn(Ticket, S::State) -> S + Send + Sync + 'static,
        accept: A,
        probe: P,
    ) -> Trial<S, A, P> {
        let script = Script::default();
        let settings = Settings {
            step_tries: 4,
            undo_tries: 4,
            delay_first: Duration::from_millis(1),
            delay_max: Duration::from_millis(4),
            ..Settings::default()
        };
        let runner = Runner::new(db, "trial", settings, {
            let script = script.clone();
            move |ticket, state| Faulty { saga: factory(ticket, state), script: script.clone() }
        });
        Trial { db: db.clone(), script, runner, accept, probe }
    }

    /// The answer to any step gets lost after the work was done, and any step is not heard at first: it is asked again,
    /// and the saga completes as if nothing had happened.
    pub async fn lost_answers_change_nothing(&self) {
        let whole = self.whole().await;
        for step in 0..S::STEPS.len() {
            for faults in [&[Fault::Lost, Fault::Lost][..], &[Fault::Silent, Fault::Lost], &[Fault::Silent]] {
                self.script.set(&[(step, Direction::Run, faults, false)]);
                let (outcome, left) = self.drive().await;
                assert_eq!(outcome, Outcome::Completed, "{:?} {faults:?}", S::STEPS[step]);
                assert_eq!(left, whole, "{:?} {faults:?} left something else", S::STEPS[step]);
            }
        }
    }

    /// Any step up to the pivot is refused, at once or after it was done and its answer got lost; or it is never heard
    /// again: everything is given back, also where the answer to a compensation gets lost.
    pub async fn refusals_leave_nothing(&self) {
        let nothing = self.nothing().await;
        for step in 0..=pivot::<S>() {
            // What the pivot did cannot be taken back: it is only refused before it is done.
            let faults: &[&[Fault]] = match step < pivot::<S>() {
                true => &[&[Fault::Refused], &[Fault::Lost, Fault::Refused], &[Fault::Silent]],
                false => &[&[Fault::Refused]],
            };
            for faults in faults {
                for undone in 0..=step {
                    for undo in [&[][..], &[Fault::Lost], &[Fault::Silent, Fault::Lost]] {
                        self.script.set(&[
                            (step, Direction::Run, faults, true),
                            (undone, Direction::Undo, undo, false),
                        ]);
                        let (outcome, left) = self.drive().await;
                        let told = format!(
                            "{:?} {faults:?}, undoing {:?} {undo:?}",
                            S::STEPS[step],
                            S::STEPS[undone]
                        );
                        assert!(matches!(outcome, Outcome::Compensated(_)), "{told}: {outcome:?}");
                        assert_eq!(left, nothing, "{told} left something");
                    }
                }
            }
        }
    }

    /// A compensation is refused: the others are carried out all the same, and an operator is asked; once they let it try
    /// again, nothing is left.
    pub async fn a_compensation_that_fails_stops_no_other(&self) {
        let nothing = self.nothing().await;
        let last = pivot::<S>();
        for step in 0..last {
            self.script.set(&[
                (last, Direction::Run, &[Fault::Refused], true),
                (step, Direction::Undo, &[Fault::Refused], false),
            ]);
            let started = Box::pin((self.accept)(&self.runner)).await;
            let id = started.ticket().saga;
            let outcome = Box::pin(self.runner.drive(started)).await.expect("a database");
            if outcome == Outcome::NeedsAttention {
                let again = self.db.write(async |tx| super::super::retry(tx, id, "trial").await).await;
                again.expect("it needs attention");
                let outcome = Box::pin(self.runner.resume(id)).await.expect("a database");
                assert_eq!(outcome, Outcome::Compensated(refusal()), "{:?}", S::STEPS[step]);
            }
            assert_eq!(
                Box::pin((self.probe)(id)).await,
                nothing,
                "{:?} was not undone, or another",
                S::STEPS[step]
            );
        }
    }

    /// The process dies at any await, and so does the one that takes over: a third one finishes, and what is left is what
    /// would have been; where the saga is refused, nothing.
    pub async fn crashes_change_nothing(&self) {
        let (whole, nothing) = (self.whole().await, self.nothing().await);
        self.script.set(&[]);
        self.dies_everywhere(&Outcome::Completed, &whole).await;
        for step in 0..=pivot::<S>() {
            self.script.set(&[(step, Direction::Run, &[Fault::Refused], true)]);
            self.dies_everywhere(&Outcome::Compensated(refusal()), &nothing).await;
        }
    }

    async fn dies_everywhere(&self, outcome: &Outcome, expected: &T) {
        for polls in 1..POLLS_MAX {
            let started = Box::pin((self.accept)(&self.runner)).await;
            let id = started.ticket().saga;
            let lived =
                cut(polls, Box::pin(self.runner.work(started.log, started.state, None))).await.is_some();
            for polls in [polls / 2, usize::MAX] {
                self.let_lease_run_out(id).await;
                let successor = self.runner.successor();
                // Resumed here and not in a task of its own, so that it dies with its polls.
                let resumed = Box::pin(async {
                    if let Some((log, state)) = successor.claim(id).await.expect("a database") {
                        successor.work(log, state, None).await.expect("a database");
                    }
                });
                cut(polls, resumed).await;
            }
            let ended = self.runner.outcome(id).await.expect("a database");
            assert_eq!(&ended, outcome, "died after {polls} polls");
            assert_eq!(&Box::pin((self.probe)(id)).await, expected, "died after {polls} polls");
            if lived {
                assert!(polls > 2 || *outcome != Outcome::Completed, "a saga waits more often");
                return;
            }
        }
        panic!("it never came to its end");
    }

    /// What a saga leaves that nothing happened to.
    async fn whole(&self) -> T {
        self.script.set(&[]);
        let (outcome, left) = self.drive().await;
        assert_eq!(outcome, Outcome::Completed, "it is to succeed where nothing goes wrong");
        left
    }

    /// What a saga leaves whose first step was refused: it never held anything.
    async fn nothing(&self) -> T {
        let every: Vec<_> =
            (0..S::STEPS.len()).map(|step| (step, Direction::Run, &[Fault::Refused][..], true)).collect();
        self.script.set(&every);
        let (outcome, left) = self.drive().await;
        assert_eq!(outcome, Outcome::Compensated(refusal()));
        left
    }

    async fn drive(&self) -> (Outcome, T) {
        let started = Box::pin((self.accept)(&self.runner)).await;
        let id = started.ticket().saga;
        let outcome = Box::pin(self.runner.drive(started)).await.expect("a database");
        (outcome, Box::pin((self.probe)(id)).await)
    }

    async fn let_lease_run_out(&self, id: Uuid) {
        let sql = "UPDATE saga SET lease_until = 0 WHERE id = $1 AND end_time IS NULL";
        let statement = Statement::from_sql_and_values(self.db.backend(), sql, [id.into()]);
        self.db.execute(statement).await.expect("a database");
    }
}

fn pivot<S: Saga>() -> usize {
    S::STEPS.iter().position(|step| *step == S::PIVOT).unwrap_or(S::STEPS.len())
}

/// Polls a future at most so many times and then drops it, as a crash at an await does. `None`: it was cut.
pub(in crate::saga) async fn cut<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}
