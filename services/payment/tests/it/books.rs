//! The books: what payment states, and that it notices when they are wrong.
use contract::payment::v1::payment::State;
use sea_orm::Statement;

use super::support::{Shop, cancelled, gbp, refund};

#[tokio::test]
async fn the_books_tell_what_was_taken_given_back_and_held() {
    let shop = Shop::open().await;
    let (held, taken, back) =
        (shop.authorized("tok_visa").await, shop.captured("tok_visa").await, shop.captured("tok_visa").await);
    shop.finance().refund_payment(refund(&taken, 15)).await.unwrap();
    shop.announce(&back.order, &cancelled(&back)).await;
    shop.until(&back, State::Refunded).await;
    let told = async |kind: &str| {
        let facts = shop.facts(kind).await;
        facts.into_iter().map(|fact| (fact.subject, fact.amount, fact.reference)).collect::<Vec<_>>()
    };
    let line = |payment: &contract::payment::v1::Payment, pounds| {
        (payment.order.clone(), gbp(pounds), payment.name.clone())
    };
    assert_eq!(told("payment.held").await, [line(&held, 40)]);
    assert_eq!(told("payment.captured").await, [line(&taken, 40), line(&back, 40)]);
    assert_eq!(told("payment.refunded").await, [line(&taken, 15), line(&back, 40)]);
    shop.balances().await;
}

#[tokio::test]
async fn a_payment_changed_behind_the_ledger_is_found() {
    let shop = Shop::open().await;
    let payment = shop.captured("tok_visa").await;
    let statement =
        Statement::from_string(shop.db.backend(), "UPDATE payments SET captured_minor = captured_minor - 1");
    shop.db.execute(statement).await.unwrap();
    let offended: Vec<_> =
        shop.findings().await.into_iter().filter(|finding| !finding.offenders.is_empty()).collect();
    assert_eq!(offended.len(), 2, "{offended:?}");
    assert!(offended.iter().all(|finding| finding.offenders == [payment.order.clone()]));
}
