//! Tokens and access rules, as a caller meets them.
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use ring::{
    hmac,
    signature::{Ed25519KeyPair, KeyPair},
};
use serde_json::{Value, json};

use super::*;
use crate::{auth, auth::AccessPolicy, time::Timestamp};

/// A key that identity has published, and its id.
struct Issuer {
    pair: Ed25519KeyPair,
    id: String,
}

impl Issuer {
    fn new() -> Self {
        let (key, pkcs8) = auth::SigningKey::generate().unwrap();
        Self { pair: Ed25519KeyPair::from_pkcs8(&pkcs8).unwrap(), id: key.id().to_owned() }
    }

    fn head(&self) -> Value {
        json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": self.id })
    }

    fn claims() -> Value {
        let now = Timestamp::now().micros() / 1_000_000;
        json!({
            "iss": "cartwright", "aud": "cartwright", "sub": "users/1", "sid": "sessions/1", "jti": "1",
            "roles": ["clerk"], "iat": now, "nbf": now, "exp": now + 600,
        })
    }

    fn sign(&self, head: &Value, claims: &str) -> String {
        let message = format!("{}.{}", BASE64.encode(head.to_string()), BASE64.encode(claims));
        let signature = BASE64.encode(self.pair.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }
}

async fn shop_that_trusts(issuer: &Issuer) -> Shop {
    let shop = Shop::open().await;
    let policy = AccessPolicy::new(100)
        .key(&issuer.id, issuer.pair.public_key().as_ref(), None)
        .role("clerk", ["stock.read".to_owned()]);
    shop.host.access.set(policy);
    shop
}

async fn try_header(shop: &Shop, values: &[&str]) -> Code {
    // Any signed-in clerk may list stock.
    let mut raw = call(&format!("{PACKAGE}/ListStock"), frame(0, &named("who")));
    for value in values {
        raw.headers_mut().append("authorization", value.parse().unwrap());
    }
    code(shop.raw(raw).await).await
}

fn with(mut base: Value, key: &str, value: Value) -> Value {
    base[key] = value;
    base
}

fn without(mut base: Value, key: &str) -> Value {
    base.as_object_mut().unwrap().remove(key);
    base
}

#[tokio::test]
async fn a_token_that_is_not_exactly_right_is_no_token() {
    let issuer = Issuer::new();
    let shop = shop_that_trusts(&issuer).await;
    let (head, claims) = (issuer.head(), Issuer::claims());
    let now = claims["iat"].as_i64().unwrap();
    let good = issuer.sign(&head, &claims.to_string());
    let bearer = |token: &str| format!("Bearer {token}");
    assert_eq!(try_header(&shop, &[&bearer(&good)]).await, Code::Ok);
    assert_eq!(try_header(&shop, &[&bearer(&good).replace("Bearer", "bEARER")]).await, Code::Ok);

    let mut bad: Vec<(String, String)> = Vec::new();
    let mut refuse = |case: &str, token: String| bad.push((case.to_owned(), token));
    for algorithm in ["none", "None", "NONE", "nOnE", "HS256", "ES256", "RS256", "EDDSA", ""] {
        let head = with(head.clone(), "alg", json!(algorithm));
        refuse(&format!("alg {algorithm}"), issuer.sign(&head, &claims.to_string()));
        let unsigned = format!("{}.{}.", BASE64.encode(head.to_string()), BASE64.encode(claims.to_string()));
        refuse(&format!("alg {algorithm} unsigned"), unsigned);
    }
    let hs256 = with(head.clone(), "alg", json!("HS256"));
    let message = format!("{}.{}", BASE64.encode(hs256.to_string()), BASE64.encode(claims.to_string()));
    let key = hmac::Key::new(hmac::HMAC_SHA256, issuer.pair.public_key().as_ref());
    let signature = BASE64.encode(hmac::sign(&key, message.as_bytes()));
    refuse("keyed with the public key", format!("{message}.{signature}"));
    for kid in ["../../../../dev/null", "' OR 1=1--", "https://evil.example/key", ""] {
        refuse(
            &format!("kid {kid}"),
            issuer.sign(&with(head.clone(), "kid", json!(kid)), &claims.to_string()),
        );
    }
    let stranger = Issuer::new();
    let jwk =
        json!({ "kty": "OKP", "crv": "Ed25519", "x": BASE64.encode(stranger.pair.public_key().as_ref()) });
    for (name, value) in [
        ("jwk", jwk),
        ("jku", json!("https://evil.example")),
        ("x5u", json!("https://evil.example")),
        ("crit", json!(["b64"])),
    ] {
        refuse(name, stranger.sign(&with(head.clone(), name, value.clone()), &claims.to_string()));
        refuse(
            &format!("{name} with our key"),
            issuer.sign(&with(head.clone(), name, value), &claims.to_string()),
        );
    }
    refuse("a stranger's key", stranger.sign(&head, &claims.to_string()));
    for (name, value) in [
        ("exp", json!(now - 31)),
        ("exp", json!((now + 600).to_string())),
        ("exp", json!(-1)),
        ("exp", json!(1.5)),
        ("nbf", json!(now + 600)),
        ("nbf", json!(now.to_string())),
        ("nbf", json!(-1)),
        ("iat", json!(now + 600)),
        ("iat", json!("now")),
        ("aud", json!("payment")),
        ("aud", json!(["cartwright"])),
        ("iss", json!("somebody")),
        ("roles", json!("clerk")),
        ("sub", json!(1)),
    ] {
        refuse(
            &format!("{name} = {value}"),
            issuer.sign(&head, &with(claims.clone(), name, value).to_string()),
        );
    }
    refuse(
        "exp 1e400",
        issuer.sign(
            &head,
            &with(claims.clone(), "exp", json!(0)).to_string().replace("\"exp\":0", "\"exp\":1e400"),
        ),
    );
    for name in ["exp", "nbf", "iat", "aud", "iss", "sub", "sid", "jti", "roles"] {
        refuse(&format!("no {name}"), issuer.sign(&head, &without(claims.clone(), name).to_string()));
    }
    for kind in ["JWT", "rt+jwt", "id+jwt", "reset+jwt", "AT+JWT", "int+jwt", ""] {
        refuse(
            &format!("typ {kind}"),
            issuer.sign(&with(head.clone(), "typ", json!(kind)), &claims.to_string()),
        );
    }
    refuse("no typ", issuer.sign(&without(head.clone(), "typ"), &claims.to_string()));
    refuse("no signature", good.rsplit_once('.').unwrap().0.to_owned());
    refuse("an empty signature", format!("{}.", good.rsplit_once('.').unwrap().0));
    let flipped: Vec<u8> = good
        .bytes()
        .enumerate()
        .map(|(at, byte)| if at == good.len() / 2 { byte ^ 1 } else { byte })
        .collect();
    refuse("one bit flipped", String::from_utf8(flipped).unwrap());
    refuse("four parts", format!("{good}.x"));
    refuse("nothing", String::new());
    refuse("12 KiB", issuer.sign(&head, &with(claims.clone(), "jti", json!("x".repeat(9000))).to_string()));

    for (case, token) in &bad {
        assert_eq!(try_header(&shop, &[&bearer(token)]).await, Code::Unauthenticated, "{case}");
    }
    assert_eq!(try_header(&shop, &[]).await, Code::Unauthenticated, "none");
    assert_eq!(try_header(&shop, &[&bearer(&good), &bearer(&good)]).await, Code::Unauthenticated, "two");
    assert_eq!(try_header(&shop, &[&format!("Basic {good}")]).await, Code::Unauthenticated, "another scheme");
    assert_eq!(try_header(&shop, &[&good]).await, Code::Unauthenticated, "no scheme");
    let raw = call(&format!("{PACKAGE}/ListStock?access_token={good}"), frame(0, &named("who")));
    assert_eq!(code(shop.raw(raw).await).await, Code::Unauthenticated, "in the query");
}

#[tokio::test]
async fn a_bad_token_is_refused_even_where_none_is_needed() {
    let shop = Shop::open().await;
    assert!(ask(shop.host.as_anyone(), "GetStock", "stock/1").await.is_ok());
    let refusal = ask(shop.host.with_token(Some("a.b.c")), "GetStock", "stock/1").await.unwrap_err();
    assert_eq!(refusal.code(), Code::Unauthenticated);
    assert_eq!(status::reason(&refusal).as_deref(), Some("TOKEN_INVALID"));
}

#[tokio::test]
async fn an_expired_token_says_so() {
    let issuer = Issuer::new();
    let shop = shop_that_trusts(&issuer).await;
    let now = Timestamp::now().micros() / 1_000_000;
    for (ago, expected) in [(25, None), (31, Some("TOKEN_EXPIRED"))] {
        let token = issuer.sign(&issuer.head(), &with(Issuer::claims(), "exp", json!(now - ago)).to_string());
        let answer = ask(shop.host.with_token(Some(&token)), "ListStock", "who").await;
        assert_eq!(
            answer.err().and_then(|refusal| status::reason(&refusal)).as_deref(),
            expected,
            "{ago} s ago"
        );
    }
}

#[tokio::test]
async fn a_token_that_was_good_is_refused_once_it_expires_or_its_key_is_gone() {
    let issuer = Issuer::new();
    let shop = shop_that_trusts(&issuer).await;
    let reason = async |token: &str| {
        let answer = ask(shop.host.with_token(Some(token)), "ListStock", "who").await;
        answer.err().and_then(|refusal| status::reason(&refusal))
    };
    // It has lapsed by a second less than clocks may differ.
    let exp = Timestamp::now().micros() / 1_000_000 - 29;
    let lapsing = issuer.sign(&issuer.head(), &with(Issuer::claims(), "exp", json!(exp)).to_string());
    assert_eq!(reason(&lapsing).await, None);
    let refused = crate::testing::eventually(async || reason(&lapsing).await).await;
    assert_eq!(refused, "TOKEN_EXPIRED");

    let lasting = issuer.sign(&issuer.head(), &Issuer::claims().to_string());
    assert_eq!(reason(&lasting).await, None);
    shop.host.access.set(AccessPolicy::new(101));
    assert_eq!(reason(&lasting).await.as_deref(), Some("TOKEN_INVALID"));
}

#[tokio::test]
async fn an_ended_session_and_a_lost_role_count_at_once() {
    let issuer = Issuer::new();
    let shop = shop_that_trusts(&issuer).await;
    let token = issuer.sign(&issuer.head(), &Issuer::claims().to_string());
    let client = || shop.host.with_token(Some(&token));
    assert_eq!(ask(client(), "ListStock", "who").await.unwrap(), "users/1");

    let trusted = AccessPolicy::new(101).key(&issuer.id, issuer.pair.public_key().as_ref(), None);
    shop.host.access.set(trusted.clone());
    let refusal = ask(client(), "ListStock", "who").await.unwrap_err();
    assert_eq!(refusal.code(), Code::PermissionDenied);
    assert_eq!(status::reason(&refusal).as_deref(), Some("PERMISSION_MISSING"));
    assert_eq!(status::metadata(&refusal).get("permission").map(String::as_str), Some("stock.read"));

    let later = Timestamp::now().plus(Duration::from_secs(1));
    for who in ["sessions/1", "users/1"] {
        shop.host.access.set(trusted.next().revoke(who, later));
        let refusal = ask(client(), "GetStock", "who").await.unwrap_err();
        assert_eq!(status::reason(&refusal).as_deref(), Some("SESSION_ENDED"), "{who}");
        shop.host.access.set(trusted.next());
    }
}

#[tokio::test]
async fn services_call_as_themselves_and_for_the_person_they_serve() {
    let shop = Shop::open().await;
    assert_eq!(ask(shop.host.as_service("order"), "ReserveStock", "who").await.unwrap(), "service:order");
    assert_eq!(
        ask(shop.host.as_service("cart"), "ReserveStock", "who").await.unwrap_err().code(),
        Code::PermissionDenied
    );
    assert_eq!(
        ask(shop.host.as_anyone(), "ReserveStock", "who").await.unwrap_err().code(),
        Code::Unauthenticated
    );
    let customer = shop.host.as_customer("users/7");
    assert_eq!(ask(customer, "ReserveStock", "who").await.unwrap_err().code(), Code::PermissionDenied);

    let clerk = crate::caller::Caller::person("users/8", None, ["stock.read".to_owned()]);
    assert_eq!(
        ask(shop.host.as_service_for("gateway", &clerk), "ListStock", "who").await.unwrap(),
        "users/8"
    );
    let customer = crate::caller::Caller::person("users/9", None, []);
    let refusal = ask(shop.host.as_service_for("gateway", &customer), "ListStock", "who").await.unwrap_err();
    assert_eq!(refusal.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn an_internal_token_is_for_one_service_by_one_service() {
    let process = TestProcess::new().await;
    let (cart, inventory) = (process.host("cart"), process.host("inventory"));
    inventory.serve(Server::without_database(&inventory.host()).grpc(Desk::default()).run());
    let for_cart = auth::token::internal(&process.host("order").keys, "cart", None).unwrap();
    let refusal = ask(inventory.with_token(Some(&for_cart)), "ReserveStock", "who").await.unwrap_err();
    assert_eq!(refusal.code(), Code::Unauthenticated);

    // The cart's own key cannot speak for the order service.
    let own = auth::token::internal(&cart.keys, "inventory", None).unwrap();
    let parts: Vec<_> = own.split('.').collect();
    let claims = String::from_utf8(BASE64.decode(parts[1]).unwrap())
        .unwrap()
        .replace("\"iss\":\"cart\"", "\"iss\":\"order\"");
    let forged = format!("{}.{}.{}", parts[0], BASE64.encode(claims), parts[2]);
    let refusal = ask(inventory.with_token(Some(&forged)), "ReserveStock", "who").await.unwrap_err();
    assert_eq!(refusal.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn identity_headers_from_outside_mean_nothing() {
    let shop = Shop::open().await;
    let mut request = Request::new(GetStockRequest { name: "who".to_owned() });
    for name in ["x-user-id", "x-roles", "x-forwarded-client-cert"] {
        request.metadata_mut().insert(name, "users/1".parse().unwrap());
    }
    assert_eq!(ask_with(shop.host.as_anyone(), "GetStock", request).await.unwrap(), "anonymous");
}
