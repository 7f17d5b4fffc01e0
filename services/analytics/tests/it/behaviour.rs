//! What visitors do.
use std::time::Duration;

use contract::analytics::v1 as pb;
use contract::analytics::v1::behaviour::Kind;
use tonic::Code;
use uuid::Uuid;

use crate::support::{Calls, HOUR, Observer, ago, at, confirmed, line};

fn did(kind: Kind, visitor: &str) -> pb::Behaviour {
    pb::Behaviour {
        kind: kind.into(),
        product: "products/1".into(),
        visitor: visitor.into(),
        ..Default::default()
    }
}

async fn record(mut calls: Calls, behaviours: Vec<pb::Behaviour>) -> Result<(), tonic::Status> {
    calls.record_behaviour(pb::RecordBehaviourRequest { behaviours, ..Default::default() }).await.map(|_| ())
}

async fn funnel(observer: &Observer) -> Vec<(String, i64)> {
    let now = chassis::time::Timestamp::now().micros();
    let request = pb::GetFunnelRequest { start_time: at(now - HOUR), end_time: at(now + HOUR) };
    let funnel = observer.staff().get_funnel(request).await.unwrap().into_inner();
    funnel.steps.into_iter().map(|step| (step.step, step.visitors)).collect()
}

#[tokio::test]
async fn a_funnel_counts_each_visitor_once_at_each_step() {
    let observer = Observer::start().await;
    for visitor in ["a", "b", "c"] {
        record(observer.anyone(), vec![did(Kind::ViewProduct, visitor); 3]).await.unwrap();
    }
    record(observer.anyone(), vec![did(Kind::AddToCart, "b"), did(Kind::Search, "d")]).await.unwrap();
    record(observer.customer("users/1"), vec![did(Kind::BeginCheckout, "")]).await.unwrap();
    let now = chassis::time::Timestamp::now().micros();
    observer.announce("orders/1", &confirmed("orders/1", "users/1", now, vec![line("A", 1, 1)])).await;
    let wanted = [("view", 4), ("cart", 2), ("checkout", 1), ("order", 1)];
    assert_eq!(funnel(&observer).await, wanted.map(|(step, visitors)| (step.to_owned(), visitors)));
}

#[tokio::test]
async fn a_repeated_request_counts_and_is_told_once() {
    let observer = Observer::start().await;
    let request = pb::RecordBehaviourRequest {
        behaviours: vec![did(Kind::ViewProduct, "a"), did(Kind::AddToCart, "a")],
        request_id: Uuid::now_v7().to_string(),
    };
    for _ in 0..3 {
        observer.anyone().record_behaviour(request.clone()).await.unwrap();
    }
    assert_eq!(observer.behaviours_told().await, 2);
}

#[tokio::test]
async fn behaviour_that_cannot_be_is_refused_whole() {
    let observer = Observer::start().await;
    let good = did(Kind::ViewProduct, "a");
    let year = Duration::from_secs(367 * 86_400);
    for (bad, field) in [
        (did(Kind::Unspecified, "a"), "kind"),
        (pb::Behaviour { kind: 99, ..good.clone() }, "kind"),
        (pb::Behaviour { product: String::new(), ..good.clone() }, "product"),
        (pb::Behaviour { product: "shoes".into(), ..good.clone() }, "product"),
        (pb::Behaviour { query: "x".repeat(201), ..good.clone() }, "query"),
        (did(Kind::ViewProduct, ""), "visitor"),
        (did(Kind::ViewProduct, "users/1"), "visitor"),
        (did(Kind::ViewProduct, &"x".repeat(65)), "visitor"),
        (pb::Behaviour { time: at(4_102_444_800_000_000), ..good.clone() }, "time"),
        (pb::Behaviour { time: ago(year), ..good.clone() }, "time"),
    ] {
        let refused = record(observer.anyone(), vec![good.clone(), bad.clone()]).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert_eq!(chassis::status::violations(&refused)[0].0, format!("behaviours[1].{field}"), "{bad:?}");
    }
    for count in [0, 51] {
        assert_eq!(
            record(observer.anyone(), vec![good.clone(); count]).await.unwrap_err().code(),
            Code::InvalidArgument
        );
    }
    assert_eq!(observer.behaviours_told().await, 0);
}
