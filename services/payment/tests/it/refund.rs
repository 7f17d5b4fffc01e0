//! Giving money back: never more than was taken.
use contract::payment::v1 as pb;
use contract::payment::v1::payment::State;
use contract::payment::v1::refund::State as RefundState;
use futures::future::join_all;
use tonic::Code;

use super::support::{ANN, Shop, gbp, money, refund, refused};
use contract::payment::v1::payment_service_client::PaymentServiceClient;

#[tokio::test]
async fn money_is_given_back_in_parts_until_none_is_left() {
    let shop = Shop::open().await;
    let payment = shop.captured("tok_visa").await;
    let first = shop.finance().refund_payment(refund(&payment, 15)).await.unwrap().into_inner();
    assert_eq!((first.state(), first.amount.clone()), (RefundState::Succeeded, gbp(15)));
    assert!(first.actor.starts_with("users/"));
    assert_eq!(shop.get(&payment).await.state(), State::PartiallyRefunded);
    let refusal = shop.finance().refund_payment(refund(&payment, 26)).await;
    let refusal = refused(refusal, Code::FailedPrecondition, "REFUND_EXCEEDS_CAPTURED");
    assert_eq!(chassis::status::metadata(&refusal)["refundable"], "GBP 25.00");
    shop.finance().refund_payment(refund(&payment, 25)).await.unwrap();
    assert_eq!(shop.get(&payment).await.state(), State::Refunded);
    assert_eq!(shop.refunds(&payment).await.len(), 2);
    shop.balances().await;
}

#[tokio::test]
async fn two_full_refunds_at_once_are_one() {
    let shop = Shop::open().await;
    for _ in 0..5 {
        let payment = shop.captured("tok_visa").await;
        let (mut one, mut other) = (shop.finance(), shop.finance());
        let (first, second) = tokio::join!(
            one.refund_payment(refund(&payment, 40)),
            other.refund_payment(refund(&payment, 40))
        );
        let refusals: Vec<_> = [first, second].into_iter().filter_map(Result::err).collect();
        assert_eq!(refusals.len(), 1, "{refusals:?}");
        assert_eq!(refusals[0].code(), Code::FailedPrecondition);
        assert_eq!(shop.get(&payment).await.refunded, gbp(40));
    }
    shop.balances().await;
}

#[tokio::test]
async fn many_refunds_at_once_give_back_no_more_than_was_taken() {
    let shop = Shop::open().await;
    let payment = shop.captured("tok_visa").await;
    let calls = (0..12).map(|_| {
        let (mut finance, request) = (shop.finance(), refund(&payment, 9));
        async move { finance.refund_payment(request).await }
    });
    let given = join_all(calls).await.into_iter().filter(Result::is_ok).count();
    assert_eq!(given, 4);
    shop.quiet().await;
    assert_eq!(shop.get(&payment).await.refunded, gbp(36));
    shop.balances().await;
}

#[tokio::test]
async fn a_repeated_refund_is_the_first_one() {
    let shop = Shop::open().await;
    let payment = shop.captured("tok_visa").await;
    let (mut finance, asked) = (shop.finance(), refund(&payment, 10));
    let first = finance.refund_payment(asked.clone()).await.unwrap().into_inner();
    let again = finance.refund_payment(asked.clone()).await.unwrap().into_inner();
    assert_eq!(first, again);
    let other = pb::RefundPaymentRequest { amount: gbp(11), ..asked };
    refused(finance.refund_payment(other).await, Code::AlreadyExists, "REQUEST_ID_REUSED");
    assert_eq!(shop.get(&payment).await.refunded, gbp(10));
}

#[tokio::test]
async fn a_refund_that_fails_is_pending_until_it_succeeds() {
    let shop = Shop::open().await;
    let payment = shop.captured("tok_refund_fails_once").await;
    let asked = shop.finance().refund_payment(refund(&payment, 40)).await.unwrap().into_inner();
    assert_eq!(asked.state(), RefundState::Pending);
    refused(
        shop.finance().refund_payment(refund(&payment, 1)).await,
        Code::FailedPrecondition,
        "REFUND_EXCEEDS_CAPTURED",
    );
    shop.until(&payment, State::Refunded).await;
    shop.quiet().await;
    shop.balances().await;
}

#[tokio::test]
async fn an_amount_that_cannot_be_refunded_is_refused() {
    let shop = Shop::open().await;
    let payment = shop.captured("tok_visa").await;
    for amount in [gbp(0), gbp(-1), None, money("EUR", 1), money("usd", 1)] {
        let asked = pb::RefundPaymentRequest { amount: amount.clone(), ..refund(&payment, 1) };
        let refusal = shop.finance().refund_payment(asked).await.unwrap_err();
        assert_eq!(refusal.code(), Code::InvalidArgument, "{amount:?}");
    }
    let authorized = shop.authorized("tok_visa").await;
    refused(
        shop.finance().refund_payment(refund(&authorized, 1)).await,
        Code::FailedPrecondition,
        "PAYMENT_NOT_CAPTURED",
    );
}

#[tokio::test]
async fn who_may_refund_has_limits() {
    let shop = Shop::open().await;
    let payment = shop.captured("tok_visa").await;
    refused(
        shop.customer(ANN).refund_payment(refund(&payment, 1)).await,
        Code::PermissionDenied,
        "PERMISSION_MISSING",
    );
    let mut ann = PaymentServiceClient::new(shop.host.as_user(ANN, &["refund.create", "refund.approve"]));
    refused(ann.refund_payment(refund(&payment, 1)).await, Code::PermissionDenied, "OWN_PAYMENT");

    // The order service answers for what it asks, whomever it serves.
    shop.order_for(ANN).refund_payment(refund(&payment, 1)).await.unwrap();

    let dear = shop.dear(600).await;
    shop.finance().refund_payment(refund(&dear, 300)).await.unwrap();
    refused(shop.finance().refund_payment(refund(&dear, 201)).await, Code::PermissionDenied, "REFUND_LIMIT");
    shop.staff(&["refund.create", "refund.approve"]).refund_payment(refund(&dear, 300)).await.unwrap();
}

impl Shop {
    /// A payment of so many pounds, taken.
    async fn dear(&self, pounds: i64) -> pb::Payment {
        let asked = super::support::pay(&super::support::an_order(), "tok_visa");
        let asked = pb::AuthorizePaymentRequest { amount: gbp(pounds), ..asked };
        let payment = self.order().authorize_payment(asked).await.expect("a payment").into_inner();
        self.finance()
            .capture_payment(super::support::capture(&payment))
            .await
            .expect("a payment")
            .into_inner()
    }
}
