//! Messages that another service asks for, and who may read which.
use chassis::{status, testing::eventually};
use contract::notification::v1::{self as pb, notification::State};
use tonic::Code;

use super::support::{ANN, BOB, Shop, request_id, send};

#[tokio::test]
async fn a_code_arrives_in_the_development_inbox() {
    let shop = Shop::start().await;
    let request = send("verify-contact", "New@Example.com", &[("code", "123456")]);
    let first = shop.identity().send_notification(request.clone()).await.unwrap().into_inner();
    assert_eq!(first.state(), State::Pending);
    assert_eq!(shop.identity().send_notification(request).await.unwrap().into_inner(), first);
    let caught =
        eventually(async || Some(shop.caught("New@example.com").await).filter(|caught| !caught.is_empty()))
            .await;
    assert_eq!(caught.len(), 1);
    assert_eq!(
        (caught[0].subject.as_str(), caught[0].address.as_str()),
        ("Your code is 123456", "new@example.com")
    );
    assert_eq!(shop.count("SELECT COUNT(*) FROM notifications WHERE filling LIKE '%123456%'").await, 0);
}

#[tokio::test]
async fn values_are_put_in_literally() {
    let shop = Shop::start().await;
    for value in ["{{7*7}}", "<script>alert(1)</script>"] {
        shop.identity()
            .send_notification(send("verify-contact", "ann@example.com", &[("code", value)]))
            .await
            .unwrap();
        eventually(async || {
            let caught = shop.caught("ann@example.com").await;
            caught.into_iter().find(|mail| mail.subject == format!("Your code is {value}"))
        })
        .await;
    }
}

#[tokio::test]
async fn only_identity_asks_for_messages() {
    let shop = Shop::start().await;
    let request = || send("verify-contact", "ann@example.com", &[]);
    assert_eq!(shop.anyone().send_notification(request()).await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(
        shop.customer(ANN).send_notification(request()).await.unwrap_err().code(),
        Code::PermissionDenied
    );
    assert_eq!(
        shop.staff(&["message.resend"]).send_notification(request()).await.unwrap_err().code(),
        Code::PermissionDenied
    );
}

#[tokio::test]
async fn what_cannot_be_right_is_refused_by_field() {
    let shop = Shop::start().await;
    let fine = || send("verify-contact", "ann@example.com", &[]);
    let table = [
        (pb::SendNotificationRequest { kind: "nothing".into(), ..fine() }, "kind"),
        (pb::SendNotificationRequest { recipient: "carts/1".into(), ..fine() }, "recipient"),
        (pb::SendNotificationRequest { address: "a@b.c\r\nBcc: x@y.z".into(), ..fine() }, "address"),
        (pb::SendNotificationRequest { locale: "<b>".into(), ..fine() }, "locale"),
        (pb::SendNotificationRequest { request_id: String::new(), ..fine() }, "request_id"),
    ];
    for (request, field) in table {
        let refusal = shop.identity().send_notification(request).await.unwrap_err();
        assert_eq!(refusal.code(), Code::InvalidArgument, "{field}");
        assert_eq!(status::violations(&refusal)[0].0, field);
    }
    let reused = fine();
    shop.identity().send_notification(reused.clone()).await.unwrap();
    let other = pb::SendNotificationRequest { kind: "account-exists".into(), ..reused };
    assert_eq!(shop.identity().send_notification(other).await.unwrap_err().code(), Code::AlreadyExists);
}

#[tokio::test]
async fn everybody_reads_their_own_messages_page_by_page() {
    let shop = Shop::start().await;
    for _ in 0..5 {
        shop.identity().send_notification(send("account-exists", "ann@example.com", &[])).await.unwrap();
    }
    assert_eq!(shop.of(BOB).await.len(), 0);
    let mut seen = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListNotificationsRequest { page_size: 2, page_token };
        let page = shop.customer(ANN).list_notifications(request).await.unwrap().into_inner();
        seen.extend(page.notifications.into_iter().map(|message| message.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
        let foreign = pb::ListNotificationsRequest { page_size: 2, page_token: page_token.clone() };
        assert_eq!(
            shop.customer(BOB).list_notifications(foreign).await.unwrap_err().code(),
            Code::InvalidArgument
        );
    }
    assert_eq!(seen.len(), 5);
    let whole: Vec<_> = shop.of(ANN).await.into_iter().map(|message| message.name).collect();
    assert_eq!(seen, whole);
    assert_eq!(
        shop.anyone().list_notifications(pb::ListNotificationsRequest::default()).await.unwrap_err().code(),
        Code::Unauthenticated
    );
}

#[tokio::test]
async fn only_who_may_sends_again() {
    let shop = Shop::start().await;
    let resend = || pb::ResendNotificationRequest {
        name: "notifications/01890000-0000-7000-8000-000000000000".into(),
        request_id: request_id(),
    };
    assert_eq!(
        shop.customer(ANN).resend_notification(resend()).await.unwrap_err().code(),
        Code::PermissionDenied
    );
    assert_eq!(
        shop.staff(&["message.resend"]).resend_notification(resend()).await.unwrap_err().code(),
        Code::NotFound
    );
}
