//! A process that dies at any await leaves rows that another one finishes from.

use proptest::prelude::*;
use uuid::Uuid;

use super::super::log::{self, Direction};
use super::super::testing::cut;
use super::super::{Outcome, State};
use super::toy::{Answer, LEASE, Shop, Step, Toy};

/// Drives the saga in a process that dies after so many polls. `None`: it died.
async fn drive_and_die(shop: &Shop, id: Uuid, polls: usize) -> Option<Outcome> {
    let started = shop.take(id);
    cut(polls, shop.runner.work(started.log, started.state, None)).await.map(Result::unwrap)
}

/// Takes the saga over in a process that dies after so many polls, also while it takes over.
async fn resume_and_die(shop: &Shop, id: Uuid, polls: usize) -> Option<Outcome> {
    shop.let_lease_run_out(id).await;
    let other = shop.restarted().await;
    let resume = async {
        let claimed =
            shop.db.write(async |tx| log::claim::<Toy<true>>(tx, id, "other", LEASE).await).await.unwrap();
        match claimed {
            None => other.runner.outcome(id).await.unwrap(),
            Some(log) => other.runner.work(log, Vec::new(), None).await.unwrap(),
        }
    };
    cut(polls, resume).await
}

async fn finish(shop: &Shop, id: Uuid) -> Outcome {
    shop.let_lease_run_out(id).await;
    shop.restarted().await.resume(id).await
}

async fn dies_at_every_await(script: impl Fn(&Shop, Uuid)) -> Vec<Outcome> {
    let shop = Shop::open().await;
    let mut outcomes = Vec::new();
    for polls in 1..2000 {
        let id = shop.accept().await;
        script(&shop, id);
        let whole = drive_and_die(&shop, id, polls).await;
        let outcome = finish(&shop, id).await;
        match &outcome {
            Outcome::Completed => shop.assert_completed(id).await,
            Outcome::Compensated(_) => shop.assert_compensated(id).await,
            Outcome::NeedsAttention | Outcome::Pending => panic!("{outcome:?} after {polls} polls"),
        }
        outcomes.push(outcome);
        if whole.is_some() {
            assert!(polls > 3, "too few awaits to be true: {polls}");
            return outcomes;
        }
    }
    panic!("it never came to its end");
}

#[tokio::test]
async fn what_a_dead_process_may_have_begun_is_undone_although_it_wrote_nothing_down() {
    let shop = Shop::open().await;
    let mut undone = 0;
    for polls in 1..2000 {
        let id = shop.accept().await;
        let whole = drive_and_die(&shop, id, polls).await;
        shop.let_deadline_pass(id).await;
        match finish(&shop, id).await {
            // It had passed its pivot.
            Outcome::Completed => shop.assert_completed(id).await,
            Outcome::Compensated(refusal) => {
                assert_eq!(refusal.reason, "SAGA_DEADLINE_PASSED");
                shop.assert_compensated(id).await;
                undone = undone.max(shop.world(id).undone());
            }
            outcome @ (Outcome::NeedsAttention | Outcome::Pending) => {
                panic!("{outcome:?} after {polls} polls")
            }
        }
        if whole.is_some() {
            assert_eq!(undone, 3, "it never died with all of it in hand");
            return;
        }
    }
    panic!("it never came to its end");
}

#[tokio::test]
async fn a_crash_at_any_await_of_a_good_order_loses_nothing() {
    let outcomes = dies_at_every_await(|_, _| {}).await;
    assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Completed));
}

#[tokio::test]
async fn a_crash_at_any_await_of_a_refused_order_leaves_nothing_held() {
    for step in Step::ALL {
        let refused = |shop: &Shop, id| shop.script(id, step, Direction::Run, [Answer::Refuse; 99]);
        let outcomes = dies_at_every_await(refused).await;
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Compensated(_))));
    }
}

#[tokio::test]
async fn what_a_dead_process_may_have_begun_is_undone_although_its_repeat_is_refused() {
    for step in [Step::Coupon, Step::Stock, Step::Payment] {
        let shop = Shop::open().await;
        let id = shop.accept().await;
        let gate = shop.world(id).hold_at(Step::Confirm);
        tokio::select! {
            _ = drive_and_die(&shop, id, usize::MAX) => panic!("it passed a closed gate"),
            () = gate.reached() => {}
        }
        shop.script(id, step, Direction::Run, [Answer::Refuse]);
        assert!(matches!(finish(&shop, id).await, Outcome::Compensated(_)));
        shop.assert_compensated(id).await;
    }
}

#[tokio::test]
async fn a_step_that_kills_its_process_each_time_is_given_up() {
    let shop = Shop::open().await;
    let id = shop.accept().await;
    let gate = shop.world(id).hold_at(Step::Payment);
    let dying = tokio::time::timeout(LEASE, drive_and_die(&shop, id, usize::MAX));
    assert!(dying.await.is_err());
    drop(gate);
    for _ in 0..20 {
        let _gate = shop.world(id).hold_at(Step::Payment);
        let died = tokio::time::timeout(LEASE / 3, resume_and_die(&shop, id, usize::MAX)).await;
        if let Ok(Some(outcome)) = died {
            panic!("ended while the step kills: {outcome:?}");
        }
        let row = log::find(shop.db.writer(), id).await.unwrap().unwrap();
        if row.state == State::Compensating {
            // The gate now stands in the compensation's way; it is taken down.
            let _ = shop.world(id).hold_at(Step::Confirm);
            assert!(matches!(finish(&shop, id).await, Outcome::Compensated(_)));
            return;
        }
    }
    panic!("never given up");
}

fn answers() -> impl Strategy<Value = Vec<Answer>> {
    let answer = prop_oneof![Just(Answer::Refuse), Just(Answer::Silent), Just(Answer::DoneButSilent)];
    proptest::collection::vec(answer, 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn whatever_goes_wrong_it_ends_and_the_books_balance(
        runs in proptest::collection::vec(answers(), 4),
        undos in proptest::collection::vec(answers(), 4),
        deaths in proptest::collection::vec(1usize..60, 0..5),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let shop = Shop::open().await;
            let id = shop.accept().await;
            for (step, (run, undo)) in Step::ALL.into_iter().zip(runs.into_iter().zip(undos)) {
                shop.script(id, step, Direction::Run, run);
                shop.script(id, step, Direction::Undo, undo);
            }
            let mut deaths = deaths.into_iter();
            if let Some(polls) = deaths.next() {
                drive_and_die(&shop, id, polls).await;
            }
            for polls in deaths {
                resume_and_die(&shop, id, polls).await;
            }
            match finish(&shop, id).await {
                Outcome::Completed => shop.assert_completed(id).await,
                Outcome::Compensated(_) => shop.assert_compensated(id).await,
                Outcome::NeedsAttention => shop.assert_attention(id).await,
                Outcome::Pending => panic!("still pending"),
            }
        });
    }
}
