//! Roles and who holds them.
use chassis::{status, testing::eventually};
use contract::identity::v1 as pb;
use prost_types::FieldMask;
use tonic::Code;

use super::support::{PASSWORD, Shop, me};

fn grant(user: &str, role: &str) -> pb::GrantRoleRequest {
    pb::GrantRoleRequest { user: user.into(), role: role.into() }
}

fn revoke(user: &str, role: &str) -> pb::RevokeRoleRequest {
    pb::RevokeRoleRequest { user: user.into(), role: role.into() }
}

fn create(id: &str, permissions: &[&str]) -> pb::CreateRoleRequest {
    let permissions = permissions.iter().map(|permission| (*permission).to_owned()).collect();
    let role = pb::Role { title: "Night shift".into(), permissions, ..pb::Role::default() };
    pb::CreateRoleRequest { role_id: id.into(), role: Some(role), request_id: String::new() }
}

#[tokio::test]
async fn a_role_counts_while_it_is_held() {
    let shop = Shop::start().await;
    let (mut admin, _) = shop.admin("admin@example.com").await;
    let (_, ann) = shop.customer("ann@example.com").await;
    for _ in 0..2 {
        let user = admin.grant_role(grant(&ann.subject, "roles/support")).await.unwrap().into_inner();
        assert_eq!(user.roles, ["roles/customer", "roles/support"]);
    }
    let session = shop.sign_in("ann@example.com", PASSWORD).await.unwrap();
    let list = async || shop.with(&session).list_users(pb::ListUsersRequest::default()).await;
    assert!(list().await.is_ok());
    for _ in 0..2 {
        admin.revoke_role(revoke(&ann.subject, "roles/support")).await.unwrap();
    }
    let refusal = eventually(async || list().await.err()).await;
    assert_eq!(refusal.code(), Code::PermissionDenied);
    admin.grant_role(grant(&ann.subject, "roles/support")).await.unwrap();
    eventually(async || list().await.ok()).await;
}

#[tokio::test]
async fn who_helps_customers_acts_on_no_colleague() {
    let shop = Shop::start().await;
    let (mut admin, session) = shop.admin("admin@example.com").await;
    shop.admin("other@example.com").await;
    let (_, ann) = shop.customer("ann@example.com").await;
    let (_, bob) = shop.customer("bob@example.com").await;
    admin.grant_role(grant(&ann.subject, "roles/support")).await.unwrap();
    let ann = shop.sign_in("ann@example.com", PASSWORD).await.unwrap();
    let disable = async |name: &str| {
        shop.with(&ann).disable_user(pb::DisableUserRequest { name: name.to_owned() }).await
    };
    eventually(async || disable(&bob.subject).await.ok()).await;
    let end = pb::RevokeSessionsRequest { user: session.subject.clone() };
    for refusal in [
        disable(&session.subject).await.map(drop),
        shop.with(&ann).enable_user(pb::EnableUserRequest { name: session.subject.clone() }).await.map(drop),
        shop.with(&ann).revoke_sessions(end).await.map(drop),
    ] {
        let refusal = refusal.unwrap_err();
        assert_eq!(
            (refusal.code(), status::reason(&refusal).as_deref()),
            (Code::PermissionDenied, Some("USER_IS_STAFF"))
        );
    }
    assert!(me(shop.with(&session)).await.is_ok());
}

#[tokio::test]
async fn nobody_grants_anything_to_themselves() {
    let shop = Shop::start().await;
    let (mut admin, session) = shop.admin("admin@example.com").await;
    let refusal = admin.grant_role(grant(&session.subject, "roles/finance")).await.unwrap_err();
    assert_eq!(
        (refusal.code(), status::reason(&refusal).as_deref()),
        (Code::PermissionDenied, Some("GRANT_TO_SELF"))
    );
    let refusal = admin.grant_role(grant("users/me", "roles/finance")).await.unwrap_err();
    assert_eq!(refusal.code(), Code::PermissionDenied);
    let mut own =
        admin.get_role(pb::GetRoleRequest { name: "roles/admin".into() }).await.unwrap().into_inner();
    assert!(!own.permissions.iter().any(|permission| permission == "refund.create"));
    own.permissions.push("refund.create".into());
    let update = pb::UpdateRoleRequest { role: Some(own), update_mask: None, request_id: String::new() };
    assert_eq!(admin.update_role(update).await.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn customers_do_not_touch_roles() {
    let shop = Shop::start().await;
    let (mut ann, session) = shop.customer("ann@example.com").await;
    let answers = [
        ann.grant_role(grant(&session.subject, "roles/admin")).await.map(drop),
        ann.revoke_role(revoke(&session.subject, "roles/customer")).await.map(drop),
        ann.create_role(create("mine", &["role.grant"])).await.map(drop),
        ann.list_roles(pb::ListRolesRequest::default()).await.map(drop),
    ];
    for answer in answers {
        assert_eq!(answer.unwrap_err().code(), Code::PermissionDenied);
    }
}

#[tokio::test]
async fn a_role_of_ones_own_comes_and_goes() {
    let shop = Shop::start().await;
    let (mut admin, _) = shop.admin("admin@example.com").await;
    let (_, ann) = shop.customer("ann@example.com").await;
    let made = admin.create_role(create("night-shift", &["stock.read"])).await.unwrap().into_inner();
    assert_eq!((made.name.as_str(), made.system), ("roles/night-shift", false));
    let taken = admin.create_role(create("night-shift", &[])).await.unwrap_err();
    assert_eq!(status::reason(&taken).as_deref(), Some("ROLE_TAKEN"));
    let update = pb::UpdateRoleRequest {
        role: Some(pb::Role { permissions: vec!["user.read.any".into()], ..made.clone() }),
        update_mask: Some(FieldMask { paths: vec!["permissions".into()] }),
        request_id: String::new(),
    };
    admin.grant_role(grant(&ann.subject, &made.name)).await.unwrap();
    let session = shop.sign_in("ann@example.com", PASSWORD).await.unwrap();
    let list = async || shop.with(&session).list_users(pb::ListUsersRequest::default()).await;
    assert_eq!(list().await.unwrap_err().code(), Code::PermissionDenied);
    admin.update_role(update).await.unwrap();
    eventually(async || list().await.ok()).await;

    let delete = |name: &str| pb::DeleteRoleRequest { name: name.into() };
    let held = admin.delete_role(delete(&made.name)).await.unwrap_err();
    assert_eq!(status::reason(&held).as_deref(), Some("ROLE_IN_USE"));
    admin.revoke_role(revoke(&ann.subject, &made.name)).await.unwrap();
    admin.delete_role(delete(&made.name)).await.unwrap();
    assert_eq!(admin.delete_role(delete(&made.name)).await.unwrap_err().code(), Code::NotFound);
    let built_in = admin.delete_role(delete("roles/support")).await.unwrap_err();
    assert_eq!(status::reason(&built_in).as_deref(), Some("ROLE_BUILT_IN"));
}

#[tokio::test]
async fn a_role_that_cannot_be_right_is_refused() {
    let shop = Shop::start().await;
    let (mut admin, session) = shop.admin("admin@example.com").await;
    for request in [
        create("Night", &[]),
        create("a b", &[]),
        create("night", &["no.such.thing"]),
        create("night", &["stock.read", "stock.read"]),
    ] {
        assert_eq!(admin.create_role(request).await.unwrap_err().code(), Code::InvalidArgument);
    }
    let unknown = admin
        .grant_role(grant("users/01890000-0000-7000-8000-000000000000", "roles/support"))
        .await
        .unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    let unknown = admin.revoke_role(revoke(&session.subject, "roles/no-such")).await.unwrap_err();
    assert_eq!(status::reason(&unknown).as_deref(), Some("ROLE_NOT_FOUND"));
}

#[tokio::test]
async fn every_permission_of_the_contract_is_held_by_a_built_in_role() {
    let shop = Shop::start().await;
    let (mut admin, _) = shop.admin("admin@example.com").await;
    let roles = admin.list_roles(pb::ListRolesRequest::default()).await.unwrap().into_inner().roles;
    let ids: Vec<_> = roles.iter().map(|role| role.name.as_str()).collect();
    assert_eq!(
        ids,
        [
            "roles/admin",
            "roles/auditor",
            "roles/customer",
            "roles/finance",
            "roles/merchandiser",
            "roles/support",
            "roles/warehouse"
        ]
    );
    assert!(roles.iter().all(|role| role.system));
    let asked: Vec<_> = chassis::policy::all()
        .filter_map(|method| {
            let chassis::policy::Access::Permission(permission) = &method.access else { return None };
            Some(permission.clone())
        })
        .collect();
    assert!(asked.len() > 20);
    for permission in asked {
        assert!(roles.iter().any(|role| role.permissions.contains(&permission)), "nobody may {permission}");
    }
}
