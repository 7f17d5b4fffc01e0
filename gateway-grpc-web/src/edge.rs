//! What arrives at the listener, and who answers it.
use std::convert::Infallible;
use std::time::Instant;

use chassis::{Error, Host, policy};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;
use tonic::body::Body;
use tonic_web::GrpcWebLayer;
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

use crate::config::Config;
use crate::files::{Files, plain};
use crate::media;
use crate::origin::Origins;
use crate::rpc::Upstreams;
use crate::webhooks;

type Answer = Response<Body>;
type Rpc = BoxCloneSyncService<Request<Body>, Answer, Infallible>;

/// Everything behind the listener. Clones share it.
#[derive(Clone)]
pub(crate) struct Edge {
    origins: Origins,
    upstreams: Upstreams,
    files: Files,
    rpc: Rpc,
}

impl Edge {
    pub(crate) fn new<H>(host: &Host, config: &Config, health: H) -> Result<Self, Error>
    where
        H: Service<Request<Body>, Response = Answer, Error = Infallible, Future: Send>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        let upstreams = Upstreams::new(host)?;
        let described = host.settings.reflection.unwrap_or(host.embedded);
        let reflection = if described { Some(Reflection::new()?) } else { None };
        let calls =
            Calls { upstreams: upstreams.clone(), health: BoxCloneSyncService::new(health), reflection };
        let rpc = service_fn(move |request| {
            let calls = calls.clone();
            async move { Ok::<_, Infallible>(calls.answer(request).await) }
        });
        Ok(Edge {
            origins: Origins::read(&config.cors_origins, host.address()?.ip().is_loopback())?,
            upstreams,
            files: Files::of(config.storefront_dir.as_ref()),
            rpc: BoxCloneSyncService::new(GrpcWebLayer::new().layer(rpc)),
        })
    }

    /// Answers one request, and writes a line about it.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Answer {
        let started = Instant::now();
        let request = request.map(Body::new);
        let (method, path, version) =
            (request.method().clone(), request.uri().path().to_owned(), request.version());
        let response = self.guarded(request).await;
        let grpc = response
            .headers()
            .get("grpc-status")
            .and_then(|code| code.to_str().ok())
            .unwrap_or("-")
            .to_owned();
        let elapsed = started.elapsed();
        metrics::histogram!("edge_request_duration_seconds").record(elapsed);
        let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let status = response.status().as_u16();
        // HTTP/2 would send the words of a refusal after it, which nobody who asked with HEAD expects.
        let response = if method == Method::HEAD { response.map(|_| Body::empty()) } else { response };
        tracing::info!(%method, path, ?version, status, grpc, elapsed_ms, "answered");
        response
    }

    /// A page that may not call is turned away before anything is carried out.
    async fn guarded(&self, request: Request<Body>) -> Answer {
        if !self.origins.allow(request.uri(), request.headers()) {
            return plain(StatusCode::FORBIDDEN, "this origin may not call here");
        }
        let edge = self.clone();
        let routed = ServiceBuilder::new().layer(self.origins.layer()).service(service_fn(move |request| {
            let edge = edge.clone();
            async move { Ok::<_, Infallible>(edge.route(request).await) }
        }));
        match routed.oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    async fn route(&self, request: Request<Body>) -> Answer {
        let path = request.uri().path();
        if is_rpc(path) || content_type(&request).starts_with("application/grpc") {
            return self.rpc(request).await;
        }
        if let Some(channel) = path.strip_prefix("/webhooks/payments/") {
            let channel = channel.to_owned();
            return match self.upstreams.channel("payment") {
                Ok(payment) => webhooks::receive(payment, &channel, request).await,
                Err(_) => plain(StatusCode::NOT_FOUND, "not found"),
            };
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return only("GET, HEAD");
        }
        match (path, path.strip_prefix("/media/")) {
            ("/.well-known/jwks.json", _) => match self.upstreams.channel("identity") {
                Ok(identity) => media::key_set(identity).await,
                Err(_) => plain(StatusCode::NOT_FOUND, "not found"),
            },
            (_, Some(name)) => match self.upstreams.channel("catalog") {
                Ok(catalog) => media::image(catalog, name).await,
                Err(_) => plain(StatusCode::NOT_FOUND, "not found"),
            },
            (_, None) if is_reserved(path) => plain(StatusCode::NOT_FOUND, "not found"),
            (_, None) => self.files.answer(request).await,
        }
    }

    async fn rpc(&self, request: Request<Body>) -> Answer {
        if request.method() != Method::POST {
            return only("POST");
        }
        let spoken = match content_type(&request) {
            "application/grpc-web"
            | "application/grpc-web+proto"
            | "application/grpc-web-text"
            | "application/grpc-web-text+proto" => true,
            // Native gRPC needs the trailers that only HTTP/2 has.
            "application/grpc" | "application/grpc+proto" => request.version() == Version::HTTP_2,
            _ => false,
        };
        if !spoken {
            return plain(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "calls are application/grpc over HTTP/2, or application/grpc-web",
            );
        }
        match self.rpc.clone().oneshot(request).await {
            Ok(mut response) => {
                let headers = response.headers_mut();
                headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
                headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
                response
            }
            Err(never) => match never {},
        }
    }
}

/// What other programs ask for: a page of the storefront would tell a probe that all is well, whatever is.
fn is_reserved(path: &str) -> bool {
    path.starts_with("/v1/") || matches!(path, "/livez" | "/readyz" | "/health" | "/metrics")
}

fn is_rpc(path: &str) -> bool {
    policy::of(path).is_some() || path.starts_with("/cartwright.") || path.starts_with("/grpc.")
}

/// Another method is needed here.
fn only(methods: &'static str) -> Answer {
    let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "pages are read with GET, calls are POSTs");
    answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    answer
}

fn content_type(request: &Request<Body>) -> &str {
    request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default()
}

/// Who answers a gRPC call: the edge for its health and for what the contract says, a service for the rest.
#[derive(Clone)]
struct Calls {
    upstreams: Upstreams,
    health: Rpc,
    reflection: Option<Reflection>,
}

impl Calls {
    async fn answer(self, request: Request<Body>) -> Answer {
        let path = request.uri().path();
        let own = match &self.reflection {
            _ if path.starts_with("/grpc.health.v1.") => Some(self.health),
            Some(reflection) if path.starts_with("/grpc.reflection.v1alpha.") => {
                Some(reflection.v1alpha.clone())
            }
            Some(reflection) if path.starts_with("/grpc.reflection.v1.") => Some(reflection.v1.clone()),
            Some(_) | None => None,
        };
        match own {
            Some(own) => match own.oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            },
            None => self.upstreams.call(request).await,
        }
    }
}

/// Tells generic clients what the contract says; older ones ask by the alpha's name.
#[derive(Clone)]
struct Reflection {
    v1: Rpc,
    v1alpha: Rpc,
}

impl Reflection {
    fn new() -> Result<Self, Error> {
        let describe = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(contract::DESCRIPTORS)
        };
        let v1 = describe().build_v1().map_err(|error| Error::Other(error.into()))?;
        let v1alpha = describe().build_v1alpha().map_err(|error| Error::Other(error.into()))?;
        Ok(Reflection { v1: BoxCloneSyncService::new(v1), v1alpha: BoxCloneSyncService::new(v1alpha) })
    }
}
