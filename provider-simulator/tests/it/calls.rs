//! What calls do, also when they are repeated or go wrong.
use std::time::Duration;

use http::StatusCode;
use provider_simulator::{Adjusted, Fault, Kind, Planned, Script};
use serde_json::{Value, json};

use super::support::{API_KEY, World, authorization};

#[tokio::test]
async fn money_is_promised_taken_and_given_back() {
    let world = World::start(Script::default()).await;
    let client = world.client();
    let (status, promised) = client.authorize("a", "tok_mastercard").await;
    assert_eq!((status, promised["status"].as_str()), (StatusCode::OK, Some("succeeded")));
    assert_eq!(promised["method_summary"], "Mastercard ending 4444");
    let (_, taken) = client.capture("c", "a", 3000).await;
    assert_eq!((taken["amount_minor"].as_i64(), taken["fee_minor"].as_i64()), (Some(3000), Some(62)));
    assert_eq!(taken["order"], "orders/1");
    assert_eq!(client.refund("r1", "a", 2000).await.1["status"], "succeeded");
    assert_eq!(client.refund("r2", "a", 1001).await.1["reason"], "NOT_CAPTURED");
    assert_eq!(client.capture("c2", "a", 1000).await.1["reason"], "ALREADY_CAPTURED");
    assert_eq!(client.get("/v1/operations/c").await, (StatusCode::OK, taken));
    assert_eq!(client.get("/v1/operations/none").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_same_key_does_the_same_once() {
    let world = World::start(Script::default()).await;
    let client = world.client();
    let first = client.authorize("a", "tok_visa").await;
    let again = futures_of(8, async || client.authorize("a", "tok_visa").await).await;
    assert!(again.iter().all(|again| *again == first));
    assert_eq!(client.authorize("a", "tok_mastercard").await.0, StatusCode::CONFLICT);
    assert_eq!(world.simulator.operations().len(), 1);
    assert_eq!(world.simulator.asked("a"), 10);
}

async fn futures_of<T>(count: usize, work: impl AsyncFn() -> T) -> Vec<T> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(work().await);
    }
    all
}

#[tokio::test]
async fn what_is_executed_and_not_answered_can_be_asked_about() {
    let world = World::start(Script::default()).await;
    let client = world.client();
    for (key, token, status) in [("h", "tok_timeout", "succeeded"), ("d", "tok_timeout_declined", "declined")]
    {
        let call = client.authorize(key, token);
        assert!(
            tokio::time::timeout(Duration::from_millis(300), call).await.is_err(),
            "{token} was answered"
        );
        assert_eq!(client.get(&format!("/v1/operations/{key}")).await.1["status"], status);
    }
    assert_eq!(client.authorize("f", "tok_503").await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(client.get("/v1/operations/f").await.1["status"], "succeeded");
    assert_eq!(client.authorize("t", "tok_429_once").await.0, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(client.get("/v1/operations/t").await.0, StatusCode::NOT_FOUND);
    assert_eq!(client.authorize("t", "tok_429_once").await.0, StatusCode::OK);
}

#[tokio::test]
async fn what_is_planned_goes_wrong_next() {
    let world = World::start(Script::default()).await;
    let client = world.client();
    let script = Script {
        planned: vec![Planned { on: Some(Kind::Authorize), fault: Fault::Closed, times: 2 }],
        ..Script::default()
    };
    let told = client.call("PUT", "/admin/script", "", &json!(script), API_KEY).await.unwrap();
    assert_eq!(told.0, StatusCode::OK);
    for expected in [503, 503, 200] {
        assert_eq!(client.authorize("a", "tok_visa").await.0.as_u16(), expected);
    }
}

#[tokio::test]
async fn nobody_calls_without_the_key() {
    let world = World::start(Script::default()).await;
    let client = world.client();
    let body = authorization("tok_visa");
    for (method, path) in [("POST", "/v1/authorizations"), ("PUT", "/admin/script")] {
        let (status, _) = client.call(method, path, "a", &body, "another key").await.unwrap();
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(client.post("/v1/authorizations", "", &body).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(client.post("/v1/authorizations", "a", &json!({})).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(client.post("/v1/gifts", "a", &body).await.0, StatusCode::NOT_FOUND);
    assert!(world.simulator.operations().is_empty());
}

#[tokio::test]
async fn a_statement_has_what_was_taken_and_given_back_page_by_page() {
    let world = World::start(Script::default()).await;
    let client = world.client();
    for number in 0..260 {
        let (of, capture, refund) = (format!("a{number}"), format!("c{number:03}"), format!("r{number:03}"));
        client.authorize(&of, "tok_visa").await;
        client.capture(&capture, &of, 4000).await;
        client.refund(&refund, &of, 500).await;
    }
    let day = today(&world);
    let (mut keys, mut after) = (Vec::new(), String::new());
    loop {
        let (status, page) = client.get(&format!("/v1/statements/{day}?after={after}")).await;
        assert_eq!(status, StatusCode::OK);
        let lines = page["lines"].as_array().unwrap().clone();
        keys.extend(lines.iter().map(|line| line["key"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(keys.len(), 520);
    assert!(keys.is_sorted() && keys.iter().all(|key| !key.starts_with('a')));

    world.simulator.script(|script| {
        script.statement = Adjusted {
            without: vec!["c000".into()],
            amounts: [("c001".to_owned(), 1)].into(),
            ..Adjusted::default()
        };
    });
    let lines: Value = client.get(&format!("/v1/statements/{day}")).await.1["lines"].clone();
    assert_eq!((lines[0]["key"].as_str(), lines[0]["amount_minor"].as_i64()), (Some("c001"), Some(1)));
    assert_eq!(client.get("/v1/statements/yesterday").await.0, StatusCode::BAD_REQUEST);
}

fn today(world: &World) -> String {
    let time = world.simulator.operations()[0].time;
    chrono::DateTime::from_timestamp_micros(time).expect("a time").format("%Y-%m-%d").to_string()
}
