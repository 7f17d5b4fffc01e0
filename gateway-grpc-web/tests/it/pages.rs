//! What plain HTTP clients get: the storefront, pictures, and the keys of tokens.
use bytes::Bytes;
use chassis::status;
use contract::catalog::v1::{GetImageRequest, GetImageResponse, Image};
use contract::identity::v1::{JsonWebKey, JsonWebKeySet};
use http::{Request, Version};
use prost::Message;
use tonic::Code;

use crate::desk::Reply;
use crate::shop::Shop;

const FOR_GOOD: &str = "public, max-age=31536000, immutable";

#[tokio::test]
async fn every_path_without_a_file_is_a_page_of_the_storefront() {
    let shop = Shop::open().await;
    for path in ["/", "/cart", "/orders/1", "/index.html", "/products/shirt?size=m"] {
        let page = shop.get(path).await;
        assert_eq!(
            (page.status.as_u16(), page.body.as_ref()),
            (200, &b"<title>the shop</title>"[..]),
            "{path}"
        );
        assert_eq!((page.text("content-type"), page.text("cache-control")), ("text/html", "no-cache"));
    }
    let icon = shop.get("/favicon.svg").await;
    assert_eq!((icon.text("content-type"), icon.text("cache-control")), ("image/svg+xml", "no-cache"));
    let head = shop.send(Version::HTTP_11, Request::head("/cart").body("").unwrap()).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
}

#[tokio::test]
async fn assets_are_kept_for_good_and_a_missing_one_is_no_page() {
    let shop = Shop::open().await;
    let script = shop.get("/assets/app-1f2e.js").await;
    assert_eq!((script.body.as_ref(), script.text("cache-control")), (&b"let app"[..], FOR_GOOD));
    assert_eq!(script.text("content-type"), "text/javascript");
    let packed = Request::get("/assets/app-1f2e.js").header("accept-encoding", "gzip").body("").unwrap();
    let packed = shop.send(Version::HTTP_2, packed).await;
    assert_eq!((packed.body.as_ref(), packed.text("content-encoding")), (&b"gzipped app"[..], "gzip"));
    let missing = shop.get("/assets/app-of-yesterday.js").await;
    assert_eq!((missing.status.as_u16(), missing.text("cache-control")), (404, "no-cache"));
}

#[tokio::test]
async fn pages_cannot_be_turned_against_their_user() {
    let shop = Shop::open().await;
    for path in ["/", "/assets/app-1f2e.js", "/assets/missing.js", "/media/none"] {
        let page = shop.get(path).await;
        let policy = page.text("content-security-policy");
        for rule in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
            assert!(policy.contains(rule), "{path}: {rule}");
        }
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(page.text("x-content-type-options"), "nosniff");
        assert_eq!(page.text("referrer-policy"), "no-referrer");
        assert_eq!(page.text("cross-origin-opener-policy"), "same-origin");
        assert!(page.text("strict-transport-security").starts_with("max-age=63072000"));
    }
}

#[tokio::test]
async fn no_path_leaves_the_storefronts_folder() {
    let shop = Shop::open().await;
    for path in [
        "/../secret.txt",
        "/assets/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/..%5csecret.txt",
        "//secret.txt",
        "/./../secret.txt",
        "/index.html/../../secret.txt",
        "/assets/%00",
        "/assets/%ff",
    ] {
        let answer = shop.get(path).await;
        assert!(!answer.body.windows(6).any(|bytes| bytes == b"secret"), "{path}");
        assert!(answer.status.as_u16() < 500, "{path}: {}", answer.status);
    }
}

#[tokio::test]
async fn a_picture_comes_from_the_catalog_and_is_kept_for_good() {
    let shop = Shop::open().await;
    let image = Image { content_type: "image/png".to_owned(), ..Image::default() };
    let answer = GetImageResponse { image: Some(image), content: vec![7; 300 * 1024] };
    shop.desks.reply_with(Reply::Message(Bytes::from(answer.encode_to_vec())));
    let picture = shop.get("/media/products/1/images/2").await;
    assert_eq!((picture.status.as_u16(), picture.body.len()), (200, 300 * 1024));
    assert_eq!((picture.text("content-type"), picture.text("cache-control")), ("image/png", FOR_GOOD));
    assert_eq!(picture.text("x-content-type-options"), "nosniff");
    assert_eq!(picture.text("cross-origin-resource-policy"), "cross-origin");
    let seen = &shop.desks.seen()[0];
    assert_eq!(
        (seen.noun, seen.path.as_str()),
        ("catalog", "/cartwright.catalog.v1.CatalogService/GetImage")
    );
    assert_eq!(GetImageRequest::decode(&seen.body[5..]).unwrap().name, "products/1/images/2");
}

#[tokio::test]
async fn a_picture_that_is_not_there_is_not_found_and_a_catalog_that_is_not_is_unavailable() {
    let shop = Shop::open().await;
    for (code, status) in [(Code::NotFound, 404), (Code::InvalidArgument, 404), (Code::Unavailable, 503)] {
        let refusal = status::plain(code, "NO", "catalog", "no", &[]);
        shop.desks.reply_with(Reply::Refuse(Box::new(refusal)));
        let answer = shop.get("/media/products/1/images/..%2f..%2fetc").await;
        assert_eq!(answer.status.as_u16(), status);
        assert!(answer.text("cache-control").is_empty(), "nobody keeps a refusal");
    }
}

#[tokio::test]
async fn the_keys_of_tokens_are_published_as_json() {
    let shop = Shop::open().await;
    let key = JsonWebKey {
        kty: "OKP".to_owned(),
        crv: "Ed25519".to_owned(),
        kid: "1".to_owned(),
        x: "AAAA".to_owned(),
        alg: "EdDSA".to_owned(),
        r#use: "sig".to_owned(),
    };
    let answer = JsonWebKeySet { keys: vec![key] };
    shop.desks.reply_with(Reply::Message(Bytes::from(answer.encode_to_vec())));
    let keys = shop.get("/.well-known/jwks.json").await;
    assert_eq!((keys.status.as_u16(), keys.text("content-type")), (200, "application/json"));
    let json: serde_json::Value = serde_json::from_slice(&keys.body).unwrap();
    let expected = serde_json::json!({
        "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "1", "x": "AAAA", "alg": "EdDSA", "use": "sig" }]
    });
    assert_eq!(json, expected);
    assert_eq!(shop.desks.seen()[0].noun, "identity");
}
