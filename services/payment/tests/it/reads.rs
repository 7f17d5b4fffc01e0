//! What may be read, and by whom.
use chassis::money::Money;
use contract::payment::v1 as pb;
use tonic::Code;
use uuid::Uuid;

use super::support::{ANN, Shop, gbp, refund, refused};

fn get(name: &str) -> pb::GetPaymentRequest {
    pb::GetPaymentRequest { name: name.to_owned() }
}

fn refunds_of(name: &str) -> pb::ListRefundsRequest {
    pb::ListRefundsRequest { parent: name.to_owned(), ..Default::default() }
}

#[tokio::test]
async fn a_payment_of_someone_else_is_not_there() {
    let shop = Shop::open().await;
    let payment = shop.authorized("tok_visa").await;
    let (absent, mut bob) = (format!("payments/{}", Uuid::now_v7()), shop.customer("users/bob"));
    assert_eq!(shop.customer(ANN).get_payment(get(&payment.name)).await.unwrap().into_inner(), payment);
    assert!(shop.customer(ANN).list_refunds(refunds_of(&payment.name)).await.is_ok());
    assert_eq!(shop.order().get_payment(get(&payment.name)).await.unwrap().into_inner(), payment);
    let hidden = refused(bob.get_payment(get(&payment.name)).await, Code::NotFound, "PAYMENT_NOT_FOUND");
    let missing = refused(bob.get_payment(get(&absent)).await, Code::NotFound, "PAYMENT_NOT_FOUND");
    assert_eq!((hidden.message(), hidden.details()), (missing.message(), missing.details()));
    refused(bob.list_refunds(refunds_of(&payment.name)).await, Code::NotFound, "PAYMENT_NOT_FOUND");
    refused(
        bob.list_payments(pb::ListPaymentsRequest::default()).await,
        Code::PermissionDenied,
        "PERMISSION_MISSING",
    );
}

#[tokio::test]
async fn payments_and_refunds_come_in_pages() {
    let shop = Shop::open().await;
    let mut names = Vec::new();
    for _ in 0..5 {
        names.insert(0, shop.authorized("tok_visa").await.name);
    }
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListPaymentsRequest { page_size: 2, page_token: token, ..Default::default() };
        let page = shop.finance().list_payments(request).await.unwrap().into_inner();
        found.extend(page.payments.into_iter().map(|payment| payment.name));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(found, names);
    let foreign = pb::ListPaymentsRequest { page_token: "AAAA".to_owned(), ..Default::default() };
    assert_eq!(shop.finance().list_payments(foreign).await.unwrap_err().code(), Code::InvalidArgument);

    let payment = shop.captured("tok_visa").await;
    for pounds in [1, 2, 3] {
        shop.finance().refund_payment(refund(&payment, pounds)).await.unwrap();
    }
    let request = pb::ListRefundsRequest { page_size: 2, ..refunds_of(&payment.name) };
    let page = shop.finance().list_refunds(request.clone()).await.unwrap().into_inner();
    let rest = pb::ListRefundsRequest { page_token: page.next_page_token, ..request };
    let rest = shop.finance().list_refunds(rest).await.unwrap().into_inner();
    let amounts: Vec<_> = page.refunds.into_iter().chain(rest.refunds).map(|refund| refund.amount).collect();
    assert_eq!(amounts, [gbp(1), gbp(2), gbp(3)]);
}

#[tokio::test]
async fn balances_say_what_the_entries_add_up_to() {
    let shop = Shop::open().await;
    let payment = shop.captured("tok_visa").await;
    shop.authorized("tok_visa").await;
    shop.finance().refund_payment(refund(&payment, 15)).await.unwrap();
    let balances = shop.finance().list_account_balances(pb::ListAccountBalancesRequest {}).await.unwrap();
    let balances: Vec<_> = balances
        .into_inner()
        .account_balances
        .into_iter()
        .map(|account| {
            assert!(!account.title.is_empty());
            (account.name, Money::try_from(&account.balances[0]).unwrap().minor)
        })
        .collect();
    let expected = [
        ("accounts/authorization-holds", -4000),
        ("accounts/channel-clearing-sandbox", 2500),
        ("accounts/customer-receivable", 4000),
        ("accounts/sales-refunds", 1500),
        ("accounts/sales-revenue", -4000),
    ];
    assert_eq!(balances, expected.map(|(name, minor)| (name.to_owned(), minor)));
}
