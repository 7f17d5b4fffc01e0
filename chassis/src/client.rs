//! Calls to other services: who we are, for whom, until when, and what happens when the peer does not answer.

mod body;
mod breaker;
mod deadline;
mod peers;
mod token;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::AUTHORIZATION;
use opentelemetry::propagation::{Injector, TextMapPropagator};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;
use tower::{Service, ServiceExt};
use tracing::{Instrument, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use self::body::Bounded;
use self::peers::{Peers, Way};
use self::token::Tokens;
use crate::auth::Keyring;
use crate::caller::Caller;
use crate::simulated::{self, Network};
use crate::{Error, policy, status};

/// Calls under way to one peer where nobody says otherwise.
const IN_FLIGHT_MAX: u16 = 256;
/// Streams open to one peer. They are counted apart: they last, and calls must not wait for their end.
const STREAMS_MAX: u16 = 512;
/// How long a call waits for its place among them.
const QUEUE_MAX: Duration = Duration::from_secs(1);

/// Calls one service: clone it into any generated client.
///
/// A call carries our token, the trace and a deadline; it is spread over the peer's endpoints, those that keep failing
/// left out for a while. It is never repeated: the gateway and the saga runner do that.
#[derive(Clone, Debug)]
pub struct Channel {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    noun: String,
    tokens: Tokens,
    peers: Peers,
    places: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

/// The person a call is made for.
#[derive(Clone, Debug)]
struct Subject(Caller);

/// Makes the call for the person who asked us, so that the peer applies its rules to them.
pub fn as_subject<T>(caller: &Caller, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(Subject(caller.clone()));
    request
}

/// Makes a call that is passed on for the person who made it, so that the peer applies its rules to them.
pub fn forward(caller: &Caller, extensions: &mut http::Extensions) {
    extensions.insert(Subject(caller.clone()));
}

impl Channel {
    /// A channel to `noun` at `urls`, one or several separated by commas. It connects when first used, and again
    /// whenever the connection is lost.
    pub fn new(keys: &Keyring, noun: &str, urls: &str) -> Result<Channel, Error> {
        Channel::bounded(keys, noun, urls, IN_FLIGHT_MAX)
    }

    /// The same, with so many calls under way at most: a slow peer must not take every task of ours with it.
    pub fn bounded(keys: &Keyring, noun: &str, urls: &str, in_flight_max: u16) -> Result<Channel, Error> {
        Ok(Channel::to(keys, noun, Peers::new(urls)?, in_flight_max))
    }

    /// A channel through the network of a simulation.
    pub fn simulated(keys: &Keyring, noun: &str, network: Arc<dyn Network>) -> Channel {
        Channel::to(keys, noun, Peers::simulated(noun, network), IN_FLIGHT_MAX)
    }

    fn to(keys: &Keyring, noun: &str, peers: Peers, in_flight_max: u16) -> Channel {
        let inner = Inner {
            noun: noun.to_owned(),
            tokens: Tokens::new(keys),
            peers,
            places: Arc::new(Semaphore::new(in_flight_max.into())),
            streams: Arc::new(Semaphore::new(STREAMS_MAX.into())),
        };
        Channel { inner: Arc::new(inner) }
    }

    /// Replaces the endpoints, as discovery finds them. Connections to those that stay are kept.
    pub fn set_urls(&self, urls: &str) -> Result<(), Error> {
        self.inner.peers.set(urls)
    }

    /// Whether every endpoint is being left alone at the moment.
    pub fn is_down(&self) -> bool {
        self.inner.peers.are_down()
    }
}

type Answer = http::Response<tonic::body::Body>;

impl Service<http::Request<tonic::body::Body>> for Channel {
    type Response = Answer;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        // Waiting happens in the call, under its deadline.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        let inner = Arc::clone(&self.inner);
        let (service, method) = split(request.uri().path());
        let span = info_span!(
            "rpc",
            otel.kind = "client",
            rpc.service = service,
            rpc.method = method,
            rpc.peer = inner.noun
        );
        Box::pin(async move { inner.measured(request).await }.instrument(span))
    }
}

impl Inner {
    async fn measured(&self, request: http::Request<tonic::body::Body>) -> Result<Answer, Status> {
        let (service, method) = split(request.uri().path());
        let (service, method) = (service.to_owned(), method.to_owned());
        let started = Instant::now();
        let answer = self.answer(request).await;
        let code = match &answer {
            Ok(answer) => code(answer).unwrap_or(Code::Ok),
            Err(status) => status.code(),
        };
        metrics::histogram!("rpc_client_duration_seconds", "service" => service.clone(), "method" => method.clone())
            .record(started.elapsed());
        metrics::counter!("rpc_client_requests_total", "service" => service, "method" => method, "code" => format!("{code:?}"))
            .increment(1);
        answer
    }

    async fn answer(&self, mut request: http::Request<tonic::body::Body>) -> Result<Answer, Status> {
        let policy = policy::of(request.uri().path());
        let streaming = policy.is_some_and(|policy| policy.server_streaming);
        let allowed = deadline::allowed(policy, request.headers());
        let until = Instant::now() + allowed;
        if allowed.is_zero() {
            return Err(too_late());
        }
        let places = if streaming { &self.streams } else { &self.places };
        let place = self.place(places, until).await?;
        let (peer, permit) = self.peers.pick(Instant::now()).map_err(|wait| self.down(wait))?;

        let subject = request.extensions_mut().remove::<Subject>();
        let token = self.tokens.header(&self.noun, subject.as_ref().map(|Subject(caller)| caller)).await?;
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, token);
        headers.remove(deadline::HEADER);
        // A stream is cut only by its client: the deadline is for its first sign of life.
        if !streaming {
            headers
                .insert(deadline::HEADER, deadline::header(until.saturating_duration_since(Instant::now())));
        }
        TraceContextPropagator::new()
            .inject_context(&tracing::Span::current().context(), &mut Headers(headers));

        // Signing and waiting for a place take time too: what would be answered too late is not sent.
        if Instant::now() >= until {
            return Err(too_late());
        }
        let result =
            timeout_at(until, call(&self.noun, peer.way, request)).await.unwrap_or_else(|_| Err(too_late()));
        let code = match &result {
            Ok(answer) => code(answer).unwrap_or(Code::Ok),
            Err(status) => status.code(),
        };
        let now = Instant::now();
        if code == Code::Unavailable && !result.as_ref().is_ok_and(speaks_for_itself) {
            permit.failed(result.is_err() && self.peers.are_several(), now);
        } else if code != Code::DeadlineExceeded {
            permit.succeeded();
        } else if deadline::is_fair(policy, allowed) {
            permit.failed(false, now);
        }
        let answer = result?;
        let until = (!streaming).then_some(until);
        Ok(answer.map(|body| tonic::body::Body::new(Bounded::new(body, until, place))))
    }

    async fn place(&self, places: &Arc<Semaphore>, until: Instant) -> Result<OwnedSemaphorePermit, Status> {
        let wait = QUEUE_MAX.min(until.saturating_duration_since(Instant::now()));
        match timeout(wait, Arc::clone(places).acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => {
                let message = format!("too many calls to {} are under way", self.noun);
                Err(status::exhausted("PEER_BUSY", &message, QUEUE_MAX))
            }
        }
    }

    fn down(&self, wait: Duration) -> Status {
        status::unavailable("PEER_DOWN", &format!("{} does not answer", self.noun), wait)
    }
}

async fn call(noun: &str, way: Way, request: http::Request<tonic::body::Body>) -> Result<Answer, Status> {
    let mut answer = match way {
        Way::Transport(mut channel) => {
            let answer = async { channel.ready().await?.call(request).await }.await;
            answer.map_err(|error| broken(&error))?
        }
        Way::Simulated(network) => {
            network.call(noun, request).await.map_err(|simulated::Lost| unreachable())?
        }
    };
    if ran_out(&answer) {
        answer.headers_mut().insert("grpc-status", http::HeaderValue::from(Code::DeadlineExceeded as i32));
    }
    Ok(answer)
}

/// A call that broke on the way. The transport tells a passed deadline as CANCELLED, and a lost connection as UNKNOWN.
fn broken(error: &tonic::transport::Error) -> Status {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = next {
        if cause.is::<tonic::TimeoutExpired>() {
            return too_late();
        }
        next = cause.source();
    }
    tracing::debug!(error = status::chain(error), "call broken off");
    unreachable()
}

fn unreachable() -> Status {
    status::unavailable("PEER_UNREACHABLE", "the peer could not be reached", Duration::from_millis(500))
}

fn too_late() -> Status {
    let words = "the peer did not answer in time";
    status::plain(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", status::DOMAIN, words, &[])
}

/// The code of an answer that consists of trailers only, as every refusal of a unary call does.
fn code(answer: &Answer) -> Option<Code> {
    let number = answer.headers().get("grpc-status")?.to_str().ok()?.parse().ok()?;
    Some(Code::from_i32(number))
}

/// Whether a service answers that something is unavailable by a reason of its own, as payment does of a channel that is
/// silent: it is there itself. What the chassis answers for it, such as a database that is away, is no such reason.
fn speaks_for_itself(answer: &Answer) -> bool {
    let status = Status::from_header_map(answer.headers());
    let info = status.and_then(|status| status.get_details_error_info());
    info.is_some_and(|info| !info.domain.is_empty() && info.domain != status::DOMAIN)
}

/// Another implementation's server may answer its own deadline as cancelled, as the transport does on our side.
fn ran_out(answer: &Answer) -> bool {
    let message = answer.headers().get("grpc-message").map(http::HeaderValue::as_bytes);
    code(answer) == Some(Code::Cancelled) && message == Some(b"Timeout%20expired")
}

fn split(path: &str) -> (&str, &str) {
    path.trim_start_matches('/').split_once('/').unwrap_or((path, ""))
}

struct Headers<'a>(&'a mut http::HeaderMap);

impl Injector for Headers<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(key), Ok(value)) = (http::HeaderName::try_from(key), http::HeaderValue::try_from(value)) {
            self.0.insert(key, value);
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests play clients and peers, which nobody drains")]
mod tests;
