//! Cancelling: at once, while the checkout runs, or not any more.

use std::sync::Arc;

use chassis::testing::eventually;
use contract::order::v1 as pb;
use pb::order::{PaymentState, State};
use tokio::sync::Notify;
use tonic::Code;

use crate::support::*;

#[tokio::test]
async fn a_confirmed_order_is_cancelled_and_everyone_is_told_to_give_back() {
    let shop = Shop::start().await;
    let order = shop.confirmed().await;
    let cancelled = shop.customer("users/ada").cancel_order(cancel(&order)).await.unwrap().into_inner();
    assert_eq!(
        (cancelled.state(), cancelled.cancel_reason.as_str()),
        (State::Cancelled, "CANCELLED_BY_CUSTOMER")
    );
    let last = cancelled.history.last().unwrap();
    assert_eq!((last.actor.as_str(), last.reason.as_str()), ("customers", "Changed my mind"));
    assert_eq!(
        cancelled.payment_state(),
        PaymentState::Authorized,
        "until payment says that it gave the money up"
    );
    let said = shop.said::<pb::OrderCancelled>(&order.name).await;
    assert_eq!(said.len(), 1);
    assert!(said[0].confirmed);
    assert_eq!((&said[0].payment, &said[0].total), (&order.payment, &order.total));
    assert_eq!(
        shop.count("SELECT COUNT(*) FROM order_events WHERE payload LIKE '%Changed my mind%'").await,
        0
    );
    let again = shop.customer("users/ada").cancel_order(cancel(&order)).await.unwrap().into_inner();
    assert_eq!(again, cancelled, "cancelling again changes nothing");
    assert_eq!(shop.said::<pb::OrderCancelled>(&order.name).await.len(), 1);
    shop.audit().await;
}

#[tokio::test]
async fn a_shipped_order_cannot_be_cancelled() {
    let shop = Shop::start().await;
    for order in [shop.shipped().await, shop.delivered().await] {
        let refusal = shop.customer("users/ada").cancel_order(cancel(&order)).await.unwrap_err();
        assert_eq!(
            (refusal.code(), reason(&refusal).as_str()),
            (Code::FailedPrecondition, "ORDER_NOT_CANCELLABLE")
        );
    }
}

#[tokio::test]
async fn an_order_cancelled_while_it_is_carried_out_gives_everything_back() {
    let shop = Shop::start().await;
    let until = Arc::new(Notify::new());
    shop.world.fault("AuthorizePayment", Fault::Hold(until.clone()));
    let (placed, cancelled) = tokio::join!(shop.place(two_cups()), async {
        let order = eventually(async || shop.orders_of("users/ada").await.pop()).await;
        eventually(async || (shop.world.held().1 == 2).then_some(())).await;
        let (cancelled, ()) = tokio::join!(
            async {
                shop.customer("users/ada").cancel_order(cancel(&order)).await.map(tonic::Response::into_inner)
            },
            async {
                let asked = "SELECT COUNT(*) FROM order_events WHERE type = 'CancellationRequested'";
                eventually(async || (shop.count(asked).await == 1).then_some(())).await;
                until.notify_one();
            }
        );
        cancelled
    });
    for order in [placed.unwrap(), cancelled.unwrap()] {
        assert_eq!(
            (order.state(), order.cancel_reason.as_str()),
            (State::Cancelled, "CANCELLED_BY_CUSTOMER")
        );
    }
    assert_eq!(shop.world.held(), (0, 0, 0));
    let order = shop.orders_of("users/ada").await.remove(0);
    assert_eq!(order.history.last().unwrap().reason, "Changed my mind");
    assert!(!shop.said::<pb::OrderCancelled>(&order.name).await[0].confirmed);
    shop.audit().await;
}

#[tokio::test]
async fn a_step_that_cannot_be_carried_out_is_not_tried_again_for_a_cancelled_order() {
    let shop = Shop::start().await;
    let until = Arc::new(Notify::new());
    shop.world.fault("ReserveStock", Fault::Hold(until.clone()));
    shop.world.fault("ReserveStock", Fault::Refuse(Code::Unavailable, "AWAY"));
    let (placed, ()) = tokio::join!(shop.place(two_cups()), async {
        let order = eventually(async || shop.orders_of("users/ada").await.pop()).await;
        tokio::join!(
            async { drop(shop.customer("users/ada").cancel_order(cancel(&order)).await.unwrap()) },
            async {
                let asked = "SELECT COUNT(*) FROM order_events WHERE type = 'CancellationRequested'";
                eventually(async || (shop.count(asked).await == 1).then_some(())).await;
                until.notify_one();
            }
        );
    });
    assert_eq!(placed.unwrap().cancel_reason, "CANCELLED_BY_CUSTOMER");
    assert_eq!(shop.world.held(), (0, 0, 0));
}

#[tokio::test]
async fn another_customers_order_is_not_there() {
    let shop = Shop::start().await;
    let order = shop.confirmed().await;
    let absent = format!("orders/{}", uuid::Uuid::now_v7());
    let mut mallory = shop.customer("users/mallory");
    let there = mallory.cancel_order(cancel(&order)).await.unwrap_err();
    let nowhere = mallory
        .cancel_order(cancel(&pb::Order { name: absent.clone(), ..Default::default() }))
        .await
        .unwrap_err();
    assert_eq!((there.code(), reason(&there).as_str()), (Code::NotFound, "ORDER_NOT_FOUND"));
    assert_eq!(there.message().replace(&order.name, &absent), nowhere.message());
    assert_eq!(there.details().len(), nowhere.details().len());
    let there = mallory
        .get_order(pb::GetOrderRequest { name: order.name.clone(), ..Default::default() })
        .await
        .unwrap_err();
    assert_eq!(there.code(), Code::NotFound);
    assert_eq!(shop.get(&order.name).await.state(), State::Confirmed);
}

#[tokio::test]
async fn staff_cancel_for_a_customer_by_their_own_name() {
    let shop = Shop::start().await;
    let order = shop.confirmed().await;
    let refusal = shop.staff(&["order.read.any"]).cancel_order(cancel(&order)).await.unwrap_err();
    assert_eq!(refusal.code(), Code::NotFound);
    let cancelled =
        shop.staff(&["order.cancel.any"]).cancel_order(cancel(&order)).await.unwrap().into_inner();
    assert_eq!(cancelled.cancel_reason, "CANCELLED_BY_STAFF");
    assert!(cancelled.history.last().unwrap().actor.starts_with("users/"));
}

#[tokio::test]
async fn of_two_who_change_an_order_at_once_both_are_told_the_truth() {
    let shop = Shop::start().await;
    let order = shop.confirmed().await;
    let all = futures::future::join_all((0..6).map(|_| async {
        shop.customer("users/ada").cancel_order(cancel(&order)).await.map(tonic::Response::into_inner)
    }));
    for answer in all.await {
        match answer {
            Ok(order) => assert_eq!(order.state(), State::Cancelled),
            Err(refusal) => {
                assert_eq!((refusal.code(), reason(&refusal).as_str()), (Code::Aborted, "ORDER_CHANGED"))
            }
        }
    }
    assert_eq!(shop.said::<pb::OrderCancelled>(&order.name).await.len(), 1);
    shop.audit().await;
}
