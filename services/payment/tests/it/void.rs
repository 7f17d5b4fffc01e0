//! Giving promised money up.
use contract::payment::v1 as pb;
use contract::payment::v1::payment::State;
use futures::future::join;
use tonic::Code;

use super::support::{Shop, a_request, an_order, capture, pay, refused, void};

#[tokio::test]
async fn promised_money_is_given_up() {
    let shop = Shop::open().await;
    let payment = shop.authorized("tok_visa").await;
    for _ in 0..2 {
        let voided = shop.order().void_payment(void(&payment.order)).await.unwrap().into_inner();
        assert_eq!(voided.state(), State::Voided);
    }
    assert_eq!(shop.entries(&payment.order).await, ["authorize", "void"]);
    assert_eq!(shop.announced::<pb::PaymentVoided>(&payment).await.len(), 1);
    refused(
        shop.finance().capture_payment(capture(&payment)).await,
        Code::FailedPrecondition,
        "PAYMENT_VOIDED",
    );
    shop.balances().await;
}

#[tokio::test]
async fn giving_up_first_wins_over_an_authorization_that_comes_late() {
    let shop = Shop::open().await;
    let order = an_order();
    for _ in 0..2 {
        refused(shop.order().void_payment(void(&order)).await, Code::NotFound, "PAYMENT_NOT_FOUND");
    }
    refused(
        shop.order().authorize_payment(pay(&order, "tok_visa")).await,
        Code::FailedPrecondition,
        "PAYMENT_VOIDED",
    );
    assert_eq!(shop.count("SELECT COUNT(*) FROM payments").await, 0);
    assert_eq!(shop.count("SELECT COUNT(*) FROM sandbox_calls").await, 0);
}

#[tokio::test]
async fn an_unknown_outcome_is_given_up_whatever_it_was() {
    let shop = Shop::open().await;
    for token in ["tok_timeout", "tok_unavailable_once"] {
        let asked = pay(&an_order(), token);
        assert_eq!(
            shop.order().authorize_payment(asked.clone()).await.unwrap_err().code(),
            Code::Unavailable
        );
        // The till may just have found out what happened: then it is voided all the same.
        let voided = loop {
            match shop.order().void_payment(void(&asked.order)).await {
                Ok(voided) => break voided.into_inner(),
                Err(busy) => assert_eq!(busy.code(), Code::Unavailable, "{busy:?}"),
            }
        };
        assert_eq!(voided.state(), State::Voided);
        refused(shop.order().authorize_payment(asked).await, Code::FailedPrecondition, "PAYMENT_VOIDED");
    }
    shop.quiet().await;
    shop.balances().await;
}

#[tokio::test]
async fn money_that_was_taken_cannot_be_given_up() {
    let shop = Shop::open().await;
    let payment = shop.captured("tok_visa").await;
    refused(
        shop.order().void_payment(void(&payment.order)).await,
        Code::FailedPrecondition,
        "PAYMENT_CAPTURED",
    );
}

#[tokio::test]
async fn nothing_is_held_of_a_declined_payment() {
    let shop = Shop::open().await;
    let asked = pay(&an_order(), "tok_declined");
    shop.order().authorize_payment(asked.clone()).await.unwrap_err();
    let payment = shop.order().void_payment(void(&asked.order)).await.unwrap().into_inner();
    assert_eq!(payment.state(), State::Declined);
}

#[tokio::test]
async fn giving_up_and_authorizing_at_once_leave_nothing_held() {
    let shop = Shop::open().await;
    for _ in 0..20 {
        let asked = pay(&an_order(), "tok_visa");
        let giving_up = pb::VoidPaymentRequest { order: asked.order.clone(), request_id: a_request() };
        let (mut one, mut other) = (shop.order(), shop.order());
        let (_, voided) = join(one.authorize_payment(asked.clone()), other.void_payment(giving_up)).await;
        if let Err(refusal) = voided {
            assert!(matches!(refusal.code(), Code::NotFound | Code::Unavailable), "{refusal:?}");
        }
    }
    shop.quiet().await;
    assert_eq!(shop.count("SELECT COUNT(*) FROM payments WHERE state NOT IN ('VOIDED')").await, 0);
    assert!(shop.facts("payment.held").await.is_empty());
    shop.balances().await;
}
