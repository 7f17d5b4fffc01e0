//! The storefront's files, with the headers that keep a page from being turned against its user.
use std::path::PathBuf;

use http::{HeaderValue, Request, Response, StatusCode, header};
use tonic::body::Body;
use tower::ServiceExt;
use tower_http::services::{ServeDir, ServeFile};

/// What every page is served with: scripts, styles and calls from here only, and no framing.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
                      connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// How long a browser may keep what never changes.
pub(crate) const FOR_GOOD: &str = "public, max-age=31536000, immutable";

/// The files of a folder. A path that names no file is a page of the storefront, which finds its way itself.
#[derive(Clone)]
pub(crate) struct Files(Option<Folder>);

#[derive(Clone)]
struct Folder {
    pages: ServeDir<ServeFile>,
    /// The build names these after their content. One that is missing is of another build, and no page.
    assets: ServeDir,
}

impl Files {
    pub(crate) fn of(folder: Option<&PathBuf>) -> Self {
        let of = |folder: &PathBuf| {
            let files = ServeDir::new(folder).precompressed_gzip();
            let page = ServeFile::new(folder.join("index.html")).precompressed_gzip();
            Folder { pages: files.clone().fallback(page), assets: files }
        };
        if let Some(folder) = folder.filter(|folder| !folder.join("index.html").is_file()) {
            tracing::warn!(folder = %folder.display(), "STOREFRONT_DIR has no index.html: pages are not found until it does");
        }
        Files(folder.map(of))
    }

    pub(crate) async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let Some(folder) = &self.0 else {
            return plain(StatusCode::NOT_FOUND, "no storefront is served here");
        };
        let hashed = request.uri().path().starts_with("/assets/");
        let found = if hashed {
            folder.assets.clone().oneshot(request).await
        } else {
            folder.pages.clone().oneshot(request).await
        };
        let mut response = match found {
            Ok(response) => response.map(Body::new),
            Err(never) => match never {},
        };
        // A page must be fetched anew to name the assets of the newest build.
        let cache = if hashed && response.status().is_success() { FOR_GOOD } else { "no-cache" };
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
        guard(response)
    }
}

/// A short answer in words.
pub(crate) fn plain(status: StatusCode, words: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::new(http_body_util::Full::from(words)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    guard(response)
}

/// Adds the headers that tell a browser what not to do with the answer.
pub(crate) fn guard(mut response: Response<Body>) -> Response<Body> {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::STRICT_TRANSPORT_SECURITY, "max-age=63072000; includeSubDomains"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    for (name, value) in
        [("cross-origin-opener-policy", "same-origin"), ("cross-origin-resource-policy", "same-origin")]
    {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
