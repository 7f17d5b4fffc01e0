//! The way back to a forgotten password.
use chassis::{status, testing::eventually};
use contract::identity::v1 as pb;
use futures::future::join_all;
use tonic::{Code, Status};

use super::support::{OTHER_PASSWORD, PASSWORD, Shop, me};

const ANN: &str = "ann@example.com";

impl Shop {
    async fn ask_for_code(&self, email: &str) -> Result<(), Status> {
        let request = pb::RequestPasswordResetRequest { email: email.into() };
        self.anyone().request_password_reset(request).await.map(drop)
    }

    async fn reset(&self, email: &str, code: &str, password: &str) -> Result<(), Status> {
        let request = pb::ResetPasswordRequest {
            email: email.into(),
            code: code.into(),
            new_password: password.into(),
        };
        self.anyone().reset_password(request).await.map(drop)
    }

    /// The codes that were sent for a new password, the first first, once there are so many.
    async fn reset_codes(&self, count: usize) -> Vec<String> {
        eventually(async || {
            let sent = self.mail.to(ANN).into_iter().filter(|message| message.kind == "password-reset");
            let codes: Vec<_> = sent.map(|message| message.values[0].value.clone()).collect();
            (codes.len() == count).then_some(codes)
        })
        .await
    }

    /// Somebody with an account who has just been sent a code.
    async fn forgetful(&self) -> String {
        self.user(ANN).await;
        self.ask_for_code(ANN).await.unwrap();
        self.reset_codes(1).await.remove(0)
    }
}

/// How a code reads that does not count, whatever the reason.
fn does_not_count(refusal: &Status) {
    assert_eq!(refusal.code(), Code::Unauthenticated, "{refusal:?}");
    assert_eq!(status::reason(refusal).as_deref(), Some("PASSWORD_RESET_INVALID"));
}

/// A code of the same form that was not sent.
fn other(code: &str) -> &'static str {
    if code == "00000000" { "00000001" } else { "00000000" }
}

#[tokio::test]
async fn a_code_sets_a_new_password_once_and_ends_every_session() {
    let shop = Shop::start().await;
    let code = shop.forgetful().await;
    assert_eq!(code.len(), 8);
    let session = shop.sign_in(ANN, PASSWORD).await.unwrap();

    shop.reset(ANN, &code, OTHER_PASSWORD).await.unwrap();
    assert_eq!(shop.sign_in(ANN, PASSWORD).await.unwrap_err().code(), Code::Unauthenticated);
    assert!(shop.sign_in(ANN, OTHER_PASSWORD).await.is_ok());
    assert_eq!(shop.refresh(&session.refresh_token).await.unwrap_err().code(), Code::Unauthenticated);
    eventually(async || {
        me(shop.with(&session)).await.err().filter(|refusal| refusal.code() == Code::Unauthenticated)
    })
    .await;
    eventually(async || {
        shop.mail.to(ANN).iter().any(|message| message.kind == "password-changed").then_some(())
    })
    .await;

    does_not_count(&shop.reset(ANN, &code, PASSWORD).await.unwrap_err());
    assert!(shop.sign_in(ANN, OTHER_PASSWORD).await.is_ok());
}

#[tokio::test]
async fn a_code_ends_after_half_an_hour() {
    let shop = Shop::start().await;
    let code = shop.forgetful().await;
    shop.sql("UPDATE password_resets SET expire_time = expire_time - 1800000000").await;
    does_not_count(&shop.reset(ANN, &code, OTHER_PASSWORD).await.unwrap_err());
    assert!(shop.sign_in(ANN, PASSWORD).await.is_ok());
}

#[tokio::test]
async fn five_wrong_tries_spend_a_code() {
    let shop = Shop::start().await;
    let code = shop.forgetful().await;
    for _ in 0..5 {
        does_not_count(&shop.reset(ANN, other(&code), OTHER_PASSWORD).await.unwrap_err());
    }
    does_not_count(&shop.reset(ANN, &code, OTHER_PASSWORD).await.unwrap_err());
    assert!(shop.sign_in(ANN, PASSWORD).await.is_ok());
}

#[tokio::test]
async fn only_the_newest_code_counts() {
    let shop = Shop::start().await;
    let first = shop.forgetful().await;
    shop.ask_for_code(ANN).await.unwrap();
    let second = shop.reset_codes(2).await.remove(1);
    if first != second {
        does_not_count(&shop.reset(ANN, &first, OTHER_PASSWORD).await.unwrap_err());
    }
    shop.reset(ANN, &second, OTHER_PASSWORD).await.unwrap();
}

#[tokio::test]
async fn known_and_unknown_addresses_are_answered_the_same() {
    let shop = Shop::start().await;
    shop.user(ANN).await;
    for email in [ANN, "nobody@example.com"] {
        for _ in 0..3 {
            shop.ask_for_code(email).await.unwrap();
        }
        let refusal = shop.ask_for_code(email).await.unwrap_err();
        assert_eq!(refusal.code(), Code::ResourceExhausted, "{email}");
        assert_eq!(status::reason(&refusal).as_deref(), Some("PASSWORD_RESET_LIMITED"));
        does_not_count(&shop.reset(email, "not a code", OTHER_PASSWORD).await.unwrap_err());
    }
    assert!(shop.mail.to("nobody@example.com").is_empty());
    // An hour later they may ask again.
    shop.sql("UPDATE password_resets SET window_time = window_time - 3600000000").await;
    for email in [ANN, "nobody@example.com"] {
        shop.ask_for_code(email).await.unwrap();
    }
}

#[tokio::test]
async fn many_who_ask_at_once_are_sent_no_more_than_three_codes() {
    let shop = Shop::start().await;
    shop.user(ANN).await;
    let answers = join_all((0..10).map(|_| shop.ask_for_code(ANN))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 3);
}

#[tokio::test]
async fn of_many_who_use_a_code_at_once_one_does() {
    let shop = Shop::start().await;
    let code = shop.forgetful().await;
    let passwords = ["plum-otter-violin-74", "plum-otter-violin-75", "plum-otter-violin-76"];
    let answers = join_all(passwords.map(|password| shop.reset(ANN, &code, password))).await;
    let winners: Vec<_> = passwords.into_iter().zip(&answers).filter(|(_, answer)| answer.is_ok()).collect();
    assert_eq!(winners.len(), 1, "{answers:?}");
    assert!(shop.sign_in(ANN, winners[0].0).await.is_ok());
}

#[tokio::test]
async fn a_new_password_keeps_the_rules_and_a_bad_one_costs_no_try() {
    let shop = Shop::start().await;
    let code = shop.forgetful().await;
    for password in ["fourteen-chars", "passwordpassword", &"long-".repeat(26)] {
        for _ in 0..2 {
            let refusal = shop.reset(ANN, &code, password).await.unwrap_err();
            assert_eq!(refusal.code(), Code::InvalidArgument);
            assert_eq!(status::violations(&refusal)[0].0, "new_password");
        }
    }
    shop.reset(ANN, &code, OTHER_PASSWORD).await.unwrap();
}

#[tokio::test]
async fn a_new_password_lifts_the_lock_of_failed_sign_ins() {
    let shop = Shop::start().await;
    let code = shop.forgetful().await;
    for _ in 0..5 {
        shop.sign_in(ANN, OTHER_PASSWORD).await.unwrap_err();
    }
    assert_eq!(shop.sign_in(ANN, PASSWORD).await.unwrap_err().code(), Code::ResourceExhausted);
    shop.reset(ANN, &code, OTHER_PASSWORD).await.unwrap();
    assert!(shop.sign_in(ANN, OTHER_PASSWORD).await.is_ok());
}

#[tokio::test]
async fn a_code_proves_an_address_that_was_not_proven() {
    let shop = Shop::start().await;
    shop.register(ANN).await;
    shop.ask_for_code(ANN).await.unwrap();
    let code = shop.reset_codes(1).await.remove(0);
    shop.reset(ANN, &code, OTHER_PASSWORD).await.unwrap();
    let session = shop.sign_in(ANN, OTHER_PASSWORD).await.unwrap();
    assert_eq!(shop.announced("UserVerified", &session.subject).await, 1);
}

#[tokio::test]
async fn a_shut_account_is_not_opened_by_a_code() {
    let shop = Shop::start().await;
    let code = shop.forgetful().await;
    let (mut admin, _) = shop.admin("admin@example.com").await;
    let user = shop.sign_in(ANN, PASSWORD).await.unwrap().subject;
    admin.disable_user(pb::DisableUserRequest { name: user }).await.unwrap();
    does_not_count(&shop.reset(ANN, &code, OTHER_PASSWORD).await.unwrap_err());
    shop.ask_for_code(ANN).await.unwrap();
    assert_eq!(shop.reset_codes(1).await, [code]);
}

#[tokio::test]
async fn an_erased_accounts_code_opens_no_later_account() {
    let shop = Shop::start().await;
    let code = shop.forgetful().await;
    let session = shop.sign_in(ANN, PASSWORD).await.unwrap();
    let erase = pb::DeleteUserRequest { name: "users/me".into(), ..Default::default() };
    shop.with(&session).delete_user(erase).await.unwrap();
    shop.register(ANN).await;
    does_not_count(&shop.reset(ANN, &code, OTHER_PASSWORD).await.unwrap_err());
    assert_eq!(shop.announced("UserVerified", &session.subject).await, 1);
    assert_eq!(shop.count("SELECT COUNT(*) FROM users WHERE state = 'UNVERIFIED'", []).await, 1);
}
