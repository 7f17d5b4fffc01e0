//! The same request again: one order, one answer.

use std::sync::Arc;

use chassis::testing::eventually;
use contract::order::v1 as pb;
use pb::order::State;
use tokio::sync::Notify;
use tonic::Code;

use crate::support::*;

#[tokio::test]
async fn the_same_request_gets_the_first_answer() {
    let shop = Shop::start().await;
    shop.world.cart("carts/1", &[(CUP, 2)], "");
    let request = pb::PlaceOrderRequest { cart: "carts/1".into(), ..buy(&[], gbp(2850)) };
    let first = shop.place(request.clone()).await.unwrap();
    shop.announce(&first.name, &dispatched(&first)).await;
    shop.until(&first, State::Shipped).await;
    // Neither what happened since nor that the cart is closed and dearer by now changes the answer.
    shop.world.facts().carts.get_mut("carts/1").unwrap().set_state(contract::cart::v1::cart::State::Ordered);
    shop.world.facts().variants.get_mut(CUP).unwrap().price = Some(gbp(9999));
    assert_eq!(shop.place(request).await.unwrap(), first);
    assert_eq!(shop.world.held(), (0, 2, 1));
}

#[tokio::test]
async fn a_declined_order_stays_declined_for_the_same_request() {
    let shop = Shop::start().await;
    shop.world.fault("AuthorizePayment", Fault::Refuse(Code::FailedPrecondition, "PAYMENT_DECLINED"));
    let request = two_cups();
    let first = shop.place(request.clone()).await.unwrap();
    assert_eq!(first.state(), State::Cancelled);
    assert_eq!(shop.place(request).await.unwrap(), first);
}

#[tokio::test]
async fn an_id_used_for_another_request_is_refused() {
    let shop = Shop::start().await;
    let request = two_cups();
    shop.place(request.clone()).await.unwrap();
    for other in [buy(&[(CUP, 3)], gbp(4100)), buy(&[(GONE, 1)], gbp(1))] {
        let other = pb::PlaceOrderRequest { request_id: request.request_id.clone(), ..other };
        let refusal = shop.place(other).await.unwrap_err();
        assert_eq!((refusal.code(), reason(&refusal).as_str()), (Code::AlreadyExists, "REQUEST_ID_REUSED"));
    }
}

#[tokio::test]
async fn a_request_that_is_still_carried_out_is_not_begun_again() {
    let shop = Arc::new(Shop::start().await);
    let until = Arc::new(Notify::new());
    shop.world.fault("AuthorizePayment", Fault::Hold(until.clone()));
    let request = two_cups();
    let (first, meanwhile) = tokio::join!(shop.place(request.clone()), async {
        eventually(async || (shop.world.held().1 == 2).then_some(())).await;
        let meanwhile = shop.place(request.clone()).await;
        until.notify_one();
        meanwhile
    });
    let meanwhile = meanwhile.unwrap_err();
    assert_eq!((meanwhile.code(), reason(&meanwhile).as_str()), (Code::Aborted, "REQUEST_IN_FLIGHT"));
    let first = first.unwrap();
    assert_eq!(first.state(), State::Confirmed);
    assert_eq!(shop.place(request).await.unwrap(), first);
}

#[tokio::test]
async fn of_many_equal_requests_at_once_one_becomes_an_order() {
    let shop = Shop::start().await;
    let request = two_cups();
    let all = futures::future::join_all((0..8).map(|_| shop.place(request.clone()))).await;
    for answer in all {
        match answer {
            Ok(order) => assert_eq!(order.state(), State::Confirmed),
            Err(refusal) => assert_eq!(reason(&refusal), "REQUEST_IN_FLIGHT"),
        }
    }
    assert_eq!(shop.count("SELECT COUNT(*) FROM orders").await, 1);
    assert_eq!(shop.world.held(), (0, 2, 1));
}

#[tokio::test]
async fn another_customer_may_use_the_same_id() {
    let shop = Shop::start().await;
    let request = two_cups();
    let first = shop.place(request.clone()).await.unwrap();
    let second = shop.customer("users/bob").place_order(request).await.unwrap().into_inner();
    assert_ne!(first.name, second.name);
    assert_eq!((second.customer.as_str(), second.state()), ("users/bob", State::Confirmed));
}

#[tokio::test]
async fn an_order_that_takes_too_long_is_answered_as_placed_and_ends_by_itself() {
    let shop = Shop::start().await;
    let until = Arc::new(Notify::new());
    shop.world.fault("AuthorizePayment", Fault::Hold(until.clone()));
    let mut request = tonic::Request::new(two_cups());
    request.set_timeout(std::time::Duration::from_millis(1500));
    let order = shop.customer("users/ada").place_order(request).await.unwrap().into_inner();
    assert_eq!(order.state(), State::Placed);
    until.notify_one();
    shop.until(&order, State::Confirmed).await;
}

#[tokio::test]
async fn a_cancellation_repeated_gets_the_same_answer() {
    let shop = Shop::start().await;
    let order = shop.confirmed().await;
    let request = cancel(&order);
    let first = shop.customer("users/ada").cancel_order(request.clone()).await.unwrap().into_inner();
    let again = shop.customer("users/ada").cancel_order(request).await.unwrap().into_inner();
    assert_eq!(first, again);
    assert_eq!(first.shipping_address, Some(address()));
    assert_eq!(shop.count("SELECT COUNT(*) FROM requests WHERE reply IS NULL").await, 0);
}
