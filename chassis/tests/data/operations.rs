//! What operators see and do.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chassis::caller::Caller;
use chassis::db::Db;
use chassis::event::Envelope;
use chassis::operations::{Books, Fact, Finding, Operations};
use chassis::testing::eventually;
use chassis::time::Timestamp;
use contract::operations::v1 as pb;
use contract::operations::v1::operations_service_client::OperationsServiceClient;
use sea_orm::{DbErr, Statement};
use tonic::body::Body;
use tonic::{Code, Request};
use tower::ServiceExt;
use uuid::Uuid;

use crate::world::{Counted, Counter, count, databases, effects, serve};

struct Ledger;

#[async_trait]
impl Books for Ledger {
    async fn check(&self, _: &Db) -> Result<Vec<Finding>, DbErr> {
        let offenders = (0..150).map(|number| format!("things/{number}")).collect();
        Ok(vec![Finding { number: "I0", invariant: "things add up", checked: 7, offenders }])
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["thing.counted"]
    }

    async fn facts(&self, _: &Db, _: &str, after: &str, limit: u64) -> Result<Vec<Fact>, DbErr> {
        let facts =
            (0..5).map(|number| Fact { subject: format!("things/{number}"), quantity: 1, ..Fact::default() });
        Ok(facts.filter(|fact| fact.subject.as_str() > after).take(usize::try_from(limit).unwrap()).collect())
    }

    async fn pending(&self, _: &Db) -> Result<u64, DbErr> {
        Ok(3)
    }
}

type Client = OperationsServiceClient<
    tower::util::BoxCloneService<http::Request<Body>, http::Response<Body>, std::convert::Infallible>,
>;

fn client(db: &Db, counter: &Arc<Counter>) -> Client {
    let operations = Operations::new(db, "counter", Some(counter.consumer(db)), Some(Arc::new(Ledger)), 30);
    let operator = Caller::person("users/operator", None, ["dlq.redrive".to_owned()]);
    OperationsServiceClient::new(
        operations
            .map_request(move |mut request: http::Request<Body>| {
                request.extensions_mut().insert(operator.clone());
                request
            })
            .boxed_clone(),
    )
}

#[tokio::test]
async fn a_parked_message_is_listed_and_redriven() {
    for db in databases().await {
        let counter = Counter::new();
        let consumer = counter.consumer(&db);
        let mut operator = client(&db, &counter);
        counter.fail("a", usize::MAX);
        for number in 0..3 {
            let message = Envelope::new("test", "a", &Counted { name: "a".into(), number });
            consumer.receive(&message).await.unwrap();
        }
        let page = |token: &str| {
            Request::new(pb::ListParkedMessagesRequest { page_size: 2, page_token: token.into() })
        };
        let first = operator.list_parked_messages(page("")).await.unwrap().into_inner();
        let second = operator.list_parked_messages(page(&first.next_page_token)).await.unwrap().into_inner();
        assert_eq!((first.parked_messages.len(), second.parked_messages.len()), (2, 1));
        assert_eq!(second.next_page_token, "");
        let message = &first.parked_messages[0];
        assert_eq!(message.state(), pb::parked_message::State::Parked);
        assert_eq!(
            (message.reason.as_str(), message.r#type.as_str(), message.key.as_str()),
            ("it is poison", "cartwright.test.v1.Counted", "a")
        );
        assert_eq!(operator.get_event_lag(pb::GetEventLagRequest {}).await.unwrap().into_inner().parked, 3);

        counter.fail("a", 0);
        let _retries = serve(&chassis::bus::Bus::None, "counter", consumer.clone());
        for message in first.parked_messages.iter().chain(&second.parked_messages) {
            let redrive =
                pb::RedriveParkedMessageRequest { name: message.name.clone(), request_id: String::new() };
            let redriven = operator.redrive_parked_message(redrive).await.unwrap().into_inner();
            assert_eq!(redriven.state(), pb::parked_message::State::Retrying);
            assert_eq!(redriven.attempts, 0);
        }
        eventually(async || (effects(&db).await.get("a") == Some(&vec![0, 1, 2])).then_some(())).await;
        let lag = operator.get_event_lag(pb::GetEventLagRequest {}).await.unwrap().into_inner();
        assert_eq!((lag.parked, lag.retrying, lag.pending_work), (0, 0, 3));
        let gone = pb::RedriveParkedMessageRequest {
            name: first.parked_messages[0].name.clone(),
            request_id: String::new(),
        };
        assert_eq!(operator.redrive_parked_message(gone).await.unwrap_err().code(), Code::NotFound);
        let nonsense = pb::RedriveParkedMessageRequest { name: "orders/1".into(), request_id: String::new() };
        assert_eq!(
            operator.redrive_parked_message(nonsense).await.unwrap_err().code(),
            Code::InvalidArgument
        );
    }
}

#[tokio::test]
async fn events_announced_and_applied_are_listed_by_id() {
    for db in databases().await {
        let counter = Counter::new();
        let mut operator = client(&db, &counter);
        for number in 0..5 {
            count(&db, "a", number).await.unwrap();
            let message = Envelope::new("test", "b", &Counted { name: "b".into(), number });
            counter.consumer(&db).receive(&message).await.unwrap();
        }
        let mut ids = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = pb::ListPublishedEventsRequest { page_size: 2, page_token };
            let page = operator.list_published_events(request).await.unwrap().into_inner();
            ids.extend(page.events.into_iter().map(|event| event.event_id));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(ids.len(), 5);
        assert!(ids.is_sorted());
        let request = pb::ListAppliedEventsRequest::default();
        let applied = operator.list_applied_events(request).await.unwrap().into_inner();
        assert_eq!(applied.events.len(), 5);
        assert_eq!(applied.subscriptions, ["cartwright.test.v1.Counted"]);
        let lag = operator.get_event_lag(pb::GetEventLagRequest {}).await.unwrap().into_inner();
        assert_eq!(lag.unpublished, 5);
        assert!(lag.oldest_unpublished_age.is_some());
    }
}

#[tokio::test]
async fn the_books_are_checked_and_read_page_by_page() {
    for db in databases().await {
        let mut operator = client(&db, &Counter::new());
        let found = operator.check_invariants(pb::CheckInvariantsRequest {}).await.unwrap().into_inner();
        let own = found.findings.iter().find(|finding| finding.number == "I0").unwrap();
        assert_eq!((own.checked, own.offenders.len()), (7, 100));
        let ask = |kind: &str, page_token: String| pb::ListFactsRequest {
            kind: kind.into(),
            page_size: 3,
            page_token,
        };
        let first = operator.list_facts(ask("thing.counted", String::new())).await.unwrap().into_inner();
        let rest =
            operator.list_facts(ask("thing.counted", first.next_page_token)).await.unwrap().into_inner();
        assert_eq!((first.facts.len(), rest.facts.len(), rest.next_page_token.as_str()), (3, 2, ""));
        let unknown = operator.list_facts(ask("thing.lost", String::new())).await.unwrap_err();
        assert_eq!(unknown.code(), Code::InvalidArgument);
    }
}

#[tokio::test]
async fn what_is_wrong_with_sagas_and_events_is_named() {
    for db in databases().await {
        let counter = Counter::new();
        let execute = async |sql: &str, values: Vec<sea_orm::Value>| {
            db.execute(Statement::from_sql_and_values(db.backend(), sql, values)).await.unwrap();
        };
        let broken = async || -> Vec<(String, Vec<String>)> {
            let findings =
                client(&db, &counter).check_invariants(pb::CheckInvariantsRequest {}).await.unwrap();
            let findings = findings.into_inner().findings.into_iter();
            findings
                .filter(|finding| finding.number != "I0" && !finding.offenders.is_empty())
                .map(|finding| (finding.number, finding.offenders))
                .collect()
        };
        assert_eq!(broken().await, []);
        let saga = async |subject: &str,
                          state: &str,
                          deadline: i64,
                          steps: &[(i32, &str, &str, Option<i64>)]| {
            let id = Uuid::now_v7();
            execute(
                "INSERT INTO saga (id, kind, subject, version, state, step, data, owner, fence, lease_until, attempts,
                     next_attempt_at, deadline_at, create_time, update_time, end_time)
                 VALUES ($1, 'checkout', $2, 1, $3, '', '', '', 1, 0, 1, 0, $4, 0, 0, $5)",
                vec![
                    id.into(),
                    subject.into(),
                    state.into(),
                    deadline.into(),
                    (state != "RUNNING").then_some(1_i64).into(),
                ],
            )
            .await;
            for (seq, step, direction, end) in steps {
                execute(
                    "INSERT INTO saga_steps (saga_id, seq, step, direction, attempt, outcome, start_time, end_time)
                     VALUES ($1, $2, $3, $4, 1, 'DONE', 0, $5)",
                    vec![id.into(), (*seq).into(), (*step).into(), (*direction).into(), (*end).into()],
                )
                .await;
            }
        };
        let (run, undo, done) = ("RUN", "UNDO", Some(1));
        let far = Timestamp::now().plus(Duration::from_secs(600)).micros();
        saga("good", "RUNNING", far, &[(1, "a", run, done), (2, "b", run, None)]).await;
        let back = [(1, "a", run, done), (2, "b", run, done), (3, "b", undo, done), (4, "a", undo, done)];
        saga("undone", "COMPENSATED", far, &back).await;
        assert_eq!(broken().await, []);

        saga("late", "RUNNING", 1, &[]).await;
        saga("open", "COMPLETED", far, &[(1, "a", run, None)]).await;
        let again = [(1, "a", run, done), (2, "a", undo, done), (3, "b", run, done)];
        saga("again", "COMPENSATED", far, &again).await;
        let forward = [(1, "a", run, done), (2, "b", run, done), (3, "a", undo, done), (4, "b", undo, done)];
        saga("forward", "COMPENSATED", far, &forward).await;
        count(&db, "stuck", 1).await.unwrap();
        execute("UPDATE outbox SET create_time = 1", vec![]).await;
        for (place, id) in [Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7()].into_iter().rev().enumerate() {
            let at = Timestamp::now().plus(Duration::from_millis(u64::try_from(place).unwrap())).micros();
            execute(
                "INSERT INTO inbox (id, kind, key, fingerprint, create_time)
                 VALUES ($1, 'cartwright.test.v1.Counted', 'turned', $2, $3)",
                vec![id.into(), Vec::<u8>::new().into(), at.into()],
            )
            .await;
        }
        let broken = broken().await;
        let of = |number: &str| -> Vec<&str> {
            let found = broken.iter().filter(|(known, _)| known == number);
            found.flat_map(|(_, offenders)| offenders).map(String::as_str).collect()
        };
        assert_eq!(of("I15"), ["checkout of late"]);
        assert_eq!(of("I16"), ["checkout of open", "checkout of again", "checkout of forward"]);
        assert_eq!(of("I23"), ["cartwright.test.v1.Counted of stuck"]);
        assert_eq!(of("I26").len(), 2, "{broken:?}");
        assert_eq!(broken.len(), 6, "{broken:?}");
    }
}
