//! What other services announce, each heard once, in whatever order they speak.

use chassis::testing::eventually;
use contract::identity::v1::UserErased;
use contract::order::v1 as pb;
use contract::payment::v1::{PaymentFailed, PaymentRefunded, PaymentVoided};
use pb::order::{PaymentState, State};

use crate::support::*;

async fn paid(shop: &Shop, order: &pb::Order, state: PaymentState) -> pb::Order {
    eventually(async || Some(shop.get(&order.name).await).filter(|order| order.payment_state() == state))
        .await
}

fn refunded(order: &pb::Order, minor: i64) -> PaymentRefunded {
    PaymentRefunded {
        payment: order.payment.clone(),
        order: order.name.clone(),
        refund: "refunds/1".into(),
        amount: Some(gbp(minor)),
        refunded: Some(gbp(minor)),
        captured: order.total.clone(),
    }
}

/// Waits until an event announced after it was heard, so that it was heard too.
async fn heard(shop: &Shop, order: &pb::Order) {
    let later = shop.announce(&order.name, &UserErased { user: "users/none".into() }).await;
    let sql = "SELECT 1 FROM inbox WHERE id = $1";
    eventually(async || {
        use sea_orm::ConnectionTrait;
        let sql = sea_orm::Statement::from_sql_and_values(shop.db.backend(), sql, [later.into()]);
        shop.db.writer().query_one_raw(sql).await.unwrap()
    })
    .await;
}

#[tokio::test]
async fn an_order_is_paid_sent_and_delivered_as_others_say_it_each_once() {
    let shop = Shop::start().await;
    let order = shop.confirmed().await;
    for id in [
        shop.announce(&order.name, &captured(&order)).await,
        shop.announce(&order.name, &dispatched(&order)).await,
        shop.announce(&order.name, &arrived(&order)).await,
        shop.announce(&order.name, &refunded(&order, 100)).await,
    ] {
        shop.announce_again(id).await;
    }
    heard(&shop, &order).await;
    let order = shop.get(&order.name).await;
    assert_eq!((order.state(), order.payment_state()), (State::Delivered, PaymentState::PartiallyRefunded));
    assert_eq!(order.version, 6, "each event counts once");
    let announced = ["OrderPlaced", "OrderConfirmed", "OrderShipped", "OrderDelivered"];
    assert_eq!(shop.announced(&order.name).await, announced);
    assert_eq!(shop.said::<pb::OrderShipped>(&order.name).await[0].shipment, "shipments/1");
    let history: Vec<_> = order.history.iter().map(|step| (step.state(), step.actor.as_str())).collect();
    assert_eq!(history[2..], [(State::Shipped, "shipping"), (State::Delivered, "shipping")]);
    assert_eq!(shop.count("SELECT COUNT(*) FROM parked").await, 0);
    shop.audit().await;
}

#[tokio::test]
async fn the_same_news_under_another_id_changes_nothing() {
    let shop = Shop::start().await;
    let order = shop.delivered().await;
    shop.announce(&order.name, &captured(&order)).await;
    shop.announce(&order.name, &dispatched(&order)).await;
    shop.announce(&order.name, &arrived(&order)).await;
    heard(&shop, &order).await;
    assert_eq!(shop.get(&order.name).await, order);
    assert_eq!(shop.count("SELECT COUNT(*) FROM parked").await, 0);
}

#[tokio::test]
async fn payment_may_speak_before_and_after_the_goods_left() {
    let shop = Shop::start().await;
    let order = shop.shipped().await;
    shop.announce(&order.name, &captured(&order)).await;
    assert_eq!(paid(&shop, &order, PaymentState::Captured).await.state(), State::Shipped);
}

#[tokio::test]
async fn a_cancelled_order_follows_its_money_home() {
    let shop = Shop::start().await;
    let voided = shop.confirmed().await;
    shop.customer("users/ada").cancel_order(cancel(&voided)).await.unwrap();
    let event = PaymentVoided {
        payment: voided.payment.clone(),
        order: voided.name.clone(),
        amount: voided.total.clone(),
    };
    shop.announce(&voided.name, &event).await;
    paid(&shop, &voided, PaymentState::Voided).await;

    let refunded_later = shop.confirmed().await;
    shop.customer("users/ada").cancel_order(cancel(&refunded_later)).await.unwrap();
    shop.announce(&refunded_later.name, &captured(&refunded_later)).await;
    shop.announce(&refunded_later.name, &refunded(&refunded_later, 2850)).await;
    paid(&shop, &refunded_later, PaymentState::Refunded).await;
    shop.audit().await;
}

#[tokio::test]
async fn an_order_whose_money_cannot_be_taken_is_cancelled() {
    let shop = Shop::start().await;
    let order = shop.confirmed().await;
    let failed = |stage: &str| PaymentFailed {
        payment: order.payment.clone(),
        order: order.name.clone(),
        stage: stage.into(),
        reason: "EXPIRED".into(),
    };
    shop.announce(&order.name, &failed("refund")).await;
    heard(&shop, &order).await;
    assert_eq!(shop.get(&order.name).await, order);
    shop.announce(&order.name, &failed("capture")).await;
    let order = shop.until(&order, State::Cancelled).await;
    assert_eq!(order.cancel_reason, "PAYMENT_FAILED");
    assert!(shop.said::<pb::OrderCancelled>(&order.name).await[0].confirmed);
}

#[tokio::test]
async fn goods_that_left_before_their_cancellation_was_heard_are_noted() {
    let shop = Shop::start().await;
    let order = shop.confirmed().await;
    shop.customer("users/ada").cancel_order(cancel(&order)).await.unwrap();
    shop.announce(&order.name, &dispatched(&order)).await;
    shop.announce(&order.name, &arrived(&order)).await;
    heard(&shop, &order).await;
    let order = shop.get(&order.name).await;
    let last = order.history.last().unwrap();
    assert_eq!((last.state(), last.reason.as_str()), (State::Cancelled, "LEFT_AFTER_CANCELLATION"));
    assert_eq!(shop.count("SELECT COUNT(*) FROM parked").await, 0);
}

#[tokio::test]
async fn an_erased_customer_leaves_orders_without_a_name() {
    let shop = Shop::start().await;
    let order = shop.confirmed().await;
    let request = cancel(&order);
    shop.customer("users/ada").cancel_order(request.clone()).await.unwrap();
    shop.announce("users/ada", &UserErased { user: "users/ada".into() }).await;
    let erased = eventually(async || {
        Some(shop.get(&order.name).await).filter(|order| order.shipping_address.is_none())
    })
    .await;
    assert_eq!(
        erased.history.last().unwrap().reason,
        "CANCELLED_BY_CUSTOMER",
        "what was written is gone too"
    );
    assert_eq!(erased.total, order.total);
    let repeated = shop.customer("users/ada").cancel_order(request).await.unwrap().into_inner();
    assert_eq!(repeated.shipping_address, None, "no kept reply remembers it");
    shop.audit().await;
}
