//! Having money promised: once, and never by guessing.
use contract::payment::v1 as pb;
use contract::payment::v1::payment::State;
use futures::future::join_all;
use sea_orm::Statement;
use tonic::Code;

use super::support::{ANN, Shop, an_order, gbp, money, pay, refused, void};

#[tokio::test]
async fn the_money_of_an_order_is_promised() {
    let shop = Shop::open().await;
    let payment = shop.authorized("tok_visa").await;
    assert_eq!(payment.state(), State::Authorized);
    assert_eq!((payment.amount.clone(), payment.captured.clone()), (gbp(40), gbp(0)));
    assert_eq!(payment.method_summary, "Visa ending 4242");
    assert!(!payment.channel_reference.is_empty());
    assert_eq!(shop.entries(&payment.order).await, ["authorize"]);
    assert_eq!(shop.announced::<pb::PaymentAuthorized>(&payment).await.len(), 1);
    shop.balances().await;
}

#[tokio::test]
async fn an_order_is_paid_once() {
    let shop = Shop::open().await;
    let asked = pay(&an_order(), "tok_mastercard");
    let first = shop.order().authorize_payment(asked.clone()).await.unwrap().into_inner();
    let again = shop.order().authorize_payment(asked.clone()).await.unwrap().into_inner();
    assert_eq!(first, again);
    let other = pb::AuthorizePaymentRequest { amount: gbp(50), ..asked.clone() };
    refused(shop.order().authorize_payment(other).await, Code::AlreadyExists, "REQUEST_ID_REUSED");
    let under_a_new_id = pay(&asked.order, "tok_visa");
    refused(
        shop.order().authorize_payment(under_a_new_id).await,
        Code::FailedPrecondition,
        "ORDER_ALREADY_PAID",
    );
    assert_eq!(shop.entries(&asked.order).await, ["authorize"]);
    assert_eq!(shop.count("SELECT COUNT(*) FROM sandbox_calls").await, 1);
}

#[tokio::test]
async fn a_resumed_order_asks_for_itself_and_is_still_the_same() {
    let shop = Shop::open().await;
    let asked = pay(&an_order(), "tok_visa");
    let first = shop.order_for(ANN).authorize_payment(asked.clone()).await.unwrap().into_inner();
    let resumed = shop.order().authorize_payment(asked).await.unwrap().into_inner();
    assert_eq!(first, resumed);
}

#[tokio::test]
async fn a_refusal_says_why_and_stays() {
    let shop = Shop::open().await;
    for (token, reason) in [
        ("tok_declined", "CARD_DECLINED"),
        ("tok_insufficient_funds", "INSUFFICIENT_FUNDS"),
        ("tok_of_another_shop", "UNKNOWN_TOKEN"),
    ] {
        let asked = pay(&an_order(), token);
        for _ in 0..2 {
            let refusal = shop.order().authorize_payment(asked.clone()).await;
            let refusal = refused(refusal, Code::FailedPrecondition, "PAYMENT_DECLINED");
            assert_eq!(chassis::status::metadata(&refusal)["decline_reason"], reason);
        }
        let payment = shop.until_order(&asked.order, State::Declined).await;
        assert_eq!(payment.decline_reason, reason);
        let failures = shop.announced::<pb::PaymentFailed>(&payment).await;
        assert_eq!(failures.len(), 1);
        assert_eq!((failures[0].stage.as_str(), failures[0].reason.as_str()), ("authorize", reason));
        assert!(shop.entries(&asked.order).await.is_empty());
    }
    shop.balances().await;
}

#[tokio::test]
async fn no_answer_is_an_unknown_outcome_that_the_same_request_resolves() {
    let shop = Shop::open().await;
    let asked = pay(&an_order(), "tok_timeout");
    refused(shop.order().authorize_payment(asked.clone()).await, Code::Unavailable, "PAYMENT_UNKNOWN");
    let payment = loop {
        match shop.order().authorize_payment(asked.clone()).await {
            Ok(payment) => break payment.into_inner(),
            Err(busy) => assert!(matches!(busy.code(), Code::Aborted | Code::Unavailable), "{busy:?}"),
        }
    };
    assert_eq!(payment.state(), State::Authorized);
    assert_eq!(shop.entries(&asked.order).await, ["authorize"]);
    assert_eq!(shop.count("SELECT tries FROM sandbox_calls").await, 1);
    shop.balances().await;
}

#[tokio::test]
async fn an_unknown_outcome_is_found_out_although_nobody_asks_again() {
    let shop = Shop::open().await;
    for (token, state) in [("tok_timeout", State::Authorized), ("tok_timeout_declined", State::Declined)] {
        let asked = pay(&an_order(), token);
        refused(shop.order().authorize_payment(asked.clone()).await, Code::Unavailable, "PAYMENT_UNKNOWN");
        shop.until_order(&asked.order, state).await;
    }
    shop.quiet().await;
    shop.balances().await;
}

#[tokio::test]
async fn a_channel_that_is_closed_may_be_tried_again() {
    let shop = Shop::open().await;
    let asked = pay(&an_order(), "tok_unavailable_once");
    refused(shop.order().authorize_payment(asked.clone()).await, Code::Unavailable, "CHANNEL_UNAVAILABLE");
    let payment = shop.order().authorize_payment(asked).await.unwrap().into_inner();
    assert_eq!(payment.state(), State::Authorized);
}

#[tokio::test]
async fn the_same_request_many_times_at_once_is_one_payment() {
    let shop = Shop::open().await;
    let asked = pay(&an_order(), "tok_visa");
    let calls = (0..12).map(|_| {
        let (mut order, asked) = (shop.order(), asked.clone());
        async move { order.authorize_payment(asked).await }
    });
    let answers = join_all(calls).await;
    assert!(answers.iter().any(Result::is_ok));
    for refusal in answers.into_iter().filter_map(Result::err) {
        assert_eq!(refusal.code(), Code::Aborted, "{refusal:?}");
    }
    assert_eq!(shop.entries(&asked.order).await, ["authorize"]);
    assert_eq!(shop.count("SELECT COUNT(*) FROM payments").await, 1);
    assert_eq!(shop.count("SELECT tries FROM sandbox_calls").await, 1);
}

#[tokio::test]
async fn currencies_have_their_own_decimals() {
    let shop = Shop::open().await;
    let asked = pb::AuthorizePaymentRequest { amount: money("JPY", 4000), ..pay(&an_order(), "tok_visa") };
    let payment = shop.order().authorize_payment(asked).await.unwrap().into_inner();
    assert_eq!(payment.amount, money("JPY", 4000));
    assert_eq!(shop.count("SELECT amount_minor FROM payments").await, 4000);
}

#[tokio::test]
async fn an_intent_that_nobody_asks_for_again_is_given_up_at_the_channel_too() {
    let shop = Shop::open().await;
    let asked = pay(&an_order(), "tok_unavailable_once");
    refused(shop.order().authorize_payment(asked.clone()).await, Code::Unavailable, "CHANNEL_UNAVAILABLE");
    let long_ago = Statement::from_string(
        shop.db.backend(),
        "UPDATE payments SET create_time = create_time - 600000000",
    );
    shop.db.execute(long_ago).await.unwrap();
    shop.until_order(&asked.order, State::Voided).await;
    refused(shop.order().authorize_payment(asked).await, Code::FailedPrecondition, "PAYMENT_VOIDED");
    let refusal = shop.row("SELECT refusal FROM sandbox_calls WHERE kind = 'AUTHORIZE'").await.unwrap();
    assert_eq!(refusal.try_get_by_index::<String>(0).unwrap(), "ALREADY_VOIDED");
    shop.balances().await;
}

#[tokio::test]
async fn of_many_who_ask_at_once_each_is_answered_for_itself() {
    let shop = Shop::open().await;
    let known = pay(&an_order(), "tok_visa");
    let before = shop.order().authorize_payment(known.clone()).await.unwrap().into_inner();
    let voided = an_order();
    shop.order().void_payment(void(&voided)).await.unwrap_err();
    let mut asked: Vec<_> = (0..24).map(|_| pay(&an_order(), "tok_visa")).collect();
    asked.push(pay(&an_order(), "tok_declined"));
    asked.push(known.clone());
    asked.push(pay(&known.order, "tok_visa"));
    asked.push(pay(&voided, "tok_visa"));
    asked.push(pb::AuthorizePaymentRequest { order: an_order(), ..known.clone() });
    let answers = join_all(asked.iter().map(|asked| {
        let mut order = shop.order();
        async move { order.authorize_payment(asked.clone()).await }
    }));
    let mut answers = answers.await;
    refused(answers.pop().unwrap(), Code::AlreadyExists, "REQUEST_ID_REUSED");
    refused(answers.pop().unwrap(), Code::FailedPrecondition, "PAYMENT_VOIDED");
    refused(answers.pop().unwrap(), Code::FailedPrecondition, "ORDER_ALREADY_PAID");
    assert_eq!(answers.pop().unwrap().unwrap().into_inner(), before);
    refused(answers.pop().unwrap(), Code::FailedPrecondition, "PAYMENT_DECLINED");
    for (asked, answer) in asked.iter().zip(answers) {
        let payment = answer.unwrap().into_inner();
        assert_eq!((&payment.order, payment.state()), (&asked.order, State::Authorized));
    }
    assert_eq!(shop.count("SELECT COUNT(*) FROM order_claims").await, 27);
    assert_eq!(shop.count("SELECT COUNT(*) FROM payments").await, 26);
    shop.balances().await;
}
