//! Requests that are wrong as HTTP, as gRPC or as grpc-web.
use std::time::{Duration, Instant};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{Request, Version};
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::body::Body;
use tonic::{Code, Status};

use crate::desk::frame;
use crate::shop::{Answer, GET_ORDER, Shop, call, read, send};

const PUBLIC: &str = "/cartwright.catalog.v1.CatalogService/GetProduct";
const WEB: &str = "application/grpc-web";
const TEXT: &str = "application/grpc-web-text";
const BOTH: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

#[tokio::test]
async fn calls_are_posts_of_grpc_and_nothing_else() {
    let shop = Shop::open().await;
    for version in BOTH {
        for method in ["GET", "PUT", "DELETE", "HEAD"] {
            let request = Request::builder().method(method).uri(PUBLIC).body("").unwrap();
            let answer = shop.send(version, request).await;
            assert_eq!((answer.status.as_u16(), answer.text("allow")), (405, "POST"), "{method}");
        }
        let kinds =
            ["application/json", "text/plain", "application/grpc-web+json", "application/grpcfoo", ""];
        for kind in kinds {
            let answer = shop.send(version, call(PUBLIC, kind)).await;
            assert_eq!(answer.status.as_u16(), 415, "{kind}");
        }
    }
    let native = shop.send(Version::HTTP_11, call(PUBLIC, "application/grpc")).await;
    assert_eq!(native.status.as_u16(), 415, "native gRPC has no trailers over HTTP/1.1");
    let page = shop.send(Version::HTTP_11, Request::post("/cart").body("").unwrap()).await;
    assert_eq!((page.status.as_u16(), page.text("allow")), (405, "GET, HEAD"));
    assert!(shop.desks.seen().is_empty());
}

#[tokio::test]
async fn paths_that_are_no_method_are_unimplemented_and_reach_no_service() {
    let shop = Shop::open().await;
    let paths = [
        "/cartwright.order.v1.OrderService/Missing",
        "/no.such.Service/GetOrder",
        "/x/../cartwright.catalog.v1.CatalogService/GetProduct",
        "/x/%2e%2e/cartwright.catalog.v1.CatalogService/GetProduct",
        "/cartwright%2ecatalog.v1.CatalogService/GetProduct",
        "/cartwright.catalog.v1.CatalogService%2fGetProduct",
        "//cartwright.catalog.v1.CatalogService/GetProduct",
        "/cartwright.catalog.v1.CatalogService//GetProduct",
        "/cartwright.catalog.v1.CatalogService/GetProduct/",
        "/cartwright.catalog.v1.CatalogService/getproduct",
    ];
    for path in paths {
        for (version, kind) in
            [(Version::HTTP_2, "application/grpc"), (Version::HTTP_2, WEB), (Version::HTTP_11, WEB)]
        {
            let answer = shop.send(version, call(path, kind)).await;
            assert_eq!(answer.code(), Code::Unimplemented, "{path} {kind}");
        }
    }
    assert!(shop.desks.seen().is_empty());
}

#[tokio::test]
async fn a_timeout_that_cannot_be_read_is_an_invalid_argument() {
    let shop = Shop::open().await;
    for wish in ["abc", "-5S", "123456789S", "5", "5s", ""] {
        for (version, kind) in [(Version::HTTP_2, "application/grpc"), (Version::HTTP_11, WEB)] {
            let mut request = call(PUBLIC, kind);
            request.headers_mut().insert("grpc-timeout", wish.parse().unwrap());
            let answer = shop.send(version, request).await;
            assert_eq!(answer.code(), Code::InvalidArgument, "{wish}");
            assert_eq!(chassis::status::violations(&answer.rpc())[0].0, "grpc-timeout");
        }
    }
    let mut request = call(PUBLIC, WEB);
    request.headers_mut().insert("grpc-timeout", "1n".parse().unwrap());
    assert_eq!(shop.send(Version::HTTP_11, request).await.code(), Code::DeadlineExceeded);
    assert!(shop.desks.seen().is_empty());
}

#[tokio::test]
async fn what_is_larger_than_the_contract_allows_stops_at_the_edge() {
    let shop = Shop::open().await;
    let large = frame(0, &vec![0; 256 * 1024 + 1]);
    let answers = [
        shop.send(Version::HTTP_2, call(PUBLIC, "application/grpc").map(|_| large.clone())).await,
        shop.send(Version::HTTP_2, call(PUBLIC, WEB).map(|_| large.clone())).await,
        shop.send(Version::HTTP_11, call(PUBLIC, WEB).map(|_| large.clone())).await,
        shop.send(Version::HTTP_2, call(PUBLIC, TEXT).map(|_| BASE64_STANDARD.encode(&large))).await,
    ];
    for answer in answers {
        assert_eq!(answer.code(), Code::ResourceExhausted);
        assert_eq!(chassis::status::reason(&answer.rpc()).as_deref(), Some("REQUEST_TOO_LARGE"));
    }
    assert!(shop.desks.seen().is_empty());
    let fits = frame(0, &vec![0; 256 * 1024]);
    assert_eq!(shop.send(Version::HTTP_11, call(PUBLIC, WEB).map(|_| fits)).await.code(), Code::Ok);
}

#[tokio::test]
async fn too_much_metadata_is_refused_as_such() {
    let shop = Shop::open().await;
    for (version, kind) in [(Version::HTTP_2, "application/grpc"), (Version::HTTP_11, WEB)] {
        let mut request = call(PUBLIC, kind);
        request.headers_mut().insert("x-long", "x".repeat(20 * 1024).parse().unwrap());
        assert_eq!(shop.send(version, request).await.status.as_u16(), 431, "{version:?}");
    }
    assert!(shop.desks.seen().is_empty());
}

#[tokio::test]
async fn what_is_not_base64_is_the_clients_fault_and_no_services() {
    let shop = Shop::open().await;
    // More often than a service may fail before it is left alone.
    for version in BOTH {
        for broken in ["AAAAAAA!", "AAA", "????"] {
            for _ in 0..3 {
                let answer = shop.send(version, call(PUBLIC, TEXT).map(|_| broken)).await;
                assert_eq!(answer.code(), Code::Internal, "{broken}");
                assert!(!answer.rpc().message().contains("tonic"), "{}", answer.rpc().message());
            }
        }
    }
    assert!(shop.desks.seen().is_empty());
    assert_eq!(shop.send(Version::HTTP_2, call(PUBLIC, WEB)).await.code(), Code::Ok);
}

#[tokio::test]
async fn a_request_with_a_trailers_frame_is_refused() {
    let shop = Shop::open().await;
    let with_trailers = [frame(0, &[]), frame(0x80, b"grpc-status:0\r\n")].concat();
    for version in BOTH {
        let answer = shop.send(version, call(PUBLIC, WEB).map(|_| with_trailers.clone())).await;
        assert_eq!(answer.code(), Code::Internal, "{version:?}");
        let text = BASE64_STANDARD.encode(&with_trailers);
        assert_eq!(shop.send(version, call(PUBLIC, TEXT).map(|_| text)).await.code(), Code::Internal);
    }
    assert!(shop.desks.seen().is_empty());
}

#[tokio::test]
async fn a_client_that_sends_half_a_request_holds_up_nothing() {
    let shop = Shop::open().await;
    let half = stream::iter([Ok::<_, Status>(Frame::data(Bytes::from_static(&[0, 0])))]);
    let request = Request::post(PUBLIC)
        .header("content-type", WEB)
        .header("grpc-timeout", "300m")
        .body(Body::new(StreamBody::new(half.chain(stream::pending()))))
        .unwrap();
    let started = Instant::now();
    let answer: Answer = read(send(shop.address, Version::HTTP_2, request).await).await;
    assert_eq!(answer.code(), Code::DeadlineExceeded);
    assert!(started.elapsed() < Duration::from_secs(2));
    assert!(shop.desks.seen().is_empty());
}

/// RFC 9112 section 6.1 lets a server refuse such a request, or read it as chunked and then close. The HTTP library does
/// the latter, and takes `content-length` away before the edge sees any header.
#[tokio::test]
async fn two_lengths_of_one_request_are_never_two_requests() {
    let shop = Shop::open().await;
    let inner = "GET /favicon.svg HTTP/1.1\r\nhost: x\r\n\r\n";
    let framings = [
        "content-length: 5\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 5",
    ];
    for framing in framings {
        let raw = format!(
            "POST {GET_ORDER} HTTP/1.1\r\nhost: x\r\ncontent-type: {WEB}\r\n{framing}\r\n\r\n5\r\n\0\0\0\0\0\r\n0\r\n\r\n{inner}"
        );
        let said = exchange(&shop, raw.as_bytes()).await;
        // The sender means something else than we read, so nothing more is read from them.
        assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{said}");
        assert!(!said.contains("<svg"), "{said}");
    }
    let twice =
        format!("POST {PUBLIC} HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n123456");
    assert!(exchange(&shop, twice.as_bytes()).await.starts_with("HTTP/1.1 400"));
    let odd =
        format!("POST {PUBLIC} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n");
    assert!(exchange(&shop, odd.as_bytes()).await.starts_with("HTTP/1.1 400"));
}

/// All that comes back until the edge closes the connection.
async fn exchange(shop: &Shop, raw: &[u8]) -> String {
    let mut stream = TcpStream::connect(shop.address).await.unwrap();
    stream.write_all(raw).await.unwrap();
    let mut said = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut said)).await;
    assert!(ended.is_ok(), "the connection stays open after {}", String::from_utf8_lossy(&said));
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test]
async fn those_who_take_their_time_to_ask_are_cut_off() {
    let shop = Shop::open().await;
    let slow = async |mut bytes: &'static [u8]| {
        let started = Instant::now();
        let mut stream = TcpStream::connect(shop.address).await.unwrap();
        let mut said = [0; 1024];
        loop {
            if let Some((first, rest)) = bytes.split_first() {
                bytes = rest;
                if stream.write_all(&[*first]).await.is_err() {
                    break;
                }
            }
            let read = tokio::time::timeout(Duration::from_secs(1), stream.read(&mut said)).await;
            if let Ok(Ok(0) | Err(_)) = read {
                break;
            }
            assert!(started.elapsed() < Duration::from_secs(13), "still open");
        }
    };
    tokio::join!(slow(b""), slow(b"GET / HTTP/1.1\r\nhost: shop"), slow(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
}
