//! What every saga's own tests ask of it: steps and compensations that may run twice, and refusals that leave nothing.

use std::fmt::Debug;

use super::{Failure, Saga};

/// Each step, run twice, leaves what it leaves when run once.
///
/// `make` builds a saga in a fresh world; `probe` tells what it sees of that world, without ids.
pub async fn each_step_may_run_twice<S: Saga, T: PartialEq + Debug>(
    make: impl AsyncFn() -> S,
    probe: impl AsyncFn(&S) -> T,
) {
    let mut saga = make().await;
    for step in S::STEPS {
        done(*step, saga.run(*step).await);
    }
    let once = probe(&saga).await;
    for twice in S::STEPS {
        let mut saga = make().await;
        for step in S::STEPS {
            done(*step, saga.run(*step).await);
            if step == twice {
                done(*step, saga.run(*step).await);
            }
        }
        assert_eq!(probe(&saga).await, once, "{twice:?} ran twice and left something else");
    }
}

/// Whichever step up to the pivot is refused, what was done before is undone, and the world is as it was.
///
/// Also when the refused step had happened and only its answer was lost, and when it never arrived.
pub async fn a_refusal_at_any_step_leaves_nothing_held<S: Saga, T: PartialEq + Debug>(
    make: impl AsyncFn() -> S,
    probe: impl AsyncFn(&S) -> T,
) {
    for refused in 0..=pivot::<S>() {
        for ran in [false, true] {
            let mut saga = make().await;
            let before = probe(&saga).await;
            for step in &S::STEPS[..refused] {
                done(*step, saga.run(*step).await);
            }
            // The pivot is never compensated, so it is not run here.
            let from = if refused < pivot::<S>() { refused + 1 } else { refused };
            if ran && refused < pivot::<S>() {
                done(S::STEPS[refused], saga.run(S::STEPS[refused]).await);
            }
            for step in S::STEPS[..from].iter().rev() {
                done(*step, saga.compensate(*step).await);
            }
            let step = S::STEPS[refused];
            assert_eq!(
                probe(&saga).await,
                before,
                "{step:?} was refused (had run: {ran}) and something is held"
            );
        }
    }
}

/// Each compensation, run twice, leaves nothing, like one.
pub async fn each_compensation_may_run_twice<S: Saga, T: PartialEq + Debug>(
    make: impl AsyncFn() -> S,
    probe: impl AsyncFn(&S) -> T,
) {
    for last in 0..pivot::<S>() {
        let mut saga = make().await;
        let before = probe(&saga).await;
        for step in &S::STEPS[..=last] {
            done(*step, saga.run(*step).await);
        }
        for step in S::STEPS[..=last].iter().rev() {
            done(*step, saga.compensate(*step).await);
            done(*step, saga.compensate(*step).await);
        }
        assert_eq!(probe(&saga).await, before, "undone twice up to {:?}", S::STEPS[last]);
    }
}

fn pivot<S: Saga>() -> usize {
    S::STEPS.iter().position(|step| *step == S::PIVOT).unwrap_or(S::STEPS.len())
}

#[track_caller]
fn done(step: impl Debug, result: Result<(), Failure>) {
    if let Err(failure) = result {
        panic!("{step:?} failed: {failure:?}");
    }
}
