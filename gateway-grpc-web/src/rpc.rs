//! Calls on their way to a service: who calls, whether they may, and to whom it goes.
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chassis::auth::{Verifier, rule};
use chassis::client::{self, Channel};
use chassis::policy::{self, Access, MethodPolicy};
use chassis::{Error, Host, config, deadline, status};
use http::{HeaderMap, HeaderName, Request, Response, header};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use tower::ServiceExt;

use crate::relay::{self, Relayed};

/// Which service an operator means, where each serves the same method.
const SERVICE: HeaderName = HeaderName::from_static("cartwright-service");

const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// What travels on with a call.
const KEPT: [HeaderName; 8] = [
    header::CONTENT_TYPE,
    header::TE,
    header::USER_AGENT,
    TIMEOUT,
    HeaderName::from_static("grpc-encoding"),
    HeaderName::from_static("grpc-accept-encoding"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
];

/// The services behind the edge.
#[derive(Clone)]
pub(crate) struct Upstreams {
    channels: Arc<HashMap<&'static str, Channel>>,
    verifier: Verifier,
    stop: CancellationToken,
}

impl Upstreams {
    pub(crate) fn new(host: &Host) -> Result<Self, Error> {
        let channels =
            config::NOUNS.iter().map(|noun| Ok((*noun, host.client(noun)?))).collect::<Result<_, Error>>()?;
        Ok(Upstreams {
            channels: Arc::new(channels),
            verifier: Verifier::new(host.keys.clone(), host.access.clone()),
            stop: host.shutdown.clone(),
        })
    }

    /// The channel to one service.
    pub(crate) fn channel(&self, noun: &str) -> Result<Channel, Status> {
        self.channels.get(noun).cloned().ok_or_else(status::unknown_method)
    }

    /// Carries a gRPC call out, or says why not.
    pub(crate) async fn call(&self, request: Request<Body>) -> Response<Body> {
        match self.forward(request).await {
            Ok(response) => response,
            Err(status) => status.into_http(),
        }
    }

    async fn forward(&self, mut request: Request<Body>) -> Result<Response<Body>, Status> {
        let policy = policy::of(request.uri().path()).ok_or_else(status::unknown_method)?;
        let within = time(policy, request.headers())?;
        // A token between services opens nothing here, whoever signed it.
        let caller = self.verifier.caller_of(policy, request.headers())?;
        if caller.service().is_some() || policy.access == Access::Internal {
            return Err(Status::from(rule::Denied::InternalOnly));
        }
        rule::check(policy, &caller)?;
        let channel = self.channel(noun(policy, request.headers())?)?;
        keep_only_the_call(request.headers_mut());
        client::forward(&caller, request.extensions_mut());
        let (parts, body) = request.into_parts();
        let body = relay::whole(policy, within, body).await?;
        let answer = channel.oneshot(Request::from_parts(parts, body)).await?;
        Ok(answer.map(|body| Body::new(Relayed::new(policy, body, &self.stop))))
    }
}

/// The time a call has: what the contract says, or less where the caller asks for less.
fn time(policy: &MethodPolicy, headers: &HeaderMap) -> Result<Duration, Status> {
    let Some(wish) = headers.get(TIMEOUT) else { return Ok(policy.deadline) };
    let wish = deadline::asked(wish).ok_or_else(|| {
        status::invalid("grpc-timeout", "must be at most eight digits and a unit, such as 5S")
    })?;
    Ok(wish.min(policy.deadline))
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

/// Leaves what makes the call. Whatever else a client says, about itself or others, stays outside; who it is, the
/// channel says.
fn keep_only_the_call(headers: &mut HeaderMap) {
    *headers = KEPT.into_iter().filter_map(|name| headers.remove(&name).map(|value| (name, value))).collect();
}
