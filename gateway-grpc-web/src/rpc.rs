//! Calls on their way to a service: who calls, whether they may, and to whom it goes.
use std::collections::HashMap;
use std::sync::Arc;

use chassis::auth::{Verifier, rule};
use chassis::client::{self, Channel};
use chassis::policy::{self, Access, MethodPolicy};
use chassis::{Error, Host, config, status};
use http::{HeaderMap, HeaderName, Request, Response, header};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::ServiceExt;

/// Which service an operator means, where each serves the same method.
const SERVICE: HeaderName = HeaderName::from_static("cartwright-service");

/// The services behind the edge.
#[derive(Clone)]
pub(crate) struct Upstreams {
    channels: Arc<HashMap<&'static str, Channel>>,
    verifier: Verifier,
}

impl Upstreams {
    pub(crate) fn new(host: &Host) -> Result<Self, Error> {
        let channels =
            config::NOUNS.iter().map(|noun| Ok((*noun, host.client(noun)?))).collect::<Result<_, Error>>()?;
        Ok(Upstreams {
            channels: Arc::new(channels),
            verifier: Verifier::new(host.keys.clone(), host.access.clone()),
        })
    }

    /// The channel to one service.
    pub(crate) fn channel(&self, noun: &str) -> Result<Channel, Status> {
        self.channels.get(noun).cloned().ok_or_else(unknown)
    }

    /// Carries a gRPC call out, or says why not.
    pub(crate) async fn call(&self, request: Request<Body>) -> Response<Body> {
        match self.forward(request).await {
            Ok(response) => response,
            Err(status) => status.into_http(),
        }
    }

    async fn forward(&self, mut request: Request<Body>) -> Result<Response<Body>, Status> {
        let policy = policy::of(request.uri().path()).ok_or_else(unknown)?;
        let channel = self.channel(noun(policy, request.headers())?)?;
        // A token between services opens nothing here, whoever signed it.
        let caller = self.verifier.caller(request.headers())?;
        if caller.service().is_some() || policy.access == Access::Internal {
            return Err(Status::from(rule::Denied::InternalOnly));
        }
        rule::check(policy, &caller)?;
        strip(request.headers_mut());
        client::forward(&caller, request.extensions_mut());
        channel.oneshot(request).await
    }
}

/// The service a method belongs to. What every service offers its operators goes to the one they name.
fn noun<'a>(policy: &'a MethodPolicy, headers: &'a HeaderMap) -> Result<&'a str, Status> {
    if policy.noun() != "operations" {
        return Ok(policy.noun());
    }
    let named = headers
        .get(SERVICE)
        .and_then(|value| value.to_str().ok())
        .filter(|noun| config::NOUNS.contains(noun));
    named.ok_or_else(|| {
        status::invalid(
            "cartwright-service",
            format!("must be metadata that names one of: {}", config::NOUNS.join(", ")),
        )
    })
}

/// What only we may say about a caller, and what belongs to the connection rather than the call.
fn strip(headers: &mut HeaderMap) {
    let ours = |name: &HeaderName| {
        let name = name.as_str();
        name.starts_with("x-") || name == "forwarded" || name == SERVICE.as_str()
    };
    let names: Vec<HeaderName> = headers.keys().filter(|name| ours(name)).cloned().collect();
    for name in names.into_iter().chain([header::HOST, header::COOKIE, header::ORIGIN, header::CONNECTION]) {
        headers.remove(name);
    }
}

fn unknown() -> Status {
    status::plain(
        Code::Unimplemented,
        "METHOD_UNKNOWN",
        status::DOMAIN,
        "the contract has no such method",
        &[],
    )
}
