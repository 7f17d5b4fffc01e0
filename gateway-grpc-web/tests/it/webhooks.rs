//! What payment channels announce, on its way to payment.
use bytes::Bytes;
use chassis::status;
use contract::payment::v1::ReceiveWebhookRequest;
use http::{Request, Version};
use prost::Message;
use tonic::Code;

use crate::desk::Reply;
use crate::shop::Shop;

const PATH: &str = "/webhooks/payments/sandbox";

#[tokio::test]
async fn an_announcement_reaches_payment_byte_for_byte() {
    let shop = Shop::open().await;
    let body = vec![0xFF; 1024 * 1024];
    let announcement = Request::post(PATH)
        .header("content-type", "application/json")
        .header("webhook-id", "evt_1")
        .header("stripe-signature", "t=1,v1=abc")
        .header("authorization", "Basic c2VjcmV0")
        .header("x-forwarded-for", "192.0.2.1")
        .body(Bytes::from(body.clone()))
        .unwrap();
    assert_eq!(shop.send(Version::HTTP_11, announcement).await.status, 200);
    let seen = &shop.desks.seen()[0];
    assert_eq!((seen.noun, seen.caller.service()), ("payment", Some("gateway")));
    let request = ReceiveWebhookRequest::decode(&seen.body[5..]).unwrap();
    assert_eq!((request.channel.as_str(), request.body == body), ("sandbox", true));
    let mut headers: Vec<_> = request.headers.iter().map(|header| (&*header.name, &*header.value)).collect();
    headers.sort_unstable();
    assert_eq!(headers, [("stripe-signature", "t=1,v1=abc"), ("webhook-id", "evt_1")]);
}

#[tokio::test]
async fn a_sender_learns_by_the_status_whether_to_send_again() {
    let shop = Shop::open().await;
    for (code, expected) in [
        (Code::Unauthenticated, 401),
        (Code::InvalidArgument, 400),
        (Code::NotFound, 404),
        (Code::Unavailable, 503),
        (Code::Internal, 503),
    ] {
        let refusal = status::plain(code, "NO", "payment", "no", &[]);
        shop.desks.reply_with(Reply::Refuse(Box::new(refusal)));
        let answer = shop.send(Version::HTTP_11, Request::post(PATH).body("{}").unwrap()).await;
        assert_eq!(answer.status.as_u16(), expected, "{code:?}");
    }
}

#[tokio::test]
async fn what_is_no_announcement_does_not_reach_payment() {
    let shop = Shop::open().await;
    let too_large = Request::post(PATH).body(Bytes::from(vec![b' '; 2 * 1024 * 1024])).unwrap();
    assert_eq!(shop.send(Version::HTTP_2, too_large).await.status, 413);
    let read = shop.get(PATH).await;
    assert_eq!((read.status.as_u16(), read.text("allow")), (405, "POST"));
    assert!(shop.desks.seen().is_empty());
}
