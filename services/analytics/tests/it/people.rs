//! What is known of people, and how it is forgotten.
use contract::analytics::v1 as pb;
use contract::analytics::v1::behaviour::Kind;
use contract::identity::v1::UserErased;
use contract::order::v1::OrderClaimed;
use tonic::Code;
use uuid::Uuid;

use crate::support::{Calls, Observer, confirmed, line, minor, returned};

async fn look(mut calls: Calls, products: &[&str]) {
    let behaviours = products.iter().map(|product| pb::Behaviour {
        kind: Kind::ViewProduct.into(),
        product: format!("products/{product}"),
        // Whoever has a token is who it says, whatever they say.
        visitor: "somebody-else".into(),
        ..Default::default()
    });
    for behaviour in behaviours {
        let request = pb::RecordBehaviourRequest { behaviours: vec![behaviour], ..Default::default() };
        calls.record_behaviour(request).await.expect("recorded");
    }
}

#[tokio::test]
async fn a_profile_shows_what_somebody_bought_and_looked_at() {
    let observer = Observer::start().await;
    let user = format!("users/{}", Uuid::now_v7());
    assert_eq!(observer.profile(&user).await.tags, Vec::<String>::new());
    look(observer.customer(&user), &["a", "b", "a"]).await;
    assert_eq!(observer.profile(&user).await.tags, ["new"]);
    let now = chassis::time::Timestamp::now().micros();
    for order in ["orders/1", "orders/2"] {
        observer.announce(order, &confirmed(order, &user, now, vec![line("A", 1, 60_000)])).await;
    }
    observer
        .announce("orders/1", &returned("orders/1", "orders/1/returns/1", vec![line("A", 1, 5_000)], 5_000))
        .await;
    let profile = observer.profile(&user).await;
    assert_eq!((profile.orders, profile.tags), (2, vec!["returning".into(), "big-spender".into()]));
    assert_eq!(profile.recent_products, ["products/a", "products/b"]);
    assert_eq!(minor(&profile.spent.first().cloned()), 115_000);
    assert!(profile.last_order_time.is_some() && profile.last_seen_time.is_some());
}

#[tokio::test]
async fn who_is_erased_is_forgotten_but_their_sales_count() {
    let observer = Observer::start().await;
    let user = format!("users/{}", Uuid::now_v7());
    let now = chassis::time::Timestamp::now().micros();
    look(observer.customer(&user), &["a"]).await;
    observer.announce("orders/1", &confirmed("orders/1", &user, now, vec![line("A", 1, 100)])).await;
    observer.announce(&user, &UserErased { user: user.clone() }).await;
    // What was still on its way when they left.
    observer.announce("orders/2", &confirmed("orders/2", &user, now, vec![line("A", 1, 100)])).await;
    look(observer.customer(&user), &["b"]).await;
    observer.repeat_all().await;
    let profile = observer.profile(&user).await;
    assert_eq!(profile, pb::UserProfile { name: format!("{user}/profile"), ..Default::default() });
    assert_eq!(observer.facts().await.len(), 2);
    observer.audit().await;
}

#[tokio::test]
async fn profiles_are_for_those_who_may() {
    let observer = Observer::start().await;
    let user = format!("users/{}", Uuid::now_v7());
    let request = pb::GetUserProfileRequest { name: format!("{user}/profile") };
    assert_eq!(
        observer.customer(&user).get_user_profile(request).await.unwrap_err().code(),
        Code::PermissionDenied
    );
    for name in ["", "users/x/profile", user.as_str(), "guests/1/profile"] {
        let request = pb::GetUserProfileRequest { name: name.into() };
        assert_eq!(
            observer.staff().get_user_profile(request).await.unwrap_err().code(),
            Code::InvalidArgument,
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_claimed_order_counts_for_who_claimed_it() {
    let observer = Observer::start().await;
    let (guest, user) = (format!("guests/{}", Uuid::now_v7()), format!("users/{}", Uuid::now_v7()));
    let now = chassis::time::Timestamp::now().micros();
    observer.announce("orders/1", &confirmed("orders/1", &guest, now, vec![line("A", 1, 100)])).await;
    let claimed =
        OrderClaimed { order: "orders/1".into(), customer: user.clone(), previous_customer: guest.clone() };
    observer.announce("orders/1", &claimed).await;
    observer.repeat_all().await;
    assert_eq!(observer.profile(&user).await.orders, 1);
    observer.announce(&user, &UserErased { user: user.clone() }).await;
    observer.announce("orders/1", &claimed).await;
    assert_eq!(observer.profile(&user).await.orders, 0, "who is forgotten is not remembered by late news");
    observer.audit().await;
}
