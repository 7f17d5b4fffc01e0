//! Which pages may call the edge from a browser.
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use chassis::Error;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// How long a browser may remember what it was allowed.
const REMEMBERED: Duration = Duration::from_secs(600);

/// The origins that may call: those configured, exactly as written, and the edge's own.
#[derive(Clone)]
pub(crate) struct Origins {
    configured: Arc<Vec<HeaderValue>>,
    /// Whether the edge is for this machine alone. Then its own origin is one of this machine: a foreign name that was
    /// made to point here is not.
    local: bool,
}

impl Origins {
    /// Reads the configured origins. A pattern or a path in one is a mistake, said at start.
    pub(crate) fn read(origins: &[String], local: bool) -> Result<Self, Error> {
        let read = |origin: &String| {
            let uri: Option<Uri> = origin.parse().ok();
            let exact = uri.is_some_and(|uri| {
                matches!(uri.scheme_str(), Some("http" | "https"))
                    && uri.path() == "/"
                    && !origin.ends_with('/')
                    && !origin.contains('*')
            });
            let value = HeaderValue::from_str(origin).ok().filter(|_| exact);
            value.ok_or_else(|| {
                Error::Settings(format!(
                    "CORS_ORIGINS: {origin} is not an origin such as https://shop.example"
                ))
            })
        };
        let configured = Arc::new(origins.iter().map(read).collect::<Result<_, _>>()?);
        Ok(Origins { configured, local })
    }

    /// Whether a call may be carried out: those without an origin come from no foreign page.
    pub(crate) fn allow(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        headers.get_all(header::ORIGIN).iter().all(|origin| self.names(origin, uri, headers))
    }

    fn names(&self, origin: &HeaderValue, uri: &Uri, headers: &HeaderMap) -> bool {
        self.configured.contains(origin)
            || own(origin, uri, headers).is_some_and(|host| !self.local || is_local(host))
    }

    /// What browsers are told about who may call, and what they may read of the answer.
    pub(crate) fn layer(&self) -> CorsLayer {
        let origins = self.clone();
        let names =
            |names: &[&'static str]| names.iter().copied().map(HeaderName::from_static).collect::<Vec<_>>();
        CorsLayer::new()
            .allow_origin(AllowOrigin::predicate(move |origin, parts| {
                origins.names(origin, &parts.uri, &parts.headers)
            }))
            .allow_methods([Method::GET, Method::POST])
            .allow_headers(names(&[
                "authorization",
                "content-type",
                "grpc-timeout",
                "traceparent",
                "tracestate",
                "cartwright-service",
                "x-grpc-web",
                "x-user-agent",
            ]))
            // Without these a browser sees that a call failed, but not why.
            .expose_headers(names(&[
                "grpc-status",
                "grpc-message",
                "grpc-status-details-bin",
                "x-request-id",
            ]))
            .max_age(REMEMBERED)
    }
}

/// The host of the page, where it came from the edge itself: its origin names the host that is called. HTTP/2 says it in
/// the URI.
fn own<'a>(origin: &'a HeaderValue, uri: &Uri, headers: &HeaderMap) -> Option<&'a str> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = uri.authority().map(http::uri::Authority::as_str).or(host)?;
    let (_, authority) = origin.to_str().ok()?.split_once("://")?;
    (authority == host).then_some(authority)
}

/// Whether a host, with or without a port, is this machine by its name or address.
fn is_local(authority: &str) -> bool {
    let Ok(authority) = authority.parse::<http::uri::Authority>() else { return false };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(origin: &str) -> HeaderMap {
        HeaderMap::from_iter([
            (header::ORIGIN, origin.parse().expect("a value")),
            (header::HOST, "edge.example:8080".parse().expect("a value")),
        ])
    }

    #[test]
    fn only_the_named_origins_and_the_own_one_may_call() {
        let origins = Origins::read(&["https://shop.example".into()], false).expect("an origin");
        for (origin, allowed) in [
            ("https://shop.example", true),
            ("http://edge.example:8080", true),
            ("https://shop.example.evil.example", false),
            ("http://shop.example", false),
            ("https://evil.example", false),
            ("null", false),
        ] {
            assert_eq!(origins.allow(&Uri::from_static("/"), &from(origin)), allowed, "{origin}");
        }
        assert!(origins.allow(&Uri::from_static("/"), &HeaderMap::new()));
    }

    #[test]
    fn a_foreign_name_that_points_to_this_machine_is_not_its_own() {
        let origins = Origins::read(&[], true).expect("no origin");
        for (host, allowed) in [
            ("localhost:8080", true),
            ("shop.localhost:8080", true),
            ("127.0.0.1:8080", true),
            ("[::1]:8080", true),
            ("rebound.example:8080", false),
            ("10.0.0.1:8080", false),
        ] {
            let headers = HeaderMap::from_iter([
                (header::ORIGIN, format!("http://{host}").parse().expect("a value")),
                (header::HOST, host.parse().expect("a value")),
            ]);
            assert_eq!(origins.allow(&Uri::from_static("/"), &headers), allowed, "{host}");
        }
    }

    #[test]
    fn a_pattern_is_no_origin() {
        for wrong in ["*", "https://*.example", "shop.example", "https://shop.example/", "ftp://shop.example"]
        {
            assert!(Origins::read(&[wrong.into()], false).is_err(), "{wrong}");
        }
    }
}
