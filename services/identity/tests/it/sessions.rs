//! Sessions, from the first token to the end of the last.
use chassis::{status, testing::eventually};
use contract::identity::v1 as pb;
use tonic::Code;

use super::support::{OTHER_PASSWORD, PASSWORD, Shop, me};

#[tokio::test]
async fn a_refresh_token_is_traded_for_the_next() {
    let shop = Shop::start().await;
    let (_, first) = shop.customer("ann@example.com").await;
    let second = shop.refresh(&first.refresh_token).await.unwrap();
    assert_ne!(second.refresh_token, first.refresh_token);
    assert_eq!(second.subject, first.subject);
    assert_eq!(me(shop.with(&second)).await.unwrap(), second.user.clone().unwrap());
    assert!(shop.refresh(&second.refresh_token).await.is_ok());
}

#[tokio::test]
async fn a_lost_answer_gives_the_same_successor() {
    let shop = Shop::start().await;
    let (_, first) = shop.customer("ann@example.com").await;
    let answers = futures::future::join_all((0..5).map(|_| shop.refresh(&first.refresh_token))).await;
    let successors: std::collections::BTreeSet<_> =
        answers.into_iter().map(|answer| answer.unwrap().refresh_token).collect();
    assert_eq!(successors.len(), 1);
    assert_eq!(shop.count("SELECT COUNT(*) FROM refresh_tokens WHERE use_time IS NULL", []).await, 1);
}

#[tokio::test]
async fn a_token_used_again_ends_the_whole_family() {
    let shop = Shop::start().await;
    let (_, first) = shop.customer("ann@example.com").await;
    let second = shop.refresh(&first.refresh_token).await.unwrap();
    shop.sql("UPDATE refresh_tokens SET use_time = use_time - 11000000 WHERE use_time IS NOT NULL").await;
    for token in [&first.refresh_token, &second.refresh_token] {
        let refusal = shop.refresh(token).await.unwrap_err();
        assert_eq!(refusal.code(), Code::Unauthenticated);
        assert_eq!(status::reason(&refusal).as_deref(), Some("REFRESH_TOKEN_INVALID"));
    }
    ends(&shop, &second).await;
    assert_eq!(shop.count("SELECT COUNT(*) FROM refresh_tokens", []).await, 0);
}

#[tokio::test]
async fn a_token_that_is_none_is_refused() {
    let shop = Shop::start().await;
    let (_, session) = shop.customer("ann@example.com").await;
    for token in ["x", "' OR 1=1--", &session.access_token[..200], "ᴮ"] {
        assert_eq!(shop.refresh(token).await.unwrap_err().code(), Code::Unauthenticated, "{token}");
    }
    assert_eq!(shop.refresh("").await.unwrap_err().code(), Code::InvalidArgument);
    let with_refresh = pb::Session { access_token: session.refresh_token.clone(), ..session.clone() };
    assert_eq!(me(shop.with(&with_refresh)).await.unwrap_err().code(), Code::Unauthenticated);
    shop.sql("UPDATE refresh_tokens SET expire_time = 0").await;
    assert_eq!(shop.refresh(&session.refresh_token).await.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_session_that_is_logged_out_is_over() {
    let shop = Shop::start().await;
    let (mut here, session) = shop.customer("ann@example.com").await;
    let elsewhere = shop.sign_in("ann@example.com", PASSWORD).await.unwrap();
    here.logout(pb::LogoutRequest {}).await.unwrap();
    ends(&shop, &session).await;
    assert!(shop.refresh(&session.refresh_token).await.is_err());
    assert!(me(shop.with(&elsewhere)).await.is_ok());
    let policy = shop
        .service("cart")
        .get_access_policy(pb::GetAccessPolicyRequest { known_version: 0 })
        .await
        .unwrap();
    assert_eq!(policy.into_inner().revocations.len(), 1);
}

#[tokio::test]
async fn all_sessions_end_at_once() {
    let shop = Shop::start().await;
    let (mut ann, first) = shop.customer("ann@example.com").await;
    let second = shop.sign_in("ann@example.com", PASSWORD).await.unwrap();
    let (mut bob, _) = shop.customer("bob@example.com").await;
    let of = |user: &str| pb::RevokeSessionsRequest { user: user.into() };
    let foreign = bob.revoke_sessions(of(&first.subject)).await.unwrap_err();
    let absent = bob.revoke_sessions(of("users/01890000-0000-7000-8000-000000000000")).await.unwrap_err();
    assert_eq!(
        (foreign.code(), foreign.message(), foreign.details()),
        (Code::NotFound, absent.message(), absent.details())
    );
    ann.revoke_sessions(of("users/me")).await.unwrap();
    ends(&shop, &first).await;
    ends(&shop, &second).await;
    assert!(shop.sign_in("ann@example.com", PASSWORD).await.is_ok());
}

#[tokio::test]
async fn a_new_password_ends_all_other_sessions() {
    let shop = Shop::start().await;
    let (mut here, session) = shop.customer("ann@example.com").await;
    let elsewhere = shop.sign_in("ann@example.com", PASSWORD).await.unwrap();
    let change = |current: &str, new: &str| pb::ChangePasswordRequest {
        current_password: current.into(),
        new_password: new.into(),
    };
    for (request, field) in [
        (change(OTHER_PASSWORD, OTHER_PASSWORD), "current_password"),
        (change(PASSWORD, "aaaaaaaaaaaaaaaaaaa"), "new_password"),
        (change(PASSWORD, "short"), "new_password"),
    ] {
        let refusal = here.change_password(request).await.unwrap_err();
        assert_eq!(
            (refusal.code(), status::violations(&refusal)[0].0.as_str()),
            (Code::InvalidArgument, field)
        );
    }
    here.change_password(change(PASSWORD, OTHER_PASSWORD)).await.unwrap();
    ends(&shop, &elsewhere).await;
    assert!(me(shop.with(&session)).await.is_ok());
    assert!(shop.sign_in("ann@example.com", PASSWORD).await.is_err());
    assert!(shop.sign_in("ann@example.com", OTHER_PASSWORD).await.is_ok());
    eventually(async || {
        shop.mail.to("ann@example.com").into_iter().find(|message| message.kind == "password-changed")
    })
    .await;
}

#[tokio::test]
async fn a_guest_has_a_session_too() {
    let shop = Shop::start().await;
    let (guest, session) = shop.guest().await;
    assert!(session.subject.starts_with("guests/") && session.user.is_none());
    assert_eq!(me(guest).await.unwrap_err().code(), Code::PermissionDenied);
    let next = shop.refresh(&session.refresh_token).await.unwrap();
    assert_eq!(next.subject, session.subject);
}

#[tokio::test]
async fn a_session_that_is_over_does_not_keep_anybody_from_the_next() {
    let shop = Shop::start().await;
    let (here, session) = shop.customer("ann@example.com").await;
    let elsewhere = shop.sign_in("ann@example.com", PASSWORD).await.unwrap();
    here.clone().logout(pb::LogoutRequest {}).await.unwrap();
    ends(&shop, &session).await;
    let login = pb::LoginRequest { email: "ann@example.com".into(), password: PASSWORD.into() };
    let next = shop.with(&session).login(login).await.unwrap().into_inner();
    assert!(me(shop.with(&next)).await.is_ok());
    let refresh = pb::RefreshSessionRequest { refresh_token: elsewhere.refresh_token };
    assert!(shop.with(&session).refresh_session(refresh).await.is_ok());
    assert!(shop.with(&session).create_guest(pb::CreateGuestRequest {}).await.is_ok());
    // What is no token of ours still is none.
    let forged = pb::Session { access_token: "x.y.z".into(), ..session };
    let refusal = shop.with(&forged).create_guest(pb::CreateGuestRequest {}).await.unwrap_err();
    assert_eq!(status::reason(&refusal).as_deref(), Some("TOKEN_INVALID"));
}

/// Waits until an access token is refused.
async fn ends(shop: &Shop, session: &pb::Session) {
    let refusal = eventually(async || me(shop.with(session)).await.err()).await;
    assert_eq!(refusal.code(), Code::Unauthenticated);
    assert_eq!(status::reason(&refusal).as_deref(), Some("SESSION_ENDED"));
}
