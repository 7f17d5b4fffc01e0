//! Calls that go well, and refusals with all they say, through native gRPC and grpc-web.
use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use chassis::status;
use contract::order::v1::{GetOrderRequest, Order, WatchOrderRequest};
use http::Version;
use prost::Message;
use tonic::Code;
use tonic_types::{ErrorDetails, StatusExt};

use crate::desk::{Reply, frame};
use crate::shop::{GET_ORDER, Shop, call, signed};

const BOTH: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

fn order(name: &str) -> Order {
    Order { name: name.to_owned(), ..Order::default() }
}

fn named(name: &str) -> Bytes {
    order(name).encode_to_vec().into()
}

fn asked() -> GetOrderRequest {
    GetOrderRequest { name: "orders/1".to_owned(), ..Default::default() }
}

#[tokio::test]
async fn the_same_call_works_natively_and_as_grpc_web_over_both_versions_of_http() {
    let shop = Shop::open().await;
    let token = shop.token("users/ann", &[]);
    shop.desks.reply_with(Reply::Message(named("orders/1")));
    let native = shop.orders().get_order(signed(asked(), &token)).await.unwrap();
    assert_eq!(native.into_inner(), order("orders/1"));
    for version in BOTH {
        let web = shop.web_orders(version).get_order(signed(asked(), &token)).await.unwrap();
        assert_eq!(web.into_inner(), order("orders/1"), "{version:?}");
    }
    let seen = shop.desks.seen();
    assert_eq!(seen.len(), 3);
    for call in seen {
        assert_eq!((call.noun, call.path.as_str()), ("order", GET_ORDER));
        assert_eq!(call.headers["content-type"], "application/grpc");
        assert_eq!(call.body, frame(0, &asked().encode_to_vec()));
    }
}

#[tokio::test]
async fn grpc_web_text_is_unpacked_on_the_way_in_and_packed_on_the_way_out() {
    let shop = Shop::open().await;
    shop.desks.reply_with(Reply::Message(named("orders/1")));
    let token = shop.token("users/ann", &[]);
    let kind = "application/grpc-web-text";
    for version in BOTH {
        let mut request = call(GET_ORDER, kind);
        request.headers_mut().insert("accept", kind.parse().unwrap());
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        let text = BASE64_STANDARD.encode(frame(0, &asked().encode_to_vec()));
        let answer = shop.send(version, request.map(|_| text)).await;
        assert_eq!(answer.text("content-type"), "application/grpc-web-text+proto");
        assert_eq!((answer.code(), answer.messages()), (Code::Ok, vec![named("orders/1")]), "{version:?}");
    }
    assert_eq!(shop.desks.seen()[0].body, frame(0, &asked().encode_to_vec()));
}

#[tokio::test]
async fn answers_to_calls_are_kept_by_no_cache() {
    let shop = Shop::open().await;
    let answer = shop.send(Version::HTTP_11, call(GET_ORDER, "application/grpc-web")).await;
    assert_eq!(answer.code(), Code::Unauthenticated);
    assert_eq!(
        (answer.text("cache-control"), answer.text("x-content-type-options")),
        ("no-store", "nosniff")
    );
}

#[tokio::test]
async fn a_refusal_arrives_with_all_its_details() {
    let shop = Shop::open().await;
    let token = shop.token("users/ann", &[]);
    let mut details = ErrorDetails::with_error_info(
        "INSUFFICIENT_STOCK",
        "inventory",
        [("sku".to_owned(), "SHIRT-M".to_owned())],
    );
    details.set_retry_info(Some(Duration::from_secs(3)));
    details.add_bad_request_violation("lines[0].quantity", "is more than there is");
    let refusal = tonic::Status::with_error_details(Code::FailedPrecondition, "too few – sorry", details);
    shop.desks.reply_with(Reply::Refuse(Box::new(refusal)));
    let native = shop.orders().get_order(signed(asked(), &token)).await.unwrap_err();
    let mut refusals = vec![native];
    for version in BOTH {
        refusals.push(shop.web_orders(version).get_order(signed(asked(), &token)).await.unwrap_err());
    }
    for refusal in refusals {
        assert_eq!((refusal.code(), refusal.message()), (Code::FailedPrecondition, "too few – sorry"));
        assert_eq!(status::reason(&refusal).as_deref(), Some("INSUFFICIENT_STOCK"));
        assert_eq!(status::metadata(&refusal)["sku"], "SHIRT-M");
        assert_eq!(status::violations(&refusal)[0].0, "lines[0].quantity");
        assert_eq!(refusal.get_details_retry_info().unwrap().retry_delay, Some(Duration::from_secs(3)));
    }
}

#[tokio::test]
async fn what_the_edge_itself_refuses_has_details_too() {
    let shop = Shop::open().await;
    let native = shop.orders().get_order(asked()).await.unwrap_err();
    let web = shop.web_orders(Version::HTTP_11).get_order(asked()).await.unwrap_err();
    for refusal in [native, web] {
        assert_eq!(refusal.code(), Code::Unauthenticated);
        assert_eq!(status::reason(&refusal).as_deref(), Some("SIGN_IN_REQUIRED"));
    }
    assert!(shop.desks.seen().is_empty());
}

#[tokio::test]
async fn a_stream_arrives_message_by_message() {
    let shop = Shop::open().await;
    let token = shop.token("users/ann", &[]);
    let watch = || signed(WatchOrderRequest { name: "orders/1".to_owned() }, &token);
    shop.desks.reply_with(Reply::Stream(vec![named("orders/1"), named("orders/2")]));
    let mut streams = vec![shop.orders().watch_order(watch()).await.unwrap().into_inner()];
    for version in BOTH {
        streams.push(shop.web_orders(version).watch_order(watch()).await.unwrap().into_inner());
    }
    for mut stream in streams {
        assert_eq!(stream.message().await.unwrap(), Some(order("orders/1")));
        assert_eq!(stream.message().await.unwrap(), Some(order("orders/2")));
        assert_eq!(stream.message().await.unwrap(), None);
    }
    // The first message does not wait for the second.
    shop.desks.reply_with(Reply::Open(vec![named("orders/3")]));
    for version in BOTH {
        let mut stream = shop.web_orders(version).watch_order(watch()).await.unwrap().into_inner();
        assert_eq!(stream.message().await.unwrap(), Some(order("orders/3")), "{version:?}");
        let silent = tokio::time::timeout(Duration::from_millis(200), stream.message()).await;
        assert!(silent.is_err());
    }
    // A stream has no deadline: its first sign of life has.
    assert!(shop.desks.seen().iter().all(|call| !call.headers.contains_key("grpc-timeout")));
}
