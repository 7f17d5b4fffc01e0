//! Mail that is really sent, to a server that fails and dawdles.
use std::time::Duration;

use chassis::{status, testing::eventually};
use contract::notification::v1::{self as pb, notification::State, template::Channel};
use tonic::Code;

use super::{
    smtp::{Mood, Smtp},
    support::{ANN, Shop, request_id, send},
};

#[tokio::test]
async fn a_message_reaches_the_server_with_its_headers() {
    let smtp = Smtp::start().await;
    let shop = Shop::mailing(&smtp.url).await;
    let request = send("verify-contact", "Ann@Example.com", &[("code", "12\r\nBcc: eve@example.com")]);
    shop.identity().send_notification(request).await.unwrap();
    let told = shop.ended(ANN, "verify-contact", Channel::Email).await;
    assert_eq!(told.state(), State::Sent);
    assert!(told.subject.is_empty() && told.body.is_empty());
    let taken = smtp.taken();
    assert_eq!(taken.len(), 1);
    let (head, body) = taken[0].split_once("\n\n").unwrap();
    assert!(head.contains("To: ann@example.com") && head.contains("From: Shop <shop@example.com>"), "{head}");
    assert!(
        head.contains(&format!(
            "Message-ID: <{}@example.com>",
            told.name.trim_start_matches("notifications/")
        )),
        "{head}"
    );
    assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
    assert!(body.contains("Bcc: eve@example.com"));
}

#[tokio::test]
async fn a_server_that_is_busy_is_tried_again() {
    let smtp = Smtp::start().await;
    let shop = Shop::mailing(&smtp.url).await;
    smtp.next(3, Mood::Refusing(451));
    shop.identity().send_notification(send("account-exists", "ann@example.com", &[])).await.unwrap();
    let told = shop.ended(ANN, "account-exists", Channel::Email).await;
    assert_eq!((told.state(), told.attempts, smtp.taken().len()), (State::Sent, 4, 1));
}

#[tokio::test]
async fn a_slow_server_is_waited_for() {
    let smtp = Smtp::start().await;
    let shop = Shop::mailing(&smtp.url).await;
    smtp.next(1, Mood::Slow(Duration::from_millis(700)));
    for _ in 0..3 {
        shop.identity().send_notification(send("account-exists", "ann@example.com", &[])).await.unwrap();
    }
    eventually(async || {
        shop.of(ANN).await.iter().all(|message| message.state() == State::Sent).then_some(())
    })
    .await;
    assert_eq!(smtp.taken().len(), 3);
}

#[tokio::test]
async fn an_answer_that_is_lost_shows_in_the_count_of_tries() {
    let smtp = Smtp::start().await;
    let shop = Shop::mailing(&smtp.url).await;
    smtp.next(1, Mood::Forgetful);
    shop.identity().send_notification(send("account-exists", "ann@example.com", &[])).await.unwrap();
    let told = shop.ended(ANN, "account-exists", Channel::Email).await;
    let taken = smtp.taken();
    assert_eq!((told.state(), told.attempts, taken.len()), (State::Sent, 2, 2));
    // The server can tell that it is the same message.
    let id =
        |message: &String| message.lines().find(|line| line.starts_with("Message-ID")).map(str::to_owned);
    assert_eq!(id(&taken[0]), id(&taken[1]));
}

#[tokio::test]
async fn a_message_is_given_up_after_five_tries_and_sent_when_asked() {
    let smtp = Smtp::start().await;
    let shop = Shop::mailing(&smtp.url).await;
    smtp.next(5, Mood::Refusing(451));
    shop.identity().send_notification(send("account-exists", "ann@example.com", &[])).await.unwrap();
    let told = shop.ended(ANN, "account-exists", Channel::Email).await;
    assert_eq!((told.state(), told.attempts), (State::Failed, 5));
    assert_eq!(told.failure, "the mail server refused it (451)");
    assert_eq!(
        shop.count(
            "SELECT COUNT(*) FROM outbox WHERE kind = 'cartwright.notification.v1.NotificationFailed'"
        )
        .await,
        1
    );

    let mut staff = shop.staff(&["message.resend"]);
    let resend = pb::ResendNotificationRequest { name: told.name.clone(), request_id: request_id() };
    let first = staff.resend_notification(resend.clone()).await.unwrap().into_inner();
    assert_eq!(first.state(), State::Pending);
    assert_eq!(staff.resend_notification(resend.clone()).await.unwrap().into_inner(), first);
    assert_eq!(shop.ended(ANN, "account-exists", Channel::Email).await.state(), State::Sent);
    let again = pb::ResendNotificationRequest { request_id: request_id(), ..resend };
    let refusal = staff.resend_notification(again).await.unwrap_err();
    assert_eq!(
        (refusal.code(), status::reason(&refusal).as_deref()),
        (Code::FailedPrecondition, Some("NOTIFICATION_NOT_FAILED"))
    );
}

#[tokio::test]
async fn a_refusal_for_good_is_not_argued_with() {
    let smtp = Smtp::start().await;
    let shop = Shop::mailing(&smtp.url).await;
    smtp.next(1, Mood::Refusing(550));
    shop.identity()
        .send_notification(send("verify-contact", "ann@example.com", &[("code", "123456")]))
        .await
        .unwrap();
    let told = shop.ended(ANN, "verify-contact", Channel::Email).await;
    assert_eq!((told.state(), told.attempts), (State::Failed, 1));
    assert_eq!(shop.count("SELECT COUNT(*) FROM notifications WHERE filling LIKE '%123456%'").await, 0);
    let resend = pb::ResendNotificationRequest { name: told.name, request_id: request_id() };
    let refusal = shop.staff(&["message.resend"]).resend_notification(resend).await.unwrap_err();
    assert_eq!(status::reason(&refusal).as_deref(), Some("NOTIFICATION_NOT_KEPT"));
}

#[tokio::test]
async fn there_is_no_development_inbox_where_mail_is_sent() {
    let smtp = Smtp::start().await;
    let shop = Shop::mailing(&smtp.url).await;
    let refusal =
        shop.anyone().list_inbox_messages(pb::ListInboxMessagesRequest::default()).await.unwrap_err();
    assert_eq!(
        (refusal.code(), status::reason(&refusal).as_deref()),
        (Code::FailedPrecondition, Some("INBOX_DISABLED"))
    );
}
