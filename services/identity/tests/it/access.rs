//! What other services are told: keys, policy, contacts.
use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chassis::{auth, status, testing::eventually};
use contract::{
    identity::v1 as pb,
    operations::v1::{CheckInvariantsRequest, Finding, operations_service_client::OperationsServiceClient},
};
use tonic::Code;

use super::support::{Shop, me};

fn claims(token: &str, part: usize) -> serde_json::Value {
    let part = token.split('.').nth(part).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn a_token_is_signed_by_a_published_key() {
    let shop = Shop::start().await;
    let (_, session) = shop.customer("ann@example.com").await;
    let keys =
        shop.anyone().get_json_web_key_set(pb::GetJsonWebKeySetRequest {}).await.unwrap().into_inner().keys;
    assert_eq!(keys.len(), 1);
    let key = &keys[0];
    let head = claims(&session.access_token, 0);
    assert_eq!((head["typ"].as_str(), head["alg"].as_str()), (Some("at+jwt"), Some("EdDSA")));
    assert_eq!(head["kid"].as_str(), Some(key.kid.as_str()));
    let public = BASE64_URL_SAFE_NO_PAD.decode(&key.x).unwrap();
    assert_eq!(auth::keys::thumbprint(&public), key.kid);
    let said = claims(&session.access_token, 1);
    assert_eq!(said["roles"], serde_json::json!(["roles/customer"]));
    assert_eq!(said["exp"].as_u64().unwrap() - said["iat"].as_u64().unwrap(), 600);
    assert!(said["sid"].as_str().unwrap().starts_with("sessions/"));
}

#[tokio::test]
async fn the_policy_says_everything_once_for_each_version() {
    let shop = Shop::start().await;
    let ask = async |known_version: i64| {
        shop.service("order")
            .get_access_policy(pb::GetAccessPolicyRequest { known_version })
            .await
            .unwrap()
            .into_inner()
    };
    let first = ask(0).await;
    let grants: BTreeMap<_, _> =
        first.roles.iter().map(|role| (role.role.as_str(), &role.permissions)).collect();
    assert!(grants["roles/warehouse"].contains(&"stock.adjust".to_owned()));
    assert!(!grants["roles/warehouse"].contains(&"refund.create".to_owned()));
    assert_eq!(ask(first.version).await, pb::AccessPolicy { version: first.version, ..Default::default() });
    let (mut guest, _) = shop.guest().await;
    guest.logout(pb::LogoutRequest {}).await.unwrap();
    let second =
        eventually(async || Some(ask(first.version).await).filter(|policy| policy.version > first.version))
            .await;
    assert_eq!(second.revocations.len(), 1);
    assert_eq!(second.keys, first.keys);
}

#[tokio::test]
async fn the_inner_doors_are_closed_to_people() {
    let shop = Shop::start().await;
    let (mut ann, session) = shop.customer("ann@example.com").await;
    let contact = || pb::GetContactRequest { subject: session.subject.clone() };
    assert_eq!(
        ann.get_access_policy(pb::GetAccessPolicyRequest::default()).await.unwrap_err().code(),
        Code::PermissionDenied
    );
    assert_eq!(ann.get_contact(contact()).await.unwrap_err().code(), Code::PermissionDenied);
    assert_eq!(shop.anyone().get_contact(contact()).await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(shop.service("cart").get_contact(contact()).await.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn services_learn_where_somebody_is_reached() {
    let shop = Shop::start().await;
    let (_, ann) = shop.customer("ann@example.com").await;
    let (mut guest, session) = shop.guest().await;
    let contact = async |subject: &str| {
        shop.service("order")
            .get_contact(pb::GetContactRequest { subject: subject.into() })
            .await
            .map(tonic::Response::into_inner)
    };
    let known = contact(&ann.subject).await.unwrap();
    assert_eq!(
        (known.email.as_str(), known.display_name.as_str(), known.locale.as_str()),
        ("ann@example.com", "Ann", "en")
    );
    assert_eq!(contact(&session.subject).await.unwrap().email, "");
    let told = pb::SetGuestContactRequest { email: "Guest@Example.com".into(), locale: "de".into() };
    guest.set_guest_contact(told.clone()).await.unwrap();
    let known = contact(&session.subject).await.unwrap();
    assert_eq!((known.email.as_str(), known.locale.as_str()), ("guest@example.com", "de"));
    assert_eq!(
        contact("guests/01890000-0000-7000-8000-000000000000").await.unwrap_err().code(),
        Code::NotFound
    );
    assert_eq!(contact("carts/1").await.unwrap_err().code(), Code::InvalidArgument);
    let refusal = shop.with(&ann).set_guest_contact(told).await.unwrap_err();
    assert_eq!(status::reason(&refusal).as_deref(), Some("NOT_A_GUEST"));
}

#[tokio::test]
async fn a_secret_that_is_lost_costs_a_new_key_and_no_session() {
    let shop = Shop::start().await;
    let (_, session) = shop.customer("ann@example.com").await;
    // As if the secret that sealed the key were gone: nothing sealed opens any more.
    shop.sql("UPDATE signing_keys SET sealed = public_key").await;
    let second = shop.host.process().host("identity");
    second.serve(identity::serve(second.host(), identity::Config::default()));
    let mut fresh =
        contract::identity::v1::identity_service_client::IdentityServiceClient::new(second.as_anyone());
    let keys = {
        let client = fresh.clone();
        eventually(async || client.clone().get_json_web_key_set(pb::GetJsonWebKeySetRequest {}).await.ok())
            .await
            .into_inner()
            .keys
    };
    assert_eq!(keys.len(), 2);
    let renewed = fresh
        .refresh_session(pb::RefreshSessionRequest { refresh_token: session.refresh_token.clone() })
        .await
        .unwrap();
    assert!(me(shop.with(&session)).await.is_ok());
    let renewed = renewed.into_inner();
    eventually(async || me(shop.with(&renewed)).await.ok()).await;
}

#[tokio::test]
async fn the_books_find_what_is_wrong() {
    let shop = Shop::start().await;
    let (_, admin) = shop.admin("admin@example.com").await;
    let (mut ann, _) = shop.customer("ann@example.com").await;
    ann.delete_user(pb::DeleteUserRequest { name: "users/me".into(), request_id: String::new() })
        .await
        .unwrap();
    let operator = OperationsServiceClient::new(shop.host.with_token(Some(&admin.access_token)));
    let at_fault = async || {
        let findings =
            operator.clone().check_invariants(CheckInvariantsRequest {}).await.unwrap().into_inner().findings;
        assert!(
            ["I34", "I36", "I44"].iter().all(|own| findings.iter().any(|finding| finding.number == *own))
        );
        findings.into_iter().filter(|finding| !finding.offenders.is_empty()).collect::<Vec<Finding>>()
    };
    assert_eq!(at_fault().await, []);
    shop.sql(
        "INSERT INTO signing_keys (kid, public_key, sealed, active_time, expire_time)
         SELECT 'another', public_key, sealed, active_time, NULL FROM signing_keys",
    )
    .await;
    shop.sql(
        "INSERT INTO user_roles (user_id, role_id) SELECT id, 'customer' FROM users WHERE state = 'ERASED'",
    )
    .await;
    assert_eq!(at_fault().await.len(), 2);
}
