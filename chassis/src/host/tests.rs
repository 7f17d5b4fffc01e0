//! A service's surroundings: keys, peers, database, and what identity says.
use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use contract::identity::v1 as pb;
use futures::{FutureExt, future::BoxFuture};
use prost_types::Timestamp as WireTime;
use tonic::{Request, Response, Status, body::Body, server::NamedService};
use tonic_prost::ProstCodec;
use tower::{Service, service_fn};

use super::*;
use crate::testing::{TestProcess, eventually};

/// Identity, as far as others need it to read tokens.
#[derive(Clone)]
struct Identity;

impl NamedService for Identity {
    const NAME: &'static str = "cartwright.identity.v1.IdentityService";
}

impl Service<http::Request<Body>> for Identity {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: http::Request<Body>) -> Self::Future {
        let codec = ProstCodec::<pb::AccessPolicy, pb::GetAccessPolicyRequest>::default();
        let answer = |request: Request<pb::GetAccessPolicyRequest>| async move {
            let known = request.into_inner().known_version;
            let policy = pb::AccessPolicy { version: 9, ..pb::AccessPolicy::default() };
            let whole = pb::AccessPolicy { revocations: vec![revoked("users/1", 100)], ..policy.clone() };
            Ok::<_, Status>(Response::new(if known == 9 { policy } else { whole }))
        };
        async move { Ok(tonic::server::Grpc::new(codec).unary(service_fn(answer), call).await) }.boxed()
    }
}

fn revoked(subject: &str, seconds: i64) -> pb::Revocation {
    pb::Revocation { subject: subject.to_owned(), not_before: Some(WireTime { seconds, nanos: 0 }) }
}

#[tokio::test]
async fn a_service_learns_from_identity_what_tokens_are_worth() {
    let process = TestProcess::new().await;
    process.stand_in("identity", Identity);
    let mut host = process.host("order").host();
    host.follows_identity = true;
    host.access = AccessPolicies::default();
    crate::task::spawn("follow", host.clone().follow_access_policy(host.shutdown.clone()));
    let policy = eventually(async || host.access.current()).await;
    assert_eq!(policy.version(), 9);
    assert!(
        policy.has_ended("users/1", 99)
            && !policy.has_ended("users/1", 100)
            && !policy.has_ended("users/2", 0)
    );
    // An answer that says only the version changes nothing.
    host.learn(&pb::AccessPolicy { version: 9, ..pb::AccessPolicy::default() });
    assert!(host.access.current().unwrap().has_ended("users/1", 99));
}

#[tokio::test]
async fn a_revocation_without_a_time_ends_the_session_for_good() {
    let revocation = pb::Revocation { subject: "sessions/1".to_owned(), not_before: None };
    let wire = pb::AccessPolicy { version: 1, revocations: vec![revocation], ..pb::AccessPolicy::default() };
    assert!(crate::auth::AccessPolicy::from(&wire).has_ended("sessions/1", u64::from(u32::MAX)));
}

#[tokio::test]
async fn services_of_one_process_find_each_other_and_keep_their_keys() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::defaults(folder.path());
    settings.amqp_url = None;
    let any = || bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let process = Process::new(&settings).await.unwrap();
    let (order, cart) = (process.host("order", any()).unwrap(), process.host("cart", any()).unwrap());
    assert_eq!(order.peer_url("cart"), format!("http://{}", cart.address().unwrap()));
    assert_eq!(order.peer_url("payment"), "http://127.0.0.1:50056");
    let refused = Process::new(&settings).await.err().unwrap();
    assert!(refused.to_string().contains("another shop runs on"), "{refused}");
    drop(process);
    let again = Process::new(&settings).await.unwrap().host("order", any()).unwrap();
    assert_eq!(order.keys.own().id(), again.keys.own().id());
}

#[tokio::test]
async fn a_service_alone_needs_keys_that_others_know() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { keys_dir: None, ..Settings::defaults(folder.path()) };
    let anywhere = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let listen = Listen { listen: anywhere, metrics_listen: anywhere };
    let error = Host::alone("order", &settings, &listen).await.map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("KEYS_DIR"), "{error}");
    keys::generate(folder.path(), &signers()).unwrap();
    let settings = Settings { keys_dir: Some(folder.path().to_owned()), ..settings };
    let host = Host::alone("order", &settings, &listen).await.unwrap();
    assert!(host.metrics_listener().unwrap().is_some() && !host.embedded);
}

#[tokio::test]
async fn a_database_is_made_when_missing_and_found_again() {
    let process = TestProcess::new().await;
    for _ in 0..2 {
        let db = process.host("order").db::<Stateless>().await.unwrap();
        db.ping().await.unwrap();
        db.close().await.unwrap();
    }
}
