//! The pictures of products and the keys of tokens, fetched from the services for plain HTTP clients.
use chassis::client::Channel;
use contract::catalog::v1::GetImageRequest;
use contract::catalog::v1::catalog_service_client::CatalogServiceClient;
use contract::identity::v1::GetJsonWebKeySetRequest;
use contract::identity::v1::identity_service_client::IdentityServiceClient;
use http::{HeaderValue, Response, StatusCode, header};
use tonic::body::Body;
use tonic::{Code, Status};

use crate::files::{FOR_GOOD, guard, plain};

/// The largest answer taken: a picture of 1 MiB and what is said about it.
const IMAGE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// The picture of this name. It never changes, so browsers may keep it for good.
pub(crate) async fn image(catalog: Channel, name: &str) -> Response<Body> {
    let mut catalog = CatalogServiceClient::new(catalog).max_decoding_message_size(IMAGE_BYTES_MAX);
    let answer = match catalog.get_image(GetImageRequest { name: name.to_owned() }).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => return refused(&status),
    };
    let kind = answer.image.map(|image| image.content_type).unwrap_or_default();
    let mut response = Response::new(Body::new(http_body_util::Full::from(answer.content)));
    let kind = HeaderValue::try_from(kind).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(FOR_GOOD));
    let mut response = guard(response);
    // Pictures are public, and a storefront of another origin shows them too.
    response.headers_mut().insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    response
}

/// The public keys that verify access tokens, as JSON (RFC 7517).
pub(crate) async fn key_set(identity: Channel) -> Response<Body> {
    let answer = IdentityServiceClient::new(identity).get_json_web_key_set(GetJsonWebKeySetRequest {}).await;
    let keys = match answer {
        Ok(answer) => answer.into_inner().keys,
        Err(status) => return refused(&status),
    };
    let keys: Vec<_> = keys
        .iter()
        .map(|key| {
            serde_json::json!({
                "kty": key.kty, "crv": key.crv, "kid": key.kid, "x": key.x, "alg": key.alg, "use": key.r#use,
            })
        })
        .collect();
    let body = serde_json::json!({ "keys": keys }).to_string();
    let mut response = Response::new(Body::new(http_body_util::Full::from(body)));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    guard(response)
}

fn refused(status: &Status) -> Response<Body> {
    if matches!(status.code(), Code::NotFound | Code::InvalidArgument) {
        plain(StatusCode::NOT_FOUND, "not found")
    } else {
        plain(StatusCode::SERVICE_UNAVAILABLE, "try again later")
    }
}
