//! Reading orders: one's own, page by page, or with permission everyone's.

use contract::order::v1 as pb;
use pb::order::State;
use tonic::Code;

use crate::support::*;

#[tokio::test]
async fn customers_see_their_own_orders_the_newest_first() {
    let shop = Shop::start().await;
    let mut names = Vec::new();
    for _ in 0..3 {
        names.push(shop.confirmed().await.name);
    }
    shop.customer("users/bob").place_order(two_cups()).await.unwrap();
    names.reverse();
    let mut ada = shop.customer("users/ada");
    let mut request = pb::ListOrdersRequest { page_size: 2, ..Default::default() };
    let first = ada.list_orders(request.clone()).await.unwrap().into_inner();
    request.page_token = first.next_page_token.clone();
    let second = ada.list_orders(request.clone()).await.unwrap().into_inner();
    let seen: Vec<_> = first.orders.iter().chain(&second.orders).map(|order| order.name.clone()).collect();
    assert_eq!((seen, second.next_page_token.as_str()), (names, ""));
    assert_eq!(first.orders[0].shipping_address, Some(address()));
    let stolen = shop.customer("users/bob").list_orders(request).await.unwrap_err();
    assert_eq!(stolen.code(), Code::InvalidArgument, "a page token is good for its own list only");
}

#[tokio::test]
async fn orders_of_others_take_a_permission() {
    let shop = Shop::start().await;
    let order = shop.confirmed().await;
    for customer in ["users/ada", "customers/-"] {
        let request = pb::ListOrdersRequest { customer: customer.into(), ..Default::default() };
        let refusal = shop.customer("users/bob").list_orders(request.clone()).await.unwrap_err();
        assert_eq!(
            (refusal.code(), reason(&refusal).as_str()),
            (Code::PermissionDenied, "PERMISSION_MISSING")
        );
        let found = shop.staff(&["order.read.any"]).list_orders(request).await.unwrap().into_inner();
        assert_eq!(found.orders, std::slice::from_ref(&order));
    }
    let none = pb::ListOrdersRequest {
        customer: "customers/-".into(),
        state: State::Shipped.into(),
        ..Default::default()
    };
    assert_eq!(
        shop.staff(&["order.read.any"]).list_orders(none.clone()).await.unwrap().into_inner().orders,
        []
    );
    let odd = pb::ListOrdersRequest { state: 99, ..none };
    assert_eq!(
        shop.staff(&["order.read.any"]).list_orders(odd).await.unwrap_err().code(),
        Code::InvalidArgument
    );
}

#[tokio::test]
async fn services_that_send_and_tell_may_read_an_order() {
    let shop = Shop::start().await;
    let order = shop.confirmed().await;
    let request = pb::GetOrderRequest { name: order.name.clone(), ..Default::default() };
    for noun in ["payment", "shipping", "notification"] {
        assert_eq!(shop.service(noun).get_order(request.clone()).await.unwrap().into_inner(), order);
    }
    let refusal = shop.service("analytics").get_order(request).await.unwrap_err();
    assert_eq!(refusal.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn the_events_of_an_order_are_its_history() {
    let shop = Shop::start().await;
    let order = shop.shipped().await;
    let mut staff = shop.staff(&["order.read.any"]);
    let mut request =
        pb::ListOrderEventsRequest { parent: order.name.clone(), page_size: 2, ..Default::default() };
    let first = staff.list_order_events(request.clone()).await.unwrap().into_inner();
    request.page_token = first.next_page_token;
    let second = staff.list_order_events(request.clone()).await.unwrap().into_inner();
    let events: Vec<_> = first
        .events
        .iter()
        .chain(&second.events)
        .map(|event| (event.version, event.r#type.as_str()))
        .collect();
    assert_eq!(events, [(1, "Placed"), (2, "Confirmed"), (3, "Shipped")]);
    assert!(first.events[0].payload.contains("\"sku\":\"CUP\""));
    let refusal = shop.customer("users/ada").list_order_events(request).await.unwrap_err();
    assert_eq!(refusal.code(), Code::PermissionDenied);
    let absent = pb::ListOrderEventsRequest {
        parent: format!("orders/{}", uuid::Uuid::now_v7()),
        ..Default::default()
    };
    assert_eq!(staff.list_order_events(absent).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_name_that_names_nothing_is_refused() {
    let shop = Shop::start().await;
    for name in ["orders/1", "carts/0197b8a0-0000-7000-8000-000000000000", "orders/", "x"] {
        let refusal = shop
            .customer("users/ada")
            .get_order(pb::GetOrderRequest { name: name.into(), ..Default::default() })
            .await
            .unwrap_err();
        assert_eq!(refusal.code(), Code::InvalidArgument, "{name}");
    }
}

#[tokio::test]
async fn an_order_is_told_as_it_was_at_any_time() {
    let shop = Shop::start().await;
    let order = shop.delivered().await;
    let mut states = Vec::new();
    for step in &order.history {
        let request = pb::GetOrderRequest { name: order.name.clone(), read_time: step.time };
        let then = shop.customer("users/ada").get_order(request.clone()).await.unwrap().into_inner();
        assert!(then.version <= order.version);
        assert_eq!((then.state(), &then.lines), (step.state(), &order.lines));
        states.push(then.state());
        let refusal = shop.customer("users/bob").get_order(request).await.unwrap_err();
        assert_eq!(refusal.code(), Code::NotFound, "it is somebody else's at any time");
    }
    use pb::order::State::{Confirmed, Delivered, Placed, Shipped};
    assert_eq!(states, [Placed, Confirmed, Shipped, Delivered]);
    let at = |seconds| pb::GetOrderRequest {
        name: order.name.clone(),
        read_time: Some(prost_types::Timestamp { seconds, nanos: 0 }),
    };
    let created = order.create_time.unwrap().seconds;
    let before = shop.customer("users/ada").get_order(at(created - 1)).await.unwrap_err();
    assert_eq!((before.code(), reason(&before).as_str()), (Code::NotFound, "ORDER_NOT_FOUND"));
    let later = shop.customer("users/ada").get_order(at(created + 3600)).await.unwrap().into_inner();
    assert_eq!(later, order);
}

#[tokio::test]
async fn operators_rebuild_orders_page_by_page() {
    let shop = Shop::start().await;
    let orders = [shop.confirmed().await, shop.confirmed().await, shop.confirmed().await];
    shop.some_time_ago("UPDATE orders SET state = 'PLACED', units = 0").await;
    let mut operator = shop.staff(&["saga.intervene"]);
    let (mut request, mut repaired) =
        (pb::RebuildOrdersRequest { page_size: 2, ..Default::default() }, Vec::new());
    loop {
        let page = operator.rebuild_orders(request.clone()).await.unwrap().into_inner();
        repaired.extend(page.repaired);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(repaired, orders.map(|order| order.name));
    shop.audit().await;
    let refusal = shop.customer("users/ada").rebuild_orders(request).await.unwrap_err();
    assert_eq!(refusal.code(), Code::PermissionDenied);
}
