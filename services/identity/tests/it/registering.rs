//! Opening an account.
use chassis::{status, testing::eventually};
use contract::identity::v1 as pb;
use tonic::Code;

use super::support::{OTHER_PASSWORD, PASSWORD, Shop, registration, request_id, verification};

#[tokio::test]
async fn a_code_opens_the_account() {
    let shop = Shop::start().await;
    let user = shop.user("Ann@Example.com").await;
    assert_eq!(user.email, "ann@example.com");
    assert_eq!(user.state(), pb::user::State::Active);
    assert_eq!(user.roles, ["roles/customer"]);
    assert_eq!(shop.announced("UserRegistered", &user.name).await, 1);
    assert_eq!(shop.announced("UserVerified", &user.name).await, 1);
    let session = shop.sign_in("ann@example.com", PASSWORD).await.unwrap();
    assert_eq!(session.subject, user.name);
}

#[tokio::test]
async fn a_taken_address_is_told_to_its_owner_only() {
    let shop = Shop::start().await;
    shop.user("ann@example.com").await;
    shop.sql("UPDATE users SET mail_time = 0").await;
    let attempt = pb::RegisterRequest { password: OTHER_PASSWORD.into(), ..registration("ann@example.com") };
    let answer = shop.anyone().register(attempt).await.unwrap().into_inner();
    assert!(answer.code_expire_time.is_some());
    let kinds = eventually(async || {
        let kinds: Vec<_> = shop.mail.to("ann@example.com").into_iter().map(|message| message.kind).collect();
        (kinds.len() == 2).then_some(kinds)
    })
    .await;
    assert_eq!(kinds, ["verify-contact", "account-exists"]);
    assert!(shop.sign_in("ann@example.com", PASSWORD).await.is_ok());
    assert_eq!(
        shop.sign_in("ann@example.com", OTHER_PASSWORD).await.unwrap_err().code(),
        Code::Unauthenticated
    );
}

#[tokio::test]
async fn five_wrong_tries_spend_a_code() {
    let shop = Shop::start().await;
    shop.register("ann@example.com").await;
    let code = shop.mail.code_for("ann@example.com").await;
    let wrong = if code == "000000" { "000001" } else { "000000" };
    for _ in 0..5 {
        let refusal = shop.anyone().verify_contact(verification("ann@example.com", wrong)).await.unwrap_err();
        assert_eq!(status::reason(&refusal).as_deref(), Some("CODE_INVALID"));
    }
    let spent = shop.anyone().verify_contact(verification("ann@example.com", &code)).await.unwrap_err();
    let unknown = shop.anyone().verify_contact(verification("nobody@example.com", &code)).await.unwrap_err();
    assert_eq!(
        (spent.code(), spent.message(), spent.details()),
        (unknown.code(), unknown.message(), unknown.details())
    );
}

#[tokio::test]
async fn a_code_ends_with_its_time() {
    let shop = Shop::start().await;
    shop.register("ann@example.com").await;
    let code = shop.mail.code_for("ann@example.com").await;
    shop.sql("UPDATE verifications SET expire_time = 0").await;
    let refusal = shop.anyone().verify_contact(verification("ann@example.com", &code)).await.unwrap_err();
    assert_eq!(refusal.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn sending_the_right_code_again_changes_nothing() {
    let shop = Shop::start().await;
    let first = shop.user("ann@example.com").await;
    let code = shop.mail.code_for("ann@example.com").await;
    for _ in 0..7 {
        let again =
            shop.anyone().verify_contact(verification("ann@example.com", &code)).await.unwrap().into_inner();
        assert_eq!(again, first);
    }
    assert_eq!(shop.announced("UserVerified", &first.name).await, 1);
}

#[tokio::test]
async fn a_new_code_comes_at_most_once_a_minute() {
    let shop = Shop::start().await;
    shop.register("ann@example.com").await;
    let first = shop.mail.code_for("ann@example.com").await;
    let resend = || pb::ResendVerificationRequest { email: "ann@example.com".into() };
    shop.anyone().resend_verification(resend()).await.unwrap();
    assert_eq!(shop.count("SELECT COUNT(*) FROM outbound", []).await, 0);
    shop.sql("UPDATE users SET mail_time = mail_time - 61000000").await;
    shop.anyone().resend_verification(resend()).await.unwrap();
    let codes =
        eventually(async || Some(shop.mail.codes_to("ann@example.com")).filter(|codes| codes.len() == 2))
            .await;
    if codes[1] != first {
        assert!(shop.anyone().verify_contact(verification("ann@example.com", &first)).await.is_err());
    }
    assert!(shop.anyone().verify_contact(verification("ann@example.com", &codes[1])).await.is_ok());
    let nobody = pb::ResendVerificationRequest { email: "nobody@example.com".into() };
    assert!(shop.anyone().resend_verification(nobody).await.is_ok());
}

#[tokio::test]
async fn nobodys_code_opens_somebody_elses_password() {
    let shop = Shop::start().await;
    shop.register("ann@example.com").await;
    let code = shop.mail.code_for("ann@example.com").await;
    let other = pb::RegisterRequest { password: OTHER_PASSWORD.into(), ..registration("ann@example.com") };
    shop.anyone().register(other).await.unwrap();
    shop.anyone().verify_contact(verification("ann@example.com", &code)).await.unwrap();
    assert!(shop.sign_in("ann@example.com", PASSWORD).await.is_ok());
    assert!(shop.sign_in("ann@example.com", OTHER_PASSWORD).await.is_err());
}

#[tokio::test]
async fn a_registration_is_repeated_safely() {
    let shop = Shop::start().await;
    let request = pb::RegisterRequest { request_id: request_id(), ..registration("ann@example.com") };
    let first = shop.anyone().register(request.clone()).await.unwrap().into_inner();
    assert_eq!(shop.anyone().register(request.clone()).await.unwrap().into_inner(), first);
    let other = pb::RegisterRequest { password: OTHER_PASSWORD.into(), ..request };
    assert_eq!(shop.anyone().register(other).await.unwrap_err().code(), Code::AlreadyExists);
}

#[tokio::test]
async fn a_code_waits_for_notification_to_come_back() {
    let shop = Shop::start().await;
    shop.mail.go_away(true);
    shop.register("ann@example.com").await;
    eventually(async || {
        (shop.count("SELECT COUNT(*) FROM outbound WHERE attempts > 0", []).await == 1).then_some(())
    })
    .await;
    shop.mail.go_away(false);
    let code = shop.mail.code_for("ann@example.com").await;
    eventually(async || (shop.count("SELECT COUNT(*) FROM outbound", []).await == 0).then_some(())).await;
    assert!(shop.anyone().verify_contact(verification("ann@example.com", &code)).await.is_ok());
}

#[tokio::test]
async fn what_cannot_be_right_is_refused_by_field() {
    let shop = Shop::start().await;
    let fine = || registration("ann@example.com");
    let email = |email: &str| pb::RegisterRequest { email: email.into(), ..fine() };
    let name = |name: &str| pb::RegisterRequest { display_name: name.into(), ..fine() };
    let password = |password: &str| pb::RegisterRequest { password: password.into(), ..fine() };
    let table = [
        (email("a@b.c\r\nBcc: x@y.z"), "email"),
        (email("ᴮᴵᴳ@x.y"), "email"),
        (email("nobody"), "email"),
        (email(""), "email"),
        (name("Ann\0"), "display_name"),
        (name("Ann\u{202e}"), "display_name"),
        (name("\u{200b}\u{200d}"), "display_name"),
        (name("\u{301}"), "display_name"),
        (name(&"x".repeat(101)), "display_name"),
        (password("fourteen-chars"), "password"),
        (password(&"long-".repeat(26)), "password"),
        (password("passwordpassword"), "password"),
        (pb::RegisterRequest { locale: "<b>".into(), ..fine() }, "locale"),
        (pb::RegisterRequest { request_id: "once".into(), ..fine() }, "request_id"),
    ];
    for (request, field) in table {
        let refusal = shop.anyone().register(request).await.unwrap_err();
        assert_eq!(refusal.code(), Code::InvalidArgument, "{field}");
        assert_eq!(status::violations(&refusal)[0].0, field);
    }
    assert_eq!(shop.count("SELECT COUNT(*) FROM users", []).await, 0);
}
