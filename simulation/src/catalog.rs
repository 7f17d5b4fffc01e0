//! The catalog, played: the real one keeps its search index by threads of its own. It holds goods and their prices.

use std::convert::Infallible;

use bytes::{BufMut, Bytes, BytesMut};
use chassis::simulated::Door;
use contract::Money;
use contract::catalog::v1::{BatchGetVariantsRequest, BatchGetVariantsResponse, Variant, product, variant};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use prost::Message;
use tonic::body::Body;
use tower::util::BoxCloneService;

/// What is sold, in the order of their SKUs.
pub(crate) const SKUS: [&str; 3] = ["CUP", "HAT", "PEN"];

/// The name of a variant.
pub(crate) fn name(sku: &str) -> String {
    format!("products/{}/variants/{}", sku.to_lowercase(), sku.to_lowercase())
}

/// What listens where the catalog would.
pub(crate) fn door() -> Door {
    BoxCloneService::new(tower::service_fn(|call: Request<Body>| async move {
        let method = call.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        let body = call.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        // What it has not is empty: no events, no facts, no invariants.
        let answer = if method == "BatchGetVariants" { variants(&body) } else { Bytes::new() };
        Ok::<_, Infallible>(framed(&answer))
    }))
}

fn variants(body: &[u8]) -> Bytes {
    // Five bytes say whether it is compressed, and how long it is.
    let asked = BatchGetVariantsRequest::decode(body.get(5..).unwrap_or_default()).unwrap_or_default();
    let known = SKUS.iter().zip(1..).map(|(sku, number)| {
        let price = Money { currency_code: "GBP".into(), units: 3 * number, nanos: 500_000_000 };
        let mut known = Variant {
            name: name(sku),
            sku: (*sku).into(),
            price: Some(price),
            weight_grams: 200,
            stocked: true,
            ..Variant::default()
        };
        known.set_state(variant::State::Active);
        known.set_product_state(product::State::Active);
        known
    });
    let variants = known.filter(|known| asked.names.contains(&known.name) || asked.skus.contains(&known.sku));
    BatchGetVariantsResponse { variants: variants.collect() }.encode_to_vec().into()
}

/// A message as gRPC frames it, with the trailers of a success.
fn framed(message: &[u8]) -> Response<Body> {
    let mut data = BytesMut::with_capacity(5 + message.len());
    data.put_u8(0);
    data.put_u32(u32::try_from(message.len()).unwrap_or_default());
    data.put_slice(message);
    let trailers =
        HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), HeaderValue::from(0))]);
    let frames = [Frame::data(data.freeze()), Frame::trailers(trailers)].map(Ok::<_, Infallible>);
    let mut answer = Response::new(Body::new(StreamBody::new(futures::stream::iter(frames))));
    answer.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    answer
}
