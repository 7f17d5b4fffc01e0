//! What an operator can do about a saga that cannot help itself.

use std::time::Duration;

use uuid::Uuid;

use super::super::log::Direction;
use super::super::{Filter, Intervention, Outcome, State, compensate, get, list, retry, skip};
use super::toy::{Answer, Shop, Step, Toy};

async fn stuck_while_undoing(shop: &Shop) -> Uuid {
    let id = shop.accept().await;
    shop.script(id, Step::Confirm, Direction::Run, [Answer::Refuse]);
    shop.script(id, Step::Stock, Direction::Undo, [Answer::Refuse]);
    assert_eq!(shop.drive(id).await, Outcome::NeedsAttention);
    id
}

#[tokio::test]
async fn a_stuck_compensation_is_done_when_an_operator_lets_it_try_again() {
    let shop = Shop::open().await;
    let id = stuck_while_undoing(&shop).await;
    shop.db.write(async |tx| retry(tx, id, "users/7").await).await.unwrap();
    assert!(matches!(shop.resume(id).await, Outcome::Compensated(_)));
    assert_eq!(shop.world(id).held(), []);
    let view = get(shop.db.writer(), id).await.unwrap().unwrap();
    let operator = view.steps.iter().find(|step| step.direction == Direction::Operator).unwrap();
    assert_eq!((operator.step.as_str(), operator.error.as_deref()), ("retry", Some("users/7")));
    shop.assert_log(id, State::Compensated).await;
}

#[tokio::test]
async fn what_was_settled_by_hand_is_skipped() {
    let shop = Shop::open().await;
    let id = stuck_while_undoing(&shop).await;
    shop.db.write(async |tx| skip(tx, id, "users/7").await).await.unwrap();
    assert!(matches!(shop.resume(id).await, Outcome::Compensated(_)));
    assert_eq!(shop.world(id).held(), [Step::Stock], "the operator has seen to it");
}

#[tokio::test]
async fn a_step_settled_by_hand_after_the_pivot_lets_the_saga_complete() {
    let shop = Shop::open().await;
    let id = shop.accept_remote(Duration::from_secs(60)).await;
    shop.script(id, Step::Confirm, Direction::Run, [Answer::Refuse]);
    assert_eq!(shop.drive_remote(id).await, Outcome::NeedsAttention);
    let turned = shop.db.write(async |tx| compensate::<Toy<false>>(tx, id, "users/7").await).await;
    assert!(matches!(turned, Err(Intervention::PivotPassed(_))));
    shop.db.write(async |tx| skip(tx, id, "users/7").await).await.unwrap();
    assert_eq!(shop.resume_remote(id).await, Outcome::Completed);
}

#[tokio::test]
async fn an_operator_turns_back_a_saga_whose_pivot_stayed_silent() {
    let shop = Shop::open().await;
    let id = shop.accept_remote(Duration::ZERO).await;
    shop.script(id, Step::Payment, Direction::Run, [Answer::Silent; 9]);
    shop.script(id, Step::Stock, Direction::Run, []);
    let outcome = shop.drive_remote(id).await;
    assert!(matches!(outcome, Outcome::Compensated(_)), "past its deadline before the pivot: {outcome:?}");

    let id = shop.accept_remote(Duration::from_millis(100)).await;
    shop.script(id, Step::Payment, Direction::Run, [Answer::Silent; 999]);
    assert_eq!(shop.drive_remote(id).await, Outcome::NeedsAttention);
    shop.db.write(async |tx| compensate::<Toy<false>>(tx, id, "users/7").await).await.unwrap();
    assert!(matches!(shop.resume_remote(id).await, Outcome::Compensated(_)));
    assert_eq!(shop.world(id).held(), []);
}

#[tokio::test]
async fn a_saga_that_helps_itself_is_not_touched() {
    let shop = Shop::open().await;
    let id = shop.accept().await;
    for state in [State::Running, State::Completed] {
        let refused = shop.db.write(async |tx| retry(tx, id, "users/7").await).await;
        assert!(matches!(refused, Err(Intervention::NeedsNone { state: seen, .. }) if seen == state));
        if state == State::Running {
            shop.drive(id).await;
        }
    }
    let unknown = shop.db.write(async |tx| skip(tx, Uuid::now_v7(), "users/7").await).await;
    assert!(matches!(unknown, Err(Intervention::NotFound(_))));
}

#[tokio::test]
async fn sagas_are_listed_by_state_and_page_newest_first() {
    let shop = Shop::open().await;
    let stuck = [stuck_while_undoing(&shop).await, stuck_while_undoing(&shop).await];
    let done = shop.accept().await;
    shop.drive(done).await;
    let filter =
        Filter { state: Some(State::NeedsAttention), kind: Some("toy".to_owned()), ..Filter::default() };
    let first = list(shop.db.writer(), &filter, None, 1).await.unwrap();
    let second = list(shop.db.writer(), &filter, Some(first[0].id), 10).await.unwrap();
    assert_eq!([first[0].id], [stuck[1]]);
    assert_eq!(second.iter().map(|view| view.id).collect::<Vec<_>>(), [stuck[0]]);
    let all = list(shop.db.writer(), &Filter::default(), None, 10).await.unwrap();
    assert_eq!(all.len(), 3);
}
