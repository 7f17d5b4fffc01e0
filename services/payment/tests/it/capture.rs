//! Taking promised money.
use contract::payment::v1 as pb;
use contract::payment::v1::payment::State;
use futures::future::join_all;
use tonic::Code;

use super::support::{Shop, an_order, capture, confirmed, gbp, money, pay, refund, refused};

#[tokio::test]
async fn a_confirmed_order_is_captured_once() {
    let shop = Shop::open().await;
    let payment = shop.authorized("tok_visa").await;
    let event = shop.announce(&payment.order, &confirmed(&payment)).await;
    let captured = shop.until(&payment, State::Captured).await;
    assert_eq!(captured.captured, gbp(40));
    shop.announce_again(event).await;
    shop.announce(&payment.order, &confirmed(&payment)).await;
    shop.quiet().await;
    assert_eq!(shop.entries(&payment.order).await, ["authorize", "capture"]);
    let told = shop.announced::<pb::PaymentCaptured>(&payment).await;
    assert_eq!(told.len(), 1);
    assert_eq!(
        (&told[0].order, &told[0].customer, &told[0].amount),
        (&payment.order, &payment.customer, &gbp(40))
    );
    shop.balances().await;
}

#[tokio::test]
async fn a_capture_that_fails_is_tried_again() {
    let shop = Shop::open().await;
    let payment = shop.captured("tok_capture_fails_once").await;
    assert_eq!(shop.entries(&payment.order).await, ["authorize", "capture"]);
    shop.balances().await;
}

#[tokio::test]
async fn an_order_confirmed_at_another_price_is_not_captured() {
    let shop = Shop::open().await;
    let payment = shop.authorized("tok_visa").await;
    let mut event = confirmed(&payment);
    event.total = gbp(4000);
    let id = shop.announce(&payment.order, &event).await;
    let parked = chassis::testing::eventually(async || {
        shop.row("SELECT event_id FROM parked WHERE state = 'PARKED'").await
    })
    .await;
    assert_eq!(parked.try_get_by_index::<uuid::Uuid>(0).unwrap(), id);
    assert_eq!(shop.get(&payment).await.state(), State::Authorized);
}

#[tokio::test]
async fn of_many_confirmed_at_once_all_are_captured_but_the_one_at_another_price() {
    let shop = Shop::open().await;
    let payments = join_all((0..12).map(|_| shop.authorized("tok_visa"))).await;
    let (wrong, right) = payments.split_first().expect("payments");
    let mut event = confirmed(wrong);
    event.total = gbp(4000);
    let others = join_all(right.iter().map(async |payment| {
        shop.announce(&payment.order, &confirmed(payment)).await;
    }));
    tokio::join!(shop.announce(&wrong.order, &event), others);
    for payment in right {
        shop.until(payment, State::Captured).await;
        assert_eq!(shop.announced::<pb::PaymentCaptured>(payment).await.len(), 1);
    }
    assert_eq!(shop.get(wrong).await.state(), State::Authorized);
    shop.balances().await;
}

#[tokio::test]
async fn staff_take_the_money_and_again_changes_nothing() {
    let shop = Shop::open().await;
    let payment = shop.authorized("tok_visa").await;
    let calls = (0..6).map(|_| {
        let (mut finance, request) = (shop.finance(), capture(&payment));
        async move { finance.capture_payment(request).await }
    });
    let answers = join_all(calls).await;
    assert!(answers.iter().any(Result::is_ok));
    for refusal in answers.into_iter().filter_map(Result::err) {
        assert_eq!(refusal.code(), Code::Unavailable, "{refusal:?}");
    }
    let again = shop.finance().capture_payment(capture(&payment)).await.unwrap().into_inner();
    assert_eq!(again.state(), State::Captured);
    assert_eq!(shop.entries(&payment.order).await, ["authorize", "capture"]);
    shop.balances().await;
}

#[tokio::test]
async fn a_capture_that_is_under_way_says_so() {
    let shop = Shop::open().await;
    let payment = shop.authorized("tok_capture_fails_once").await;
    refused(shop.finance().capture_payment(capture(&payment)).await, Code::Unavailable, "PAYMENT_UNDERWAY");
    shop.until(&payment, State::Captured).await;
}

#[tokio::test]
async fn what_was_declined_cannot_be_taken() {
    let shop = Shop::open().await;
    let asked = pay(&an_order(), "tok_declined");
    shop.order().authorize_payment(asked.clone()).await.unwrap_err();
    let payment = shop.until_order(&asked.order, State::Declined).await;
    refused(
        shop.finance().capture_payment(capture(&payment)).await,
        Code::FailedPrecondition,
        "PAYMENT_NOT_AUTHORIZED",
    );
}

#[tokio::test]
async fn two_replicas_ask_the_channel_once() {
    let shop = Shop::open().await;
    let replica = shop.host.process().host("payment");
    replica.serve(payment::serve(replica.host(), payment::Config::default()));
    let mut payments = Vec::new();
    for _ in 0..10 {
        payments.push(shop.authorized("tok_visa").await);
    }
    join_all(payments.iter().map(async |payment| shop.announce(&payment.order, &confirmed(payment)).await))
        .await;
    for payment in &payments {
        shop.until(payment, State::Captured).await;
        assert_eq!(shop.announced::<pb::PaymentCaptured>(payment).await.len(), 1);
    }
    assert_eq!(
        shop.count("SELECT CAST(SUM(tries) AS BIGINT) FROM sandbox_calls WHERE kind = 'CAPTURE'").await,
        10
    );
    shop.balances().await;
}

#[tokio::test]
async fn a_part_is_taken_and_the_rest_let_go() {
    let shop = Shop::open().await;
    let payment = shop.authorized("tok_visa").await;
    let part = |pounds| pb::CapturePaymentRequest { amount: gbp(pounds), ..capture(&payment) };
    for (amount, code, reason) in [
        (gbp(41), Code::FailedPrecondition, "CAPTURE_EXCEEDS_AUTHORIZED"),
        (gbp(0), Code::InvalidArgument, "INVALID_FIELD"),
        (gbp(-1), Code::InvalidArgument, "INVALID_FIELD"),
        (money("EUR", 1), Code::InvalidArgument, "INVALID_FIELD"),
    ] {
        let asked = pb::CapturePaymentRequest { amount, ..capture(&payment) };
        refused(shop.finance().capture_payment(asked).await, code, reason);
    }
    let taken = shop.finance().capture_payment(part(25)).await.unwrap().into_inner();
    assert_eq!(
        (taken.state(), taken.captured.clone(), taken.amount.clone()),
        (State::Captured, gbp(25), gbp(40))
    );
    // As much again, or all there is, changes nothing; another part was not decided.
    for asked in [part(25), capture(&payment)] {
        assert_eq!(shop.finance().capture_payment(asked).await.unwrap().into_inner(), taken);
    }
    refused(shop.finance().capture_payment(part(15)).await, Code::FailedPrecondition, "CAPTURE_DECIDED");
    let held = shop.facts("payment.held").await;
    assert!(held.is_empty(), "the rest is let go: {held:?}");
    assert_eq!(shop.facts("payment.captured").await[0].state, "PARTIAL");
    refused(
        shop.finance().refund_payment(refund(&payment, 26)).await,
        Code::FailedPrecondition,
        "REFUND_EXCEEDS_CAPTURED",
    );
    shop.finance().refund_payment(refund(&payment, 25)).await.unwrap();
    assert_eq!(shop.get(&payment).await.state(), State::Refunded);
    shop.balances().await;
}

#[tokio::test]
async fn two_parts_at_once_are_one() {
    let shop = Shop::open().await;
    for _ in 0..8 {
        let payment = shop.authorized("tok_visa").await;
        let calls = [10, 30].map(|pounds| {
            let asked = pb::CapturePaymentRequest { amount: gbp(pounds), ..capture(&payment) };
            let mut finance = shop.finance();
            async move { finance.capture_payment(asked).await }
        });
        let taken = join_all(calls).await.into_iter().filter(Result::is_ok).count();
        assert!(taken <= 1);
        let payment = shop.until(&payment, State::Captured).await;
        assert!([gbp(10), gbp(30)].contains(&payment.captured), "{payment:?}");
    }
    shop.balances().await;
}
