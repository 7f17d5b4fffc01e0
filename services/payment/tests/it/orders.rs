//! Orders that are cancelled, returned or imported, in whatever order the news arrives.
use chassis::testing::eventually;
use chassis::time::Timestamp;
use contract::order::v1::{OrderCancelled, OrderClaimed, OrderConfirmed, OrderImported, OrderReturned};
use contract::payment::v1 as pb;
use contract::payment::v1::payment::State;

use super::support::{ANN, Shop, an_order, cancelled, confirmed, gbp, refund};

fn returned(payment: &pb::Payment, pounds: i64) -> OrderReturned {
    OrderReturned {
        order: payment.order.clone(),
        customer: payment.customer.clone(),
        payment: payment.name.clone(),
        r#return: format!("{}/returns/1", payment.order),
        refund: gbp(pounds),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_cancelled_order_that_was_not_captured_is_voided() {
    let shop = Shop::open().await;
    let payment = shop.authorized("tok_visa").await;
    let event = shop.announce(&payment.order, &cancelled(&payment)).await;
    shop.until(&payment, State::Voided).await;
    // Its confirmation comes late, its cancellation twice.
    shop.announce(&payment.order, &confirmed(&payment)).await;
    shop.announce_again(event).await;
    shop.quiet().await;
    assert_eq!(shop.entries(&payment.order).await, ["authorize", "void"]);
    shop.balances().await;
}

#[tokio::test]
async fn a_cancelled_order_that_was_captured_is_refunded_in_full() {
    let shop = Shop::open().await;
    let payment = shop.captured("tok_visa").await;
    let event = shop.announce(&payment.order, &cancelled(&payment)).await;
    let refunded = shop.until(&payment, State::Refunded).await;
    shop.announce_again(event).await;
    shop.announce(&payment.order, &cancelled(&payment)).await;
    shop.quiet().await;
    assert_eq!(refunded.refunded, gbp(40));
    assert_eq!(shop.refunds(&payment).await.len(), 1);
    let told = shop.announced::<pb::PaymentRefunded>(&payment).await;
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0].amount, &told[0].refunded, &told[0].captured), (&gbp(40), &gbp(40), &gbp(40)));
    shop.balances().await;
}

#[tokio::test]
async fn an_order_confirmed_and_cancelled_at_once_keeps_no_money() {
    let shop = Shop::open().await;
    let mut payments = Vec::new();
    let tokens = ["tok_visa", "tok_capture_fails_once", "tok_visa", "tok_refund_fails_once"];
    for token in tokens.into_iter().cycle().take(24) {
        let payment = shop.authorized(token).await;
        let (yes, no) = (confirmed(&payment), cancelled(&payment));
        tokio::join!(shop.announce(&payment.order, &yes), shop.announce(&payment.order, &no));
        payments.push(payment);
    }
    for payment in payments {
        eventually(async || {
            let state = shop.get(&payment).await.state();
            matches!(state, State::Voided | State::Refunded).then_some(())
        })
        .await;
    }
    shop.quiet().await;
    shop.balances().await;
}

#[tokio::test]
async fn an_order_that_was_never_confirmed_is_left_to_who_placed_it() {
    let shop = Shop::open().await;
    let payment = shop.authorized("tok_visa").await;
    shop.announce(&payment.order, &OrderCancelled { confirmed: false, ..cancelled(&payment) }).await;
    shop.announce(&payment.order, &confirmed(&payment)).await;
    shop.until(&payment, State::Captured).await;
}

#[tokio::test]
async fn an_order_that_cost_nothing_has_no_payment() {
    let shop = Shop::open().await;
    let order = an_order();
    let free = OrderConfirmed { order: order.clone(), total: gbp(0), ..Default::default() };
    shop.announce(&order, &free).await;
    shop.announce(&order, &OrderCancelled { order: order.clone(), confirmed: true, ..Default::default() })
        .await;
    let payment = shop.captured("tok_visa").await;
    assert_eq!(shop.count("SELECT COUNT(*) FROM parked").await, 0);
    assert_ne!(payment.order, order);
}

#[tokio::test]
async fn returned_goods_are_refunded_once() {
    let shop = Shop::open().await;
    for token in ["tok_visa", "tok_refund_fails_once"] {
        let payment = shop.captured(token).await;
        let event = shop.announce(&payment.order, &returned(&payment, 15)).await;
        let partly = shop.until(&payment, State::PartiallyRefunded).await;
        assert_eq!(partly.refunded, gbp(15));
        shop.announce_again(event).await;
        shop.announce(&payment.order, &returned(&payment, 15)).await;
        shop.quiet().await;
        assert_eq!(shop.refunds(&payment).await.len(), 1);
        assert_eq!(shop.entries(&payment.order).await, ["authorize", "capture", "refund"]);
    }
    shop.balances().await;
}

#[tokio::test]
async fn a_return_gives_back_no_more_than_is_left() {
    let shop = Shop::open().await;
    let payment = shop.captured("tok_visa").await;
    shop.finance().refund_payment(refund(&payment, 30)).await.unwrap();
    shop.announce(&payment.order, &returned(&payment, 15)).await;
    let refunded = shop.until(&payment, State::Refunded).await;
    assert_eq!(refunded.refunded, gbp(40));
    shop.balances().await;
}

#[tokio::test]
async fn a_cancelled_order_gives_back_what_a_refund_left() {
    let shop = Shop::open().await;
    let payment = shop.captured("tok_visa").await;
    shop.finance().refund_payment(refund(&payment, 30)).await.unwrap();
    shop.announce(&payment.order, &cancelled(&payment)).await;
    shop.until(&payment, State::Refunded).await;
    assert_eq!(shop.refunds(&payment).await.len(), 2);
    shop.balances().await;
}

#[tokio::test]
async fn an_imported_order_was_paid_then_and_calls_no_channel() {
    let shop = Shop::open().await;
    let (order, then) = (an_order(), Timestamp::from_micros(1_291_220_760_000_000));
    let later = Timestamp::from_micros(1_291_320_760_000_000);
    let imported = OrderImported {
        order: order.clone(),
        customer: ANN.to_owned(),
        total: gbp(40),
        external_id: "536365".to_owned(),
        order_time: Some(then.into()),
        ..Default::default()
    };
    let event = shop.announce(&order, &imported).await;
    let payment = shop.until_order(&order, State::Captured).await;
    shop.announce_again(event).await;
    assert_eq!((payment.channel.as_str(), payment.create_time), ("imported", Some(then.into())));
    assert!(shop.announced::<pb::PaymentCaptured>(&payment).await.is_empty());

    let back = OrderReturned { imported: true, return_time: Some(later.into()), ..returned(&payment, 15) };
    let event = shop.announce(&order, &back).await;
    shop.until(&payment, State::PartiallyRefunded).await;
    shop.announce_again(event).await;
    shop.announce(&order, &back).await;
    shop.quiet().await;

    let request = pb::ListJournalEntriesRequest { order: order.clone(), ..Default::default() };
    let entries = shop.finance().list_journal_entries(request).await.unwrap().into_inner().journal_entries;
    let times: Vec<_> = entries.iter().map(|entry| (entry.kind.as_str(), entry.post_time)).collect();
    assert_eq!(times, [("refund", Some(later.into())), ("capture", Some(then.into()))]);
    assert!(
        entries
            .iter()
            .flat_map(|entry| &entry.lines)
            .any(|line| line.account == "accounts/channel-clearing-imported")
    );
    assert_eq!(shop.count("SELECT COUNT(*) FROM sandbox_calls").await, 0);
    shop.balances().await;
}

#[tokio::test]
async fn the_payment_of_a_claimed_order_is_the_users() {
    let shop = Shop::open().await;
    let payment = shop.captured("tok_visa").await;
    let claimed = OrderClaimed {
        order: payment.order.clone(),
        customer: "users/bob".into(),
        previous_customer: payment.customer.clone(),
    };
    let event = shop.announce(&payment.order, &claimed).await;
    shop.announce_again(event).await;
    let theirs =
        eventually(async || Some(shop.get(&payment).await).filter(|it| it.customer == "users/bob")).await;
    let get = || pb::GetPaymentRequest { name: payment.name.clone() };
    assert_eq!(shop.customer("users/bob").get_payment(get()).await.unwrap().into_inner(), theirs);
    assert_eq!(shop.customer(ANN).get_payment(get()).await.unwrap_err().code(), tonic::Code::NotFound);
    // Of an order that costs nothing there is no payment.
    let free = OrderClaimed { order: super::support::an_order(), ..claimed };
    shop.announce(&free.order, &free).await;
    shop.quiet().await;
    shop.balances().await;
}
