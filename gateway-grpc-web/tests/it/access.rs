//! Who may call what, read from the contract: every method, by everybody.
use bytes::Bytes;
use chassis::caller::Caller;
use chassis::policy::{self, Access};
use http::{Request, Version};
use http_body_util::Full;
use tonic::Code;
use tonic::body::Body;

use crate::desk::frame;
use crate::shop::{Answer, GET_ORDER, Shop, addressed, call, connect, read};

#[tokio::test]
async fn every_method_is_open_to_those_the_contract_names_and_to_nobody_else() {
    let shop = Shop::open().await;
    let sender = connect(shop.address).await;
    let guest = shop.token("guests/1", &[]);
    let user = shop.token("users/1", &[]);
    let mut expected = Vec::new();
    for policy in policy::all() {
        let ask = async |token: Option<&str>| -> Code {
            let mut request = Request::post(&policy.path)
                .header("content-type", "application/grpc")
                .header("te", "trailers")
                .header("cartwright-service", "order");
            if let Some(token) = token {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            let request = request.body(Body::new(Full::new(frame(0, &[])))).unwrap();
            let mut sender = sender.clone();
            sender.ready().await.unwrap();
            let request = addressed(shop.address, Version::HTTP_2, request);
            let answer: Answer = read(sender.send_request(request).await.unwrap()).await;
            answer.code()
        };
        let holder = match &policy.access {
            Access::Permission(permission) => shop.token("users/2", &[permission]),
            _ => user.clone(),
        };
        let codes =
            [ask(None).await, ask(Some(&guest)).await, ask(Some(&user)).await, ask(Some(&holder)).await];
        let (nobody, denied, ok) = (Code::Unauthenticated, Code::PermissionDenied, Code::Ok);
        let named = match policy.access {
            Access::Public => [ok; 4],
            Access::Guest => [nobody, ok, ok, ok],
            Access::User => [nobody, denied, ok, ok],
            Access::Permission(_) => [nobody, denied, denied, ok],
            Access::Internal => [denied; 4],
        };
        assert_eq!(codes, named, "{} is for {:?}", policy.path, policy.access);
        expected.extend(named.into_iter().filter(|code| *code == ok).map(|_| policy.path.clone()));
    }
    // Only what was allowed reached a service, and that of its own noun.
    let seen = shop.desks.seen();
    assert_eq!(seen.iter().map(|call| call.path.clone()).collect::<Vec<_>>(), expected);
    for call in seen {
        let noun = policy::of(&call.path).unwrap().noun();
        assert_eq!(call.noun, if noun == "operations" { "order" } else { noun }, "{}", call.path);
    }
}

#[tokio::test]
async fn a_service_is_told_who_calls_and_through_whom() {
    let shop = Shop::open().await;
    let ask = async |path: &str, token: Option<String>| {
        let mut request = call(path, "application/grpc-web");
        if let Some(token) = token {
            request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        assert_eq!(shop.send(Version::HTTP_11, request).await.code(), Code::Ok);
        shop.desks.seen().pop().unwrap().caller
    };
    let session = || Some("sessions/1".to_owned());
    let ann = ask(GET_ORDER, Some(shop.token("users/ann", &["order.read.any"]))).await;
    let named = Caller::person("users/ann", session(), ["order.read.any".to_owned()]);
    assert_eq!(ann, named.through("gateway"));
    let guest = ask(GET_ORDER, Some(shop.token("guests/1", &[]))).await;
    assert_eq!(guest, Caller::person("guests/1", session(), []).through("gateway"));
    let nobody = ask("/cartwright.catalog.v1.CatalogService/GetProduct", None).await;
    assert_eq!(nobody, Caller::service_named("gateway"));
}

#[tokio::test]
async fn what_a_client_says_about_itself_or_the_way_to_take_goes_no_further() {
    let shop = Shop::open().await;
    let token = shop.token("users/ann", &[]);
    let said = [
        ("x-user-id", "users/ben"),
        ("x-roles", "admin"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-forwarded-client-cert", "By=spiffe://shop/svc/order"),
        ("x-canary", "v2"),
        ("forwarded", "for=10.0.0.1"),
        ("via", "1.1 order"),
        ("cookie", "session=1"),
        ("cartwright-service", "payment"),
        ("cartwright-caller", "users/ben"),
        ("true-client-ip", "10.0.0.1"),
    ];
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let mut request = call(GET_ORDER, "application/grpc-web");
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        for (name, value) in said {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        assert_eq!(shop.send(version, request).await.code(), Code::Ok);
    }
    for call in shop.desks.seen() {
        assert_eq!((call.noun, call.caller.subject_if_any()), ("order", Some("users/ann")));
        for (name, _) in said {
            assert!(!call.headers.contains_key(name), "{name}");
        }
        let token = call.headers["authorization"].to_str().unwrap();
        assert_eq!(call.headers.get_all("authorization").iter().count(), 1);
        assert!(!token.contains(&shop.token("users/ann", &[])), "the person's own token stays at the edge");
    }
}

#[tokio::test]
async fn operators_name_the_service_they_mean() {
    let shop = Shop::open().await;
    let path = "/cartwright.operations.v1.OperationsService/GetEventLag";
    let Access::Permission(permission) = &policy::of(path).unwrap().access else {
        panic!("not for operators")
    };
    let token = shop.token("users/olga", &[permission]);
    let ask = async |service: Option<&str>, token: Option<&str>| {
        let mut request: Request<Bytes> = call(path, "application/grpc-web");
        for (name, value) in [("cartwright-service", service), ("authorization", token)] {
            if let Some(value) = value {
                request.headers_mut().insert(name, value.parse().unwrap());
            }
        }
        shop.send(Version::HTTP_11, request).await.code()
    };
    let bearer = format!("Bearer {token}");
    assert_eq!(ask(Some("payment"), Some(&bearer)).await, Code::Ok);
    assert_eq!(shop.desks.seen()[0].noun, "payment");
    for unknown in [None, Some("gateway"), Some("http://127.0.0.1"), Some("operations")] {
        assert_eq!(ask(unknown, Some(&bearer)).await, Code::InvalidArgument, "{unknown:?}");
    }
    assert_eq!(ask(None, None).await, Code::Unauthenticated, "strangers learn nothing");
    assert_eq!(shop.desks.seen().len(), 1);
}
