//! Signing in.
use chassis::status;
use contract::identity::v1 as pb;
use tonic::Code;

use super::support::{OTHER_PASSWORD, PASSWORD, Shop, me};

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_read_the_same() {
    let shop = Shop::start().await;
    shop.user("ann@example.com").await;
    let wrong = shop.sign_in("ann@example.com", OTHER_PASSWORD).await.unwrap_err();
    let unknown = shop.sign_in("nobody@example.com", OTHER_PASSWORD).await.unwrap_err();
    assert_eq!(wrong.code(), Code::Unauthenticated);
    assert_eq!(
        (wrong.code(), wrong.message(), wrong.details()),
        (unknown.code(), unknown.message(), unknown.details())
    );
}

#[tokio::test]
async fn an_unproven_address_is_told_after_the_right_password_only() {
    let shop = Shop::start().await;
    shop.register("ann@example.com").await;
    assert_eq!(
        shop.sign_in("ann@example.com", OTHER_PASSWORD).await.unwrap_err().code(),
        Code::Unauthenticated
    );
    let refusal = shop.sign_in("ann@example.com", PASSWORD).await.unwrap_err();
    assert_eq!(refusal.code(), Code::FailedPrecondition);
    assert_eq!(status::reason(&refusal).as_deref(), Some("CONTACT_UNVERIFIED"));
}

#[tokio::test]
async fn five_failures_lock_an_address_known_or_not() {
    let shop = Shop::start().await;
    shop.user("ann@example.com").await;
    for email in ["ann@example.com", "nobody@example.com"] {
        for _ in 0..5 {
            assert_eq!(shop.sign_in(email, OTHER_PASSWORD).await.unwrap_err().code(), Code::Unauthenticated);
        }
        let locked = shop.sign_in(email, PASSWORD).await.unwrap_err();
        assert_eq!(locked.code(), Code::ResourceExhausted);
        assert_eq!(status::reason(&locked).as_deref(), Some("SIGN_IN_LOCKED"));
    }
    shop.sql("UPDATE sign_in_failures SET locked_until = 1").await;
    assert!(shop.sign_in("ann@example.com", PASSWORD).await.is_ok());
    assert_eq!(shop.count("SELECT COUNT(*) FROM sign_in_failures", []).await, 1);
}

#[tokio::test]
async fn many_guesses_at_once_are_no_more_than_five() {
    let shop = Shop::start().await;
    shop.user("ann@example.com").await;
    let guesses = (0..20).map(|_| shop.sign_in("ann@example.com", OTHER_PASSWORD));
    let refusals: Vec<_> =
        futures::future::join_all(guesses).await.into_iter().map(|guess| guess.unwrap_err().code()).collect();
    assert_eq!(refusals.iter().filter(|code| **code == Code::Unauthenticated).count(), 5);
    assert_eq!(refusals.iter().filter(|code| **code == Code::ResourceExhausted).count(), 15);
}

#[tokio::test]
async fn a_success_forgets_the_failures_before() {
    let shop = Shop::start().await;
    shop.user("ann@example.com").await;
    for _ in 0..2 {
        for _ in 0..4 {
            shop.sign_in("ann@example.com", OTHER_PASSWORD).await.unwrap_err();
        }
        shop.sign_in("ann@example.com", PASSWORD).await.unwrap();
    }
}

#[tokio::test]
async fn failures_long_ago_do_not_count() {
    let shop = Shop::start().await;
    shop.user("ann@example.com").await;
    for _ in 0..4 {
        shop.sign_in("ann@example.com", OTHER_PASSWORD).await.unwrap_err();
    }
    shop.sql("UPDATE sign_in_failures SET window_time = window_time - 901000000").await;
    for _ in 0..4 {
        assert_eq!(
            shop.sign_in("ann@example.com", OTHER_PASSWORD).await.unwrap_err().code(),
            Code::Unauthenticated
        );
    }
    assert!(shop.sign_in("ann@example.com", PASSWORD).await.is_ok());
}

#[tokio::test]
async fn an_older_pepper_is_replaced_at_sign_in() {
    let shop = Shop::start_with_secret().await;
    let admin = identity::create_admin(&shop.db, "admin@example.com", None).await.unwrap();
    assert!(admin.password.len() >= 20);
    let old = shop.count("SELECT COUNT(DISTINCT pepper_id) FROM credentials", []).await;
    assert_eq!(old, 1);
    for _ in 0..2 {
        shop.sign_in("admin@example.com", &admin.password).await.unwrap();
    }
    shop.user("ann@example.com").await;
    assert_eq!(shop.count("SELECT COUNT(DISTINCT pepper_id) FROM credentials", []).await, 1);
}

#[tokio::test]
async fn the_first_administrator_is_made_once() {
    let shop = Shop::start().await;
    let first = identity::create_first_admin(&shop.db, "admin@example.com").await.unwrap().unwrap();
    assert!(identity::create_first_admin(&shop.db, "other@example.com").await.unwrap().is_none());
    assert!(identity::create_admin(&shop.db, "admin@example.com", None).await.is_err());
    assert!(identity::create_admin(&shop.db, "other@example.com", Some("too short")).await.is_err());
    let session = shop.sign_in(&first.email, &first.password).await.unwrap();
    let admin = me(shop.with(&session)).await.unwrap();
    assert_eq!(admin.name, first.user);
    assert_eq!(admin.roles, ["roles/admin", "roles/customer"]);
    assert_eq!(admin.state(), pb::user::State::Active);
}
