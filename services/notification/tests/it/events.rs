//! What happens elsewhere, and who is told of it.
use chassis::testing::eventually;
use contract::{
    Money,
    identity::v1::{UserErased, UserVerified},
    inventory::v1::StockLow,
    notification::v1::{self as pb, notification::State, template::Channel},
    operations::v1::{
        CheckInvariantsRequest, GetEventLagRequest, ListFactsRequest,
        operations_service_client::OperationsServiceClient,
    },
    order::v1::{OrderCancelled, OrderConfirmed, OrderDelivered, OrderImported, OrderReturned, OrderShipped},
};

use super::support::{ANN, BOB, ORDER, ORDER_NUMBER, Shop, send};

fn confirmed(order: &str, customer: &str) -> OrderConfirmed {
    OrderConfirmed { order: order.into(), customer: customer.into(), ..OrderConfirmed::default() }
}

fn gbp(units: i64) -> Money {
    Money { currency_code: "GBP".into(), units, nanos: 0 }
}

#[tokio::test]
async fn an_order_is_confirmed_once_over_each_channel() {
    let shop = Shop::start().await;
    let id = shop.announce(ORDER, &confirmed(ORDER, ANN)).await;
    shop.announce_again(id).await;
    // Another event about the same order tells nothing new.
    shop.announce(ORDER, &confirmed(ORDER, ANN)).await;
    let mail = shop.ended(ANN, "order-confirmed", Channel::Email).await;
    assert_eq!((mail.state(), mail.reference.as_str(), mail.attempts), (State::Sent, ORDER, 1));
    assert_eq!(mail.subject, format!("We have your order {ORDER_NUMBER}"));
    let inbox = shop.ended(ANN, "order-confirmed", Channel::Inbox).await;
    assert_eq!(inbox.body, mail.body);
    // A title that looks like a place stays what it is.
    assert!(
        mail.body.contains("Hello Ann") && mail.body.contains("1 x Mug {{name}}  GBP 12.50"),
        "{}",
        mail.body
    );
    assert_eq!(shop.of(ANN).await.len(), 2);
    let caught = shop.caught("ann@example.com").await;
    assert_eq!(caught.len(), 1);
    assert_eq!(
        (caught[0].subject.as_str(), caught[0].kind.as_str()),
        (mail.subject.as_str(), "order-confirmed")
    );
}

#[tokio::test]
async fn every_step_of_an_order_is_told_in_the_customers_language() {
    let shop = Shop::start().await;
    shop.announce(ORDER, &confirmed(ORDER, BOB)).await;
    shop.announce(
        ORDER,
        &OrderShipped { order: ORDER.into(), customer: BOB.into(), shipment: "shipments/1".into() },
    )
    .await;
    shop.announce(ORDER, &OrderDelivered { order: ORDER.into(), customer: BOB.into() }).await;
    let returned = |name: &str, units| OrderReturned {
        order: ORDER.into(),
        customer: BOB.into(),
        r#return: format!("{ORDER}/returns/{name}"),
        refund: Some(gbp(units)),
        ..OrderReturned::default()
    };
    shop.announce(ORDER, &returned("1", 3)).await;
    shop.announce(ORDER, &returned("2", 4)).await;
    let cancelled = OrderCancelled {
        order: ORDER.into(),
        customer: BOB.into(),
        reason: "INSUFFICIENT_STOCK".into(),
        ..OrderCancelled::default()
    };
    shop.announce(ORDER, &cancelled).await;
    shop.announce(BOB, &UserVerified { user: BOB.into() }).await;
    for (kind, words) in [
        ("order-confirmed", "vielen Dank"),
        ("order-shipped", "ist unterwegs"),
        ("order-delivered", "wurde zugestellt"),
        ("order-cancelled", "insufficient stock"),
        ("return-received", "Rücksendung"),
        ("welcome", "Hello Bob"),
    ] {
        let told = shop.ended(BOB, kind, Channel::Email).await;
        assert_eq!(told.state(), State::Sent, "{kind}");
        assert!(told.body.contains(words), "{kind}: {}", told.body);
    }
    let refunds = eventually(async || {
        let bodies: Vec<_> = shop
            .caught("bob@example.com")
            .await
            .into_iter()
            .filter(|mail| mail.kind == "return-received")
            .collect();
        (bodies.len() == 2).then_some(bodies)
    })
    .await;
    assert!(
        refunds.iter().any(|mail| mail.body.contains("GBP 3.00"))
            && refunds.iter().any(|mail| mail.body.contains("GBP 4.00"))
    );
}

#[tokio::test]
async fn what_happened_elsewhere_is_recorded_and_not_told() {
    let shop = Shop::start().await;
    let imported = OrderImported { order: ORDER.into(), customer: ANN.into(), ..OrderImported::default() };
    let id = shop.announce(ORDER, &imported).await;
    shop.announce_again(id).await;
    let returned = OrderReturned {
        order: ORDER.into(),
        customer: ANN.into(),
        imported: true,
        ..OrderReturned::default()
    };
    shop.announce(ORDER, &returned).await;
    let told = shop.ended(ANN, "order-confirmed", Channel::Email).await;
    assert_eq!((told.state(), told.attempts), (State::Suppressed, 0));
    assert_eq!(shop.of(ANN).await.len(), 1);
    assert_eq!(shop.caught("").await.len(), 0);
}

#[tokio::test]
async fn low_stock_is_recorded_each_time() {
    let shop = Shop::start().await;
    for _ in 0..2 {
        let low = StockLow { stock: "stock/MUG".into(), sku: "MUG".into(), available: 3, low_threshold: 5 };
        let id = shop.announce("stock/MUG", &low).await;
        shop.announce_again(id).await;
    }
    let counted = "SELECT COUNT(*) FROM notifications WHERE kind = 'stock-low' AND state = 'SUPPRESSED'";
    eventually(async || (shop.count(counted).await == 2).then_some(())).await;
}

#[tokio::test]
async fn who_has_no_address_is_told_in_the_shop_only() {
    let shop = Shop::start().await;
    let guest = "guests/01890000-0000-7000-8000-00000000000c";
    shop.people.know(guest, "", "", "zh-CN");
    shop.announce(ORDER, &confirmed(ORDER, guest)).await;
    assert_eq!(shop.ended(guest, "order-confirmed", Channel::Email).await.state(), State::Suppressed);
    let inbox = shop.ended(guest, "order-confirmed", Channel::Inbox).await;
    assert_eq!(inbox.state(), State::Sent);
    assert!(inbox.body.contains("尊敬的客户"), "{}", inbox.body);
}

#[tokio::test]
async fn a_message_waits_for_identity_without_losing_a_try() {
    let shop = Shop::start().await;
    shop.people.go_away(true);
    shop.announce(ORDER, &confirmed(ORDER, ANN)).await;
    eventually(async || shop.of(ANN).await.into_iter().find(|message| !message.failure.is_empty())).await;
    shop.people.go_away(false);
    let told = shop.ended(ANN, "order-confirmed", Channel::Email).await;
    assert_eq!((told.state(), told.attempts, told.failure.as_str()), (State::Sent, 1, ""));
}

#[tokio::test]
async fn nothing_personal_is_left_of_who_was_erased() {
    let shop = Shop::start().await;
    shop.announce(ORDER, &confirmed(ORDER, ANN)).await;
    shop.announce(ORDER, &confirmed(&ORDER.replace("001", "002"), BOB)).await;
    shop.ended(ANN, "order-confirmed", Channel::Email).await;
    shop.ended(ANN, "order-confirmed", Channel::Inbox).await;
    shop.ended(BOB, "order-confirmed", Channel::Email).await;
    let preferences = pb::Preferences { marketing_muted: true, ..pb::Preferences::default() };
    let update = pb::UpdatePreferencesRequest {
        preferences: Some(preferences),
        update_mask: None,
        request_id: String::new(),
    };
    shop.customer(ANN).update_preferences(update).await.unwrap();
    shop.people.forget(ANN);
    for _ in 0..2 {
        shop.announce(ANN, &UserErased { user: ANN.into() }).await;
    }
    eventually(async || shop.of(ANN).await.iter().all(|message| message.body.is_empty()).then_some(())).await;
    assert!(
        shop.of(ANN).await.iter().all(|message| message.subject.is_empty() && message.state() == State::Sent)
    );
    assert_eq!(shop.caught("ann@example.com").await.len(), 0);
    assert_eq!(shop.caught("bob@example.com").await.len(), 1);
    assert_eq!(shop.count("SELECT COUNT(*) FROM preferences").await, 0);
    // What comes later finds nobody.
    shop.announce(ORDER, &OrderDelivered { order: ORDER.into(), customer: ANN.into() }).await;
    assert_eq!(shop.ended(ANN, "order-delivered", Channel::Email).await.state(), State::Suppressed);
}

#[tokio::test]
async fn the_books_state_what_became_of_each_confirmation() {
    let shop = Shop::start().await;
    let orders: Vec<String> =
        (1..=3).map(|n| format!("orders/01890000-0000-7000-8000-00000000000{n}")).collect();
    shop.announce(&orders[0], &confirmed(&orders[0], ANN)).await;
    let imported =
        OrderImported { order: orders[1].clone(), customer: ANN.into(), ..OrderImported::default() };
    shop.announce(&orders[1], &imported).await;
    shop.announce(&orders[2], &confirmed(&orders[2], "users/nobody")).await;
    shop.identity()
        .send_notification(send("verify-contact", "ann@example.com", &[("code", "123456")]))
        .await
        .unwrap();
    let mut operator = OperationsServiceClient::new(shop.host.as_staff(&["audit.read"]));
    let client = operator.clone();
    eventually(async || {
        let lag = client.clone().get_event_lag(GetEventLagRequest {}).await.unwrap().into_inner();
        (lag.pending_work == 0 && shop.count("SELECT COUNT(*) FROM notifications").await == 6).then_some(())
    })
    .await;
    let request = ListFactsRequest {
        kind: "notification.confirmation".into(),
        page_size: 10,
        page_token: String::new(),
    };
    let facts = operator.list_facts(request).await.unwrap().into_inner().facts;
    let facts: Vec<_> = facts.iter().map(|fact| (fact.subject.as_str(), fact.state.as_str())).collect();
    assert_eq!(
        facts,
        [
            (orders[0].as_str(), "SENT"),
            (orders[1].as_str(), "SUPPRESSED"),
            (orders[2].as_str(), "SUPPRESSED")
        ]
    );
    let findings = operator.check_invariants(CheckInvariantsRequest {}).await.unwrap().into_inner().findings;
    assert!(findings.iter().all(|finding| finding.offenders.is_empty()), "{findings:?}");
    // What every service checks of its events and sagas comes first.
    let own: Vec<_> = findings.iter().rev().take(3).rev().map(|finding| finding.checked).collect();
    assert_eq!(own, [3, 1, 0]);
}
