//! Checkouts that cannot finish by themselves, and what operators do about them.

use contract::order::v1 as pb;
use pb::order::State as OrderState;
use pb::saga::State;
use tonic::{Code, Response};

use crate::support::*;

/// An order whose stock could not be given back after its payment was declined.
async fn stuck(shop: &Shop) -> pb::Saga {
    shop.world.fault("AuthorizePayment", Fault::Refuse(Code::FailedPrecondition, "PAYMENT_DECLINED"));
    shop.world.fault("ReleaseReservation", Fault::Refuse(Code::PermissionDenied, "NOT_TODAY"));
    let order = shop.place(two_cups()).await.unwrap();
    assert_eq!(order.state(), OrderState::Placed, "it is neither confirmed nor undone");
    let request = pb::ListSagasRequest { state: State::NeedsAttention.into(), ..Default::default() };
    let saga = operator(shop).list_sagas(request).await.unwrap().into_inner().sagas.remove(0);
    assert_eq!((saga.kind.as_str(), saga.subject.as_str()), ("checkout", order.name.as_str()));
    saga
}

fn operator(shop: &Shop) -> Orders {
    shop.staff(&["saga.intervene"])
}

async fn get(shop: &Shop, saga: &pb::Saga) -> pb::Saga {
    operator(shop).get_saga(pb::GetSagaRequest { name: saga.name.clone() }).await.unwrap().into_inner()
}

#[tokio::test]
async fn a_finished_checkout_shows_each_step() {
    let shop = Shop::start().await;
    let order = shop.confirmed().await;
    let saga = pb::Saga { name: order.name.replace("orders/", "sagas/"), ..Default::default() };
    let saga = get(&shop, &saga).await;
    assert_eq!((saga.state(), saga.subject.as_str()), (State::Completed, order.name.as_str()));
    let steps: Vec<_> = saga.steps.iter().map(|step| (step.step.as_str(), step.outcome.as_str())).collect();
    // Without a coupon there is nothing to redeem, and nothing is written about it.
    let done = ["ReserveStock", "AuthorizePayment", "Confirm"].map(|step| (step, "DONE"));
    assert_eq!(steps, done);
    assert!(saga.end_time.is_some() && saga.retry_time.is_none());
    let refusal = operator(&shop).retry_saga(pb::RetrySagaRequest { name: saga.name }).await.unwrap_err();
    assert_eq!(
        (refusal.code(), reason(&refusal).as_str()),
        (Code::FailedPrecondition, "SAGA_NEEDS_NO_ATTENTION")
    );
}

#[tokio::test]
async fn a_checkout_that_cannot_give_back_waits_for_an_operator_who_retries() {
    let shop = Shop::start().await;
    let saga = stuck(&shop).await;
    assert!(saga.last_error.contains("ReserveStock"), "{}", saga.last_error);
    let order = shop.get(&saga.subject).await;
    operator(&shop).retry_saga(pb::RetrySagaRequest { name: saga.name.clone() }).await.unwrap();
    let order = shop.until(&order, OrderState::Cancelled).await;
    assert_eq!((order.cancel_reason.as_str(), shop.world.held()), ("PAYMENT_DECLINED", (0, 0, 0)));
    assert_eq!(get(&shop, &saga).await.state(), State::Compensated);
    shop.audit().await;
}

#[tokio::test]
async fn an_operator_may_settle_a_step_by_hand() {
    let shop = Shop::start().await;
    let saga = stuck(&shop).await;
    let order = shop.get(&saga.subject).await;
    let skip = pb::SkipSagaStepRequest { name: saga.name.clone(), reason: "Released by hand".into() };
    operator(&shop).skip_saga_step(skip).await.unwrap();
    shop.until(&order, OrderState::Cancelled).await;
    assert_eq!(shop.world.held(), (0, 2, 0), "the operator said so");
    let steps = get(&shop, &saga).await.steps;
    assert!(steps.iter().any(|step| step.error.contains("Released by hand")));
    assert!(steps.iter().any(|step| step.outcome == "SKIPPED"));
}

#[tokio::test]
async fn an_operator_may_turn_a_checkout_back() {
    let shop = Shop::start().await;
    let saga = stuck(&shop).await;
    let order = shop.get(&saga.subject).await;
    let back = pb::CompensateSagaRequest { name: saga.name.clone(), reason: "Stuck".into() };
    operator(&shop).compensate_saga(back).await.unwrap();
    // A refused compensation is not asked again but by a retry: it still needs attention, or is done.
    let saga = chassis::testing::eventually(async || {
        Some(get(&shop, &saga).await)
            .filter(|saga| !matches!(saga.state(), State::Running | State::Compensating))
    })
    .await;
    if saga.state() == State::NeedsAttention {
        operator(&shop).retry_saga(pb::RetrySagaRequest { name: saga.name.clone() }).await.unwrap();
    }
    shop.until(&order, OrderState::Cancelled).await;
    assert_eq!(shop.world.held(), (0, 0, 0));
}

#[tokio::test]
async fn sagas_are_listed_the_newest_first_and_for_operators_only() {
    let shop = Shop::start().await;
    let (first, second) = (shop.confirmed().await, shop.confirmed().await);
    let mut request = pb::ListSagasRequest { page_size: 1, ..Default::default() };
    let mut operator = operator(&shop);
    let page = operator.list_sagas(request.clone()).await.map(Response::into_inner).unwrap();
    request.page_token = page.next_page_token;
    let next = operator.list_sagas(request.clone()).await.map(Response::into_inner).unwrap();
    assert_eq!((&page.sagas[0].subject, &next.sagas[0].subject), (&second.name, &first.name));
    assert_eq!(next.next_page_token, "");
    let refusal = shop.customer("users/ada").list_sagas(request).await.unwrap_err();
    assert_eq!(refusal.code(), Code::PermissionDenied);
    let absent = pb::GetSagaRequest { name: format!("sagas/{}", uuid::Uuid::now_v7()) };
    assert_eq!(operator.get_saga(absent).await.unwrap_err().code(), Code::NotFound);
}
