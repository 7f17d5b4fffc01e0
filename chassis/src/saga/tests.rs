//! A toy checkout against faults: crashes at every await, refusals, silence, repeats and zombies.

mod crash;
mod intervention;
mod toy;
mod trial;

use std::time::Duration;

use tonic::Code;

use self::toy::{Answer, Shop, Step};
use super::log::{Direction, StepOutcome};
use super::{Outcome, Refusal, State, get};

pub(super) fn refusal() -> Refusal {
    Refusal::new(Code::FailedPrecondition, "NO", "toy", "no")
}

#[tokio::test]
async fn every_step_is_done_once_and_the_pivot_ends_the_saga() {
    let shop = Shop::open().await;
    let id = shop.accept().await;
    assert_eq!(shop.drive(id).await, Outcome::Completed);
    shop.assert_completed(id).await;
    let view = get(shop.db.writer(), id).await.unwrap().unwrap();
    assert_eq!(view.state, State::Completed);
    assert_eq!(view.steps.len(), 4);
    assert!(
        view.steps.iter().all(|step| step.outcome == StepOutcome::Done && step.attempt == 1),
        "{view:#?}"
    );
}

#[tokio::test]
async fn a_step_that_is_not_needed_is_neither_done_nor_undone_nor_written_down() {
    let shop = Shop::open().await;
    for unneeded in [vec![Step::Coupon], vec![Step::Stock], vec![Step::Coupon, Step::Stock, Step::Payment]] {
        let needed: Vec<_> = Step::ALL.into_iter().filter(|step| !unneeded.contains(step)).collect();
        let names: Vec<_> = needed.iter().map(|step| format!("{step:?}")).collect();
        let id = shop.accept_without(&unneeded).await;
        let begun = get(shop.db.writer(), id).await.unwrap().unwrap();
        assert!(begun.steps.is_empty(), "the saga's row says that it runs: {begun:?}");
        assert_eq!(shop.drive(id).await, Outcome::Completed);
        let view = get(shop.db.writer(), id).await.unwrap().unwrap();
        assert_eq!(
            view.steps.iter().map(|step| &step.step).collect::<Vec<_>>(),
            names.iter().collect::<Vec<_>>()
        );
        assert_eq!(shop.world(id).held(), &needed[..needed.len() - 1]);

        let id = shop.accept_without(&unneeded).await;
        shop.script(id, Step::Confirm, Direction::Run, [Answer::Refuse]);
        assert_eq!(shop.drive(id).await, Outcome::Compensated(refusal()));
        assert_eq!((shop.world(id).held(), shop.world(id).undone()), (vec![], needed.len() - 1));
    }
    let id = shop.accept_without(&Step::ALL).await;
    assert_eq!(shop.drive(id).await, Outcome::Completed);
}

#[tokio::test]
async fn a_refusal_at_any_step_undoes_what_was_done_and_tells_the_reason() {
    let shop = Shop::open().await;
    for step in Step::ALL {
        let id = shop.accept().await;
        shop.script(id, step, Direction::Run, [Answer::Refuse]);
        assert_eq!(shop.drive(id).await, Outcome::Compensated(refusal()), "{step:?}");
        shop.assert_compensated(id).await;
        assert_eq!(shop.world(id).undone(), Step::ALL.iter().position(|other| *other == step).unwrap());
    }
}

#[tokio::test]
async fn silence_at_any_step_is_asked_again_under_the_same_key() {
    let shop = Shop::open().await;
    for step in Step::ALL {
        for answer in [Answer::Silent, Answer::DoneButSilent] {
            let id = shop.accept().await;
            shop.script(id, step, Direction::Run, [answer, answer]);
            assert_eq!(shop.drive(id).await, Outcome::Completed, "{step:?} {answer:?}");
            shop.assert_completed(id).await;
        }
    }
}

#[tokio::test]
async fn a_step_that_stays_silent_is_given_up_and_undone_because_it_may_have_happened() {
    let shop = Shop::open().await;
    for step in Step::ALL.into_iter().take(3) {
        for answer in [Answer::Silent, Answer::DoneButSilent] {
            let id = shop.accept().await;
            shop.script(id, step, Direction::Run, [answer; 20]);
            let outcome = shop.drive(id).await;
            assert!(
                matches!(outcome, Outcome::Compensated(refusal) if refusal.reason == "SAGA_STEP_UNAVAILABLE")
            );
            shop.assert_compensated(id).await;
        }
    }
}

#[tokio::test]
async fn a_step_that_is_under_way_elsewhere_is_waited_for_however_often() {
    let shop = Shop::open().await;
    for answers in
        [&[Answer::Pending; 30][..], &[Answer::Silent, Answer::Silent, Answer::Pending, Answer::Silent]]
    {
        let id = shop.accept().await;
        shop.script(id, Step::Payment, Direction::Run, answers.iter().copied());
        assert_eq!(shop.drive(id).await, Outcome::Completed);
        shop.assert_completed(id).await;
    }
}

#[tokio::test]
async fn a_step_that_is_still_under_way_at_the_deadline_is_given_up_and_undone() {
    let shop = Shop::open().await;
    let id = shop.accept_within(Duration::from_millis(60)).await;
    shop.script(id, Step::Payment, Direction::Run, [Answer::Pending; 9999]);
    let outcome = shop.drive(id).await;
    assert!(matches!(outcome, Outcome::Compensated(refusal) if refusal.reason == "SAGA_DEADLINE_PASSED"));
    shop.assert_compensated(id).await;
}

#[tokio::test]
async fn a_refusal_of_what_was_under_way_is_undone_too() {
    let shop = Shop::open().await;
    let id = shop.accept().await;
    shop.script(id, Step::Payment, Direction::Run, [Answer::Pending, Answer::Refuse]);
    assert_eq!(shop.drive(id).await, Outcome::Compensated(refusal()));
    assert_eq!(shop.world(id).undone(), 3, "coupon, stock, and what the payment may have left");
}

#[tokio::test]
async fn a_refusal_after_an_attempt_of_unknown_outcome_is_undone_too() {
    let shop = Shop::open().await;
    let id = shop.accept().await;
    shop.script(id, Step::Stock, Direction::Run, [Answer::DoneButSilent, Answer::Refuse]);
    assert_eq!(shop.drive(id).await, Outcome::Compensated(refusal()));
    shop.assert_compensated(id).await;
}

#[tokio::test]
async fn a_compensation_that_fails_does_not_stop_the_others() {
    let shop = Shop::open().await;
    let id = shop.accept().await;
    shop.script(id, Step::Confirm, Direction::Run, [Answer::Refuse]);
    shop.script(id, Step::Payment, Direction::Undo, [Answer::Silent; 99]);
    shop.script(id, Step::Stock, Direction::Undo, [Answer::Refuse]);
    assert_eq!(shop.drive(id).await, Outcome::NeedsAttention);
    assert_eq!(shop.world(id).held(), [Step::Stock, Step::Payment]);
    let view = get(shop.db.writer(), id).await.unwrap().unwrap();
    let error = view.last_error.unwrap();
    assert!(error.contains("Stock") && error.contains("Payment") && !error.contains("Coupon"), "{error}");
}

#[tokio::test]
async fn a_compensation_is_asked_again_until_it_is_done() {
    let shop = Shop::open().await;
    for step in Step::ALL.into_iter().take(3) {
        let id = shop.accept().await;
        shop.script(id, Step::Confirm, Direction::Run, [Answer::Refuse]);
        shop.script(id, step, Direction::Undo, [Answer::Silent, Answer::DoneButSilent, Answer::Silent]);
        assert_eq!(shop.drive(id).await, Outcome::Compensated(refusal()));
        shop.assert_compensated(id).await;
    }
}

#[tokio::test]
async fn past_its_deadline_a_saga_turns_back() {
    let shop = Shop::open().await;
    let id = shop.accept_within(Duration::ZERO).await;
    let outcome = shop.drive(id).await;
    assert!(matches!(outcome, Outcome::Compensated(refusal) if refusal.reason == "SAGA_DEADLINE_PASSED"));
    shop.assert_compensated(id).await;
}

#[tokio::test]
async fn a_remote_pivot_that_stays_silent_is_left_to_an_operator_and_never_compensated() {
    let shop = Shop::open().await;
    let id = shop.accept_remote(Duration::from_millis(50)).await;
    shop.script(id, Step::Payment, Direction::Run, [Answer::DoneButSilent; 999]);
    assert_eq!(shop.drive_remote(id).await, Outcome::NeedsAttention);
    assert_eq!(shop.world(id).held(), [Step::Stock, Step::Payment]);
}

#[tokio::test]
async fn after_the_pivot_a_saga_only_goes_forward() {
    let shop = Shop::open().await;
    let id = shop.accept_remote(Duration::from_secs(60)).await;
    shop.script(id, Step::Confirm, Direction::Run, [Answer::Silent; 9]);
    assert_eq!(shop.drive_remote(id).await, Outcome::Completed);
    let id = shop.accept_remote(Duration::from_secs(60)).await;
    shop.script(id, Step::Confirm, Direction::Run, [Answer::Refuse]);
    assert_eq!(shop.drive_remote(id).await, Outcome::NeedsAttention);
    assert_eq!(shop.world(id).held(), [Step::Stock, Step::Payment]);
}

#[tokio::test]
async fn a_zombie_changes_nothing_once_another_owner_has_the_saga() {
    let shop = Shop::open().await;
    for step in Step::ALL {
        let id = shop.accept().await;
        let gate = shop.world(id).hold_at(step);
        let zombie = tokio::spawn({
            let shop = shop.clone();
            async move { shop.drive(id).await }
        });
        gate.reached().await;
        shop.let_lease_run_out(id).await;
        let other = shop.restarted().await;
        assert_eq!(other.resume(id).await, Outcome::Completed, "{step:?}");
        let before = get(shop.db.writer(), id).await.unwrap().unwrap();
        gate.open();
        assert_eq!(zombie.await.unwrap(), Outcome::Completed);
        let after = get(shop.db.writer(), id).await.unwrap().unwrap();
        assert_eq!(format!("{before:?}"), format!("{after:?}"), "{step:?}");
        shop.assert_completed(id).await;
    }
}

#[tokio::test]
async fn a_zombie_changes_nothing_while_another_owner_is_under_way() {
    // The lease is so long that only the fence can stop the zombie.
    let shop = Shop::with_lease(Duration::from_secs(600)).await;
    for step in Step::ALL {
        let id = shop.accept().await;
        let zombies_gate = shop.world(id).hold_at(step);
        let zombie = tokio::spawn({
            let shop = shop.clone();
            async move { shop.drive(id).await }
        });
        zombies_gate.reached().await;
        shop.let_lease_run_out(id).await;
        let gate = shop.world(id).hold_at(step);
        let other = tokio::spawn({
            let other = shop.restarted().await;
            async move { other.resume(id).await }
        });
        gate.reached().await;
        let before = get(shop.db.writer(), id).await.unwrap().unwrap();
        zombies_gate.open();
        assert_eq!(zombie.await.unwrap(), Outcome::Pending, "{step:?}");
        let after = get(shop.db.writer(), id).await.unwrap().unwrap();
        assert_eq!(format!("{before:?}"), format!("{after:?}"), "{step:?}");
        assert!(!shop.is_confirmed(id).await, "the zombie's pivot is rolled back");
        gate.open();
        assert_eq!(other.await.unwrap(), Outcome::Completed, "{step:?}");
        shop.assert_completed(id).await;
    }
}

#[tokio::test]
async fn a_zombie_stops_in_the_middle_of_a_step_once_it_learns_of_another_owner() {
    let shop = Shop::open().await;
    let id = shop.accept().await;
    let zombies_gate = shop.world(id).hold_at(Step::Stock);
    let zombie = tokio::spawn({
        let shop = shop.clone();
        async move { shop.drive(id).await }
    });
    zombies_gate.reached().await;
    let gate = shop.world(id).hold_at(Step::Stock);
    let other = tokio::spawn({
        let (shop, other) = (shop.clone(), shop.restarted().await);
        async move {
            shop.let_lease_run_out(id).await;
            other.resume(id).await
        }
    });
    gate.reached().await;
    // Its gate never opens.
    let stopped = tokio::time::timeout(Duration::from_secs(5), zombie).await;
    assert_eq!(stopped.unwrap().unwrap(), Outcome::Pending);
    gate.open();
    assert_eq!(other.await.unwrap(), Outcome::Completed);
}

#[tokio::test]
async fn a_live_owner_keeps_its_saga_however_long_a_step_takes() {
    let shop = Shop::open().await;
    let id = shop.accept().await;
    let gate = shop.world(id).hold_at(Step::Stock);
    let owner = tokio::spawn({
        let shop = shop.clone();
        async move { shop.drive(id).await }
    });
    gate.reached().await;
    // Three leases long.
    tokio::time::sleep(toy::LEASE * 3).await;
    let other = shop.restarted().await;
    assert_eq!(other.resume(id).await, Outcome::Pending);
    gate.open();
    assert_eq!(owner.await.unwrap(), Outcome::Completed);
}

#[tokio::test]
async fn a_recovering_process_finishes_what_another_left_behind() {
    let shop = Shop::open().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(shop.accept().await);
    }
    let other = shop.restarted().await;
    let stop = tokio_util::sync::CancellationToken::new();
    let recovery = tokio::spawn({
        let (runner, stop) = (other.runner.clone(), stop.clone());
        async move { runner.recover(stop).await }
    });
    for id in ids {
        let outcome = tokio::time::timeout(Duration::from_secs(20), other.runner.wait(id)).await;
        assert_eq!(outcome.unwrap().unwrap(), Outcome::Completed);
        shop.assert_completed(id).await;
    }
    stop.cancel();
    recovery.await.unwrap();
}

#[tokio::test]
async fn sagas_that_wait_do_not_keep_a_recovering_process_from_others() {
    let shop = Shop::open().await;
    // As many as it works on at once.
    for _ in 0..2 {
        let waits = shop.accept().await;
        shop.script(waits, Step::Stock, Direction::Run, vec![Answer::Pending; 99_999]);
    }
    let id = shop.accept().await;
    let other = shop.restarted().await;
    let stop = tokio_util::sync::CancellationToken::new();
    let recovery = tokio::spawn({
        let (runner, stop) = (other.runner.clone(), stop.clone());
        async move { runner.recover(stop).await }
    });
    let outcome = tokio::time::timeout(Duration::from_secs(20), other.runner.wait(id)).await;
    assert_eq!(outcome.expect("it is worked on").unwrap(), Outcome::Completed);
    stop.cancel();
    recovery.await.unwrap();
}

#[tokio::test]
async fn a_process_that_stops_hands_its_sagas_on_at_once() {
    let shop = Shop::open().await;
    let id = shop.accept().await;
    let gate = shop.world(id).hold_at(Step::Coupon);
    let stop = tokio_util::sync::CancellationToken::new();
    let driven = tokio::spawn({
        let shop = shop.clone();
        async move { shop.drive(id).await }
    });
    gate.reached().await;
    stop.cancel();
    shop.runner.recover(stop).await;
    gate.open();
    assert_eq!(driven.await.unwrap(), Outcome::Pending);
    let other = shop.restarted().await;
    assert_eq!(other.resume(id).await, Outcome::Completed, "no lease to wait for");
    shop.assert_completed(id).await;
}
