//! Tokens that count and tokens that do not.
use std::time::{SystemTime, UNIX_EPOCH};

use chassis::auth::token;
use chassis::caller::Caller;
use http::Version;
use tonic::Code;

use crate::shop::{Answer, GET_ORDER, Shop, call};

const PUBLIC: &str = "/cartwright.catalog.v1.CatalogService/GetProduct";
const HEAD: &str = r#"{"alg":"EdDSA","typ":"at+jwt","kid":"KID"}"#;

async fn ask(shop: &Shop, path: &str, values: &[String]) -> Answer {
    let mut request = call(path, "application/grpc-web");
    for value in values {
        request.headers_mut().append("authorization", value.parse().unwrap());
    }
    shop.send(Version::HTTP_11, request).await
}

/// Claims as identity writes them, issued `age` seconds ago.
fn claims(age: u64, audience: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - age;
    let until = now + 600;
    format!(
        r#"{{"sub":"users/ann","sid":"sessions/1","roles":[],"iss":"cartwright","aud":"{audience}","jti":"1","iat":{now},"nbf":{now},"exp":{until}}}"#
    )
}

#[tokio::test]
async fn without_a_token_only_public_methods_answer() {
    let shop = Shop::open().await;
    assert_eq!(ask(&shop, PUBLIC, &[]).await.code(), Code::Ok);
    assert_eq!(ask(&shop, GET_ORDER, &[]).await.code(), Code::Unauthenticated);
    let in_query = format!("{GET_ORDER}?access_token={}", shop.token("users/ann", &[]));
    assert_eq!(ask(&shop, &in_query, &[]).await.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_token_that_is_not_exactly_right_is_refused_even_where_none_is_needed() {
    let shop = Shop::open().await;
    let bearer = |token: &str| vec![format!("Bearer {token}")];
    let good = shop.token("users/ann", &[]);
    let (body, signature) = good.rsplit_once('.').unwrap();
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    let table = [
        ("two tokens", vec![format!("Bearer {good}"), format!("Bearer {good}")]),
        ("expired by more than the leeway", bearer(&shop.signed(HEAD, &claims(631, "cartwright")))),
        ("for another audience", bearer(&shop.signed(HEAD, &claims(0, "elsewhere")))),
        (
            "a refresh token",
            bearer(&shop.signed(&HEAD.replace("at+jwt", "rt+jwt"), &claims(0, "cartwright"))),
        ),
        ("no algorithm", bearer(&shop.signed(&HEAD.replace("EdDSA", "none"), &claims(0, "cartwright")))),
        (
            "a key of its own",
            bearer(&shop.signed(&HEAD.replace("KID", "../../dev/null"), &claims(0, "cartwright"))),
        ),
        ("no signature", bearer(&format!("{body}."))),
        ("a changed signature", bearer(&format!("{body}.{flipped}{}", &signature[1..]))),
        ("not a token", bearer("x")),
        ("too long", bearer(&"x".repeat(8 * 1024))),
        ("another scheme", vec![format!("Basic {good}")]),
    ];
    for (case, values) in table {
        for path in [PUBLIC, GET_ORDER] {
            assert_eq!(ask(&shop, path, &values).await.code(), Code::Unauthenticated, "{case}");
        }
    }
    assert!(shop.desks.seen().is_empty());
    // The table is about tokens: one made the same way, but right, counts.
    let right = shop.signed(HEAD, &claims(0, "cartwright"));
    assert_eq!(ask(&shop, GET_ORDER, &bearer(&right)).await.code(), Code::Ok);
    assert_eq!(
        ask(&shop, GET_ORDER, &bearer(&shop.signed(HEAD, &claims(620, "cartwright")))).await.code(),
        Code::Ok
    );
}

#[tokio::test]
async fn a_token_between_services_opens_nothing_from_outside() {
    let shop = Shop::open().await;
    let admin = Caller::person("users/1", None, ["order.read.any".to_owned()]);
    for audience in ["gateway", "order"] {
        for (signer, caller) in [("order", None), ("order", Some(&admin)), ("gateway", Some(&admin))] {
            let keys = shop.process.host(signer).keys.clone();
            let token = token::internal(&keys, audience, caller).unwrap();
            for path in [PUBLIC, GET_ORDER, "/cartwright.inventory.v1.InventoryService/ReserveStock"] {
                let code = ask(&shop, path, &[format!("Bearer {token}")]).await.code();
                let refused = matches!(code, Code::PermissionDenied | Code::Unauthenticated);
                assert!(refused, "{signer} for {audience} at {path}: {code:?}");
            }
        }
    }
    assert!(shop.desks.seen().is_empty());
}
