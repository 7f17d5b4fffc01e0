//! Pages of other origins, and what browsers are told.
use http::{Request, Version};
use tonic::Code;

use crate::shop::{Answer, GET_ORDER, PAGE, Shop, call};

const PUBLIC: &str = "/cartwright.catalog.v1.CatalogService/GetProduct";
const BOTH: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

async fn preflight(shop: &Shop, version: Version, origin: &str) -> Answer {
    let request = Request::options(PUBLIC)
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization,content-type,grpc-timeout,x-grpc-web,x-user-agent",
        );
    shop.send(version, request.body("").unwrap()).await
}

async fn ask(shop: &Shop, version: Version, path: &str, origin: &str) -> Answer {
    let mut request = call(path, "application/grpc-web");
    request.headers_mut().insert("origin", origin.parse().unwrap());
    shop.send(version, request).await
}

#[tokio::test]
async fn a_listed_page_may_ask_and_read_why_it_was_refused() {
    let shop = Shop::open().await;
    for version in BOTH {
        let allowed = preflight(&shop, version, PAGE).await;
        assert_eq!((allowed.status.as_u16(), allowed.text("access-control-allow-origin")), (200, PAGE));
        assert!(allowed.text("access-control-allow-methods").contains("POST"));
        for name in ["authorization", "content-type", "grpc-timeout", "x-grpc-web", "x-user-agent"] {
            assert!(allowed.text("access-control-allow-headers").contains(name), "{name}");
        }
        assert!(!allowed.headers.contains_key("access-control-allow-credentials"), "there are no cookies");
        assert!(shop.desks.seen().is_empty(), "asking whether one may is not calling");
        let refused = ask(&shop, version, GET_ORDER, PAGE).await;
        assert_eq!(
            (refused.code(), refused.text("access-control-allow-origin")),
            (Code::Unauthenticated, PAGE)
        );
        for name in ["grpc-status", "grpc-message", "grpc-status-details-bin"] {
            assert!(refused.text("access-control-expose-headers").contains(name), "{name}");
        }
        assert!(refused.text("vary").contains("origin"));
    }
    assert_eq!(ask(&shop, Version::HTTP_11, PUBLIC, PAGE).await.code(), Code::Ok);
}

#[tokio::test]
async fn a_page_of_no_listed_origin_is_turned_away_and_nothing_is_done() {
    let shop = Shop::open().await;
    let other_port = format!("http://{}:1", shop.address.ip());
    for origin in [
        "null",
        "https://evil.example",
        "https://shop.example.evil.example",
        "https://evilshop.example",
        "http://shop.example",
        "https://shop.example:8443",
        "https://SHOP.example",
        &other_port,
    ] {
        for version in BOTH {
            for answer in [preflight(&shop, version, origin).await, ask(&shop, version, PUBLIC, origin).await]
            {
                assert_eq!(answer.status.as_u16(), 403, "{origin}");
                assert!(!answer.headers.contains_key("access-control-allow-origin"), "{origin}");
            }
        }
    }
    let mut two = call(PUBLIC, "application/grpc-web");
    two.headers_mut().append("origin", PAGE.parse().unwrap());
    two.headers_mut().append("origin", "https://evil.example".parse().unwrap());
    assert_eq!(shop.send(Version::HTTP_11, two).await.status.as_u16(), 403);
    assert!(shop.desks.seen().is_empty());
}

#[tokio::test]
async fn the_edges_own_pages_may_call_it() {
    let shop = Shop::open().await;
    let own = format!("http://{}", shop.address);
    for version in BOTH {
        assert_eq!(ask(&shop, version, PUBLIC, &own).await.code(), Code::Ok, "{version:?}");
    }
}
