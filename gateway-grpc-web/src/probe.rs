//! The edge's own health: it serves while it knows how to judge tokens.
use std::convert::Infallible;

use chassis::{Host, health, task};
use futures::FutureExt;
use http::{Request, Response};
use tonic::body::Body;
use tower::Service;

/// The gRPC health service of the edge, kept up to date.
pub(crate) fn watch(
    host: &Host,
) -> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static {
    let (reporter, service) = tonic_health::server::health_reporter();
    let access = host.access.clone();
    let knows_tokens = health::Dependency {
        name: "access-policy",
        check: Box::new(move || std::future::ready(access.current().is_some()).boxed()),
    };
    let names =
        chassis::policy::all().map(|policy| policy.service()).collect::<std::collections::BTreeSet<_>>();
    let watch = health::watch(
        host.noun,
        vec![knows_tokens],
        host.health.clone(),
        reporter,
        names.into_iter().collect(),
        host.shutdown.clone(),
    );
    task::spawn("health", watch);
    service
}
