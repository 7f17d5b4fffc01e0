//! Accounts: reading, changing, shutting out, forgetting, taking over.
use chassis::{status, testing::eventually};
use contract::identity::v1 as pb;
use prost_types::FieldMask;
use tonic::{Code, Response};

use super::support::{PASSWORD, Shop, me, request_id};

const NOBODY: &str = "users/01890000-0000-7000-8000-000000000000";

fn get(name: &str) -> pb::GetUserRequest {
    pb::GetUserRequest { name: name.into() }
}

fn update(user: pb::User, paths: &[&str]) -> pb::UpdateUserRequest {
    let update_mask = Some(FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() });
    pb::UpdateUserRequest { user: Some(user), update_mask, request_id: String::new() }
}

#[tokio::test]
async fn somebody_else_is_not_found_as_if_absent() {
    let shop = Shop::start().await;
    let (_, ann) = shop.customer("ann@example.com").await;
    let (mut bob, _) = shop.customer("bob@example.com").await;
    let foreign = bob.get_user(get(&ann.subject)).await.unwrap_err();
    let absent = bob.get_user(get(NOBODY)).await.unwrap_err();
    assert_eq!(
        (foreign.code(), foreign.message(), foreign.details()),
        (Code::NotFound, absent.message(), absent.details())
    );
    let theirs = pb::User { name: ann.subject.clone(), display_name: "X".into(), ..pb::User::default() };
    assert_eq!(bob.update_user(update(theirs, &[])).await.unwrap_err().code(), Code::NotFound);
    let delete = pb::DeleteUserRequest { name: ann.subject.clone(), request_id: String::new() };
    assert_eq!(bob.delete_user(delete).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(
        bob.get_user(get("users/'; DROP TABLE users")).await.unwrap_err().code(),
        Code::InvalidArgument
    );
    assert_eq!(
        bob.list_users(pb::ListUsersRequest::default()).await.unwrap_err().code(),
        Code::PermissionDenied
    );
    assert_eq!(
        shop.service("notification").get_user(get(&ann.subject)).await.unwrap().into_inner().name,
        ann.subject
    );
}

#[tokio::test]
async fn a_profile_changes_where_the_mask_says() {
    let shop = Shop::start().await;
    let (mut ann, session) = shop.customer("ann@example.com").await;
    let new = pb::User {
        name: "users/me".into(),
        display_name: "Anna".into(),
        locale: "de".into(),
        ..pb::User::default()
    };
    let changed = ann.update_user(update(new.clone(), &["display_name"])).await.unwrap().into_inner();
    assert_eq!((changed.display_name.as_str(), changed.locale.as_str()), ("Anna", "en"));
    let changed = ann
        .update_user(update(pb::User { display_name: String::new(), ..new.clone() }, &[]))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((changed.display_name.as_str(), changed.locale.as_str()), ("Anna", "de"));
    let before = session.user.unwrap().etag;
    let stale = pb::User { etag: before, ..new.clone() };
    let refusal = ann.update_user(update(stale, &[])).await.unwrap_err();
    assert_eq!((refusal.code(), status::reason(&refusal).as_deref()), (Code::Aborted, Some("ETAG_MISMATCH")));
    let current = pb::User { etag: changed.etag, ..new.clone() };
    assert!(ann.update_user(update(current, &[])).await.is_ok());
    assert_eq!(
        ann.update_user(update(new.clone(), &["email"])).await.unwrap_err().code(),
        Code::InvalidArgument
    );
    let bad = pb::User { display_name: "\u{202e}".into(), ..new };
    assert_eq!(ann.update_user(update(bad, &[])).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn an_update_is_repeated_safely() {
    let shop = Shop::start().await;
    let (mut ann, _) = shop.customer("ann@example.com").await;
    let new = pb::User { name: "users/me".into(), display_name: "Anna".into(), ..pb::User::default() };
    let request = pb::UpdateUserRequest { request_id: request_id(), ..update(new, &[]) };
    let first = ann.update_user(request.clone()).await.unwrap().into_inner();
    assert_eq!(ann.update_user(request.clone()).await.unwrap().into_inner(), first);
    let other = pb::UpdateUserRequest { update_mask: None, ..request };
    assert_eq!(ann.update_user(other).await.unwrap_err().code(), Code::AlreadyExists);
}

#[tokio::test]
async fn users_are_listed_page_by_page() {
    let shop = Shop::start().await;
    let (mut admin, _) = shop.admin("admin@example.com").await;
    for index in 0..4 {
        shop.register(&format!("user{index}@example.com")).await;
    }
    let mut seen = Vec::new();
    let mut page_token = String::new();
    loop {
        let page =
            admin.list_users(pb::ListUsersRequest { page_size: 2, page_token }).await.unwrap().into_inner();
        seen.extend(page.users.into_iter().map(|user| user.email));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(
        seen,
        [
            "user3@example.com",
            "user2@example.com",
            "user1@example.com",
            "user0@example.com",
            "admin@example.com"
        ]
    );
    let tampered = pb::ListUsersRequest { page_size: 2, page_token: "AAAA".into() };
    assert_eq!(admin.list_users(tampered).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_disabled_user_is_out_until_let_in_again() {
    let shop = Shop::start().await;
    let (mut admin, _) = shop.admin("admin@example.com").await;
    let (_, ann) = shop.customer("ann@example.com").await;
    for _ in 0..2 {
        let disabled = admin
            .disable_user(pb::DisableUserRequest { name: ann.subject.clone() })
            .await
            .unwrap()
            .into_inner();
        assert_eq!(disabled.state(), pb::user::State::Disabled);
    }
    let refusal = eventually(async || me(shop.with(&ann)).await.err()).await;
    assert_eq!(refusal.code(), Code::Unauthenticated);
    assert!(shop.refresh(&ann.refresh_token).await.is_err());
    let refusal = shop.sign_in("ann@example.com", PASSWORD).await.unwrap_err();
    assert_eq!(status::reason(&refusal).as_deref(), Some("ACCOUNT_DISABLED"));
    admin.enable_user(pb::EnableUserRequest { name: ann.subject.clone() }).await.unwrap();
    let again = shop.sign_in("ann@example.com", PASSWORD).await.unwrap();
    assert!(me(shop.with(&again)).await.is_ok());
}

#[tokio::test]
async fn being_let_in_again_proves_no_address() {
    let shop = Shop::start().await;
    let (mut admin, _) = shop.admin("admin@example.com").await;
    shop.register("ann@example.com").await;
    let users = admin.list_users(pb::ListUsersRequest::default()).await.unwrap().into_inner().users;
    let name = users[0].name.clone();
    admin.disable_user(pb::DisableUserRequest { name: name.clone() }).await.unwrap();
    let user = admin.enable_user(pb::EnableUserRequest { name }).await.unwrap().into_inner();
    assert_eq!(user.state(), pb::user::State::Unverified);
}

#[tokio::test]
async fn an_erased_user_leaves_nothing_behind() {
    let shop = Shop::start().await;
    let (mut admin, _) = shop.admin("admin@example.com").await;
    let (mut ann, session) = shop.customer("ann@example.com").await;
    let name = pb::User { name: "users/me".into(), display_name: "Anna".into(), ..pb::User::default() };
    ann.update_user(pb::UpdateUserRequest { request_id: request_id(), ..update(name, &[]) }).await.unwrap();
    let delete = || pb::DeleteUserRequest { name: session.subject.clone(), request_id: request_id() };

    shop.orders.set_open(true);
    let refusal = ann.delete_user(delete()).await.unwrap_err();
    assert_eq!(
        (refusal.code(), status::reason(&refusal).as_deref()),
        (Code::FailedPrecondition, Some("ORDER_OPEN"))
    );
    shop.orders.set_open(false);
    ann.delete_user(delete()).await.unwrap();
    admin.delete_user(delete()).await.unwrap();

    assert_eq!(shop.announced("UserErased", &session.subject).await, 1);
    eventually(async || me(shop.with(&session)).await.err()).await;
    assert_eq!(shop.sign_in("ann@example.com", PASSWORD).await.unwrap_err().code(), Code::Unauthenticated);
    let left = admin.get_user(get(&session.subject)).await.unwrap().into_inner();
    assert_eq!(
        (left.state(), left.email.as_str(), left.display_name.as_str()),
        (pb::user::State::Erased, "", "")
    );
    let contact = pb::GetContactRequest { subject: session.subject.clone() };
    assert_eq!(shop.service("order").get_contact(contact).await.unwrap_err().code(), Code::NotFound);
    let requests = shop
        .count("SELECT COUNT(*) FROM requests WHERE caller = $1", [session.subject.as_str().into()])
        .await;
    assert_eq!(requests, 0);
    // The address is free again.
    shop.register("ann@example.com").await;
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let shop = Shop::start().await;
    let (mut admin, session) = shop.admin("admin@example.com").await;
    let refusals = [
        admin.disable_user(pb::DisableUserRequest { name: session.subject.clone() }).await.map(drop),
        admin
            .delete_user(pb::DeleteUserRequest { name: "users/me".into(), request_id: String::new() })
            .await
            .map(drop),
        admin
            .revoke_role(pb::RevokeRoleRequest { user: session.subject.clone(), role: "roles/admin".into() })
            .await
            .map(drop),
    ];
    for refusal in refusals {
        let refusal = refusal.unwrap_err();
        assert_eq!(
            (refusal.code(), status::reason(&refusal).as_deref()),
            (Code::FailedPrecondition, Some("LAST_ADMIN"))
        );
    }
    let (_, other) = shop.admin("other@example.com").await;
    admin.disable_user(pb::DisableUserRequest { name: other.subject }).await.unwrap();
}

#[tokio::test]
async fn taking_over_twice_gives_the_same_users() {
    let shop = Shop::start().await;
    let (mut admin, _) = shop.admin("admin@example.com").await;
    let person =
        |id: &str| pb::ImportedUser { external_id: id.into(), display_name: format!("Customer {id}") };
    let request = || pb::ImportUsersRequest {
        source: "retail".into(),
        users: vec![person("1"), person("2"), person("1")],
    };
    let first = admin.import_users(request()).await.unwrap().into_inner().users;
    assert_eq!(first, admin.import_users(request()).await.unwrap().into_inner().users);
    assert_eq!(first[0], first[2]);
    assert_ne!(first[0], first[1]);
    let user = admin.get_user(get(&first[0])).await.map(Response::into_inner).unwrap();
    assert_eq!((user.display_name.as_str(), user.state()), ("Customer 1", pb::user::State::Active));
    let (mut ann, _) = shop.customer("ann@example.com").await;
    assert_eq!(ann.import_users(request()).await.unwrap_err().code(), Code::PermissionDenied);
}
