//! Framing, deadlines, panics and overload.
use super::*;

#[tokio::test]
async fn a_panic_is_an_internal_error_and_the_next_call_works() {
    let shop = Shop::open().await;
    let refusal = ask(shop.host.as_anyone(), "GetStock", "panic").await.unwrap_err();
    assert_eq!(refusal.code(), Code::Internal);
    assert!(!refusal.message().contains("test"), "{}", refusal.message());
    assert_eq!(ask(shop.host.as_anyone(), "GetStock", "stock/1").await.unwrap(), "stock/1");
}

#[tokio::test]
async fn a_late_call_is_answered_in_time_and_its_work_still_ends() {
    let shop = Shop::open().await;
    let mut raw = call(&format!("{PACKAGE}/GetStock"), frame(0, &named("wait")));
    raw.headers_mut().insert("grpc-timeout", "200m".parse().unwrap());
    assert_eq!(code(shop.raw(raw).await).await, Code::DeadlineExceeded);
    assert_eq!(shop.desk.ended.load(Ordering::SeqCst), 0);
    shop.desk.go.notify_one();
    eventually(async || (shop.desk.ended.load(Ordering::SeqCst) == 1).then_some(())).await;
}

#[tokio::test]
async fn work_ends_although_its_caller_has_gone() {
    let shop = Shop::open().await;
    let waiting = tokio::spawn(ask(shop.host.as_anyone(), "GetStock", "wait"));
    eventually(async || (shop.desk.began.load(Ordering::SeqCst) == 1).then_some(())).await;
    waiting.abort();
    tokio::time::sleep(Duration::from_millis(50)).await;
    shop.desk.go.notify_one();
    eventually(async || (shop.desk.ended.load(Ordering::SeqCst) == 1).then_some(())).await;
}

#[tokio::test]
async fn a_deadline_is_the_callers_within_the_contracts() {
    let shop = Shop::open().await;
    // GetStock allows two seconds.
    let table = [
        ("500m", 400..=500),
        ("1H", 1500..=2000),
        ("abc", 1500..=2000),
        ("-5S", 1500..=2000),
        ("123456789S", 1500..=2000),
    ];
    for (wish, expected) in table {
        let mut raw = call(&format!("{PACKAGE}/GetStock"), frame(0, &named("time left")));
        raw.headers_mut().insert("grpc-timeout", wish.parse().unwrap());
        let answer = shop.raw(raw).await.into_body().collect().await.unwrap().to_bytes();
        let left: u64 = Stock::decode(&answer[5..]).unwrap().name.parse().unwrap();
        assert!(expected.contains(&left), "{wish} left {left} ms");
    }
    let mut raw = call(&format!("{PACKAGE}/GetStock"), frame(0, &named("stock/1")));
    raw.headers_mut().insert("grpc-timeout", "1n".parse().unwrap());
    assert_eq!(code(shop.raw(raw).await).await, Code::DeadlineExceeded);
}

#[tokio::test]
async fn broken_requests_get_the_code_the_specification_names() {
    let shop = Shop::open().await;
    let good = named("stock/1");
    let twice = [frame(0, &good), frame(0, &good)].concat();
    let huge = vec![0; 300 * 1024];
    let bomb = gzip(&vec![0; 64 * 1024 * 1024]);
    let table: Vec<(&str, Option<&str>, Bytes, Code)> = vec![
        ("a good one", None, frame(0, &good), Code::Ok),
        ("a good one in gzip", Some("gzip"), frame(1, &gzip(&good)), Code::Ok),
        ("shorter than announced", None, Bytes::from_static(&[0, 0, 0, 0, 100, 1, 2, 3]), Code::Internal),
        ("compressed, unsaid how", None, frame(1, &good), Code::Internal),
        ("an unknown flag", None, frame(7, &good), Code::Internal),
        (
            "four gigabytes announced",
            None,
            Bytes::from_static(&[0, 255, 255, 255, 255, 1]),
            Code::ResourceExhausted,
        ),
        ("over the limit", None, frame(0, &huge), Code::ResourceExhausted),
        ("a gzip bomb", Some("gzip"), frame(1, &bomb), Code::ResourceExhausted),
        ("not gzip", Some("gzip"), frame(1, &good), Code::Internal),
        ("an unknown encoding", Some("zzz"), frame(1, &good), Code::Unimplemented),
        ("two messages", None, twice.into(), Code::Unimplemented),
        ("no message", None, Bytes::new(), Code::Internal),
        ("half a prefix", None, Bytes::from_static(&[0, 0]), Code::Internal),
        ("not protobuf", None, frame(0, &[0xff, 0xff]), Code::Internal),
        ("invalid UTF-8", None, frame(0, &[0x0a, 0x01, 0xff]), Code::Internal),
        ("an unknown field", None, frame(0, &[&good[..], &[0x98, 0x06, 0x01]].concat()), Code::Ok),
    ];
    for (case, encoding, body, expected) in table {
        let mut raw = call(&format!("{PACKAGE}/GetStock"), body);
        if let Some(encoding) = encoding {
            raw.headers_mut().insert("grpc-encoding", encoding.parse().unwrap());
        }
        let end = ended(shop.raw(raw).await).await;
        assert_eq!(end.code(), expected, "{case}");
        // Each says why in a word for programs, and none says what the decoder thinks.
        assert_eq!(status::reason(&end).is_some(), expected != Code::Ok, "{case}: {end:?}");
        assert!(!end.message().contains("decode") && !end.message().contains("wire"), "{case}: {end:?}");
    }
}

#[tokio::test]
async fn a_method_may_declare_a_larger_limit() {
    let shop = Shop::open().await;
    let large = "x".repeat(300 * 1024);
    let staff = shop.host.as_staff(&["stock.receive"]);
    assert!(ask(staff, "BatchReceiveStock", &large).await.is_ok());
    let refusal = ask(shop.host.as_anyone(), "GetStock", &large).await.unwrap_err();
    assert_eq!(refusal.code(), Code::ResourceExhausted);
    assert_eq!(status::reason(&refusal).as_deref(), Some("REQUEST_TOO_LARGE"));
}

#[tokio::test]
async fn paths_that_are_no_method_are_unimplemented() {
    let shop = Shop::open().await;
    let paths = [
        "/cartwright.inventory.v1.InventoryService/Missing",
        "/no.such.Service/GetStock",
        "/x/../cartwright.inventory.v1.InventoryService/GetStock",
        "/cartwright%2einventory.v1.InventoryService/GetStock",
        "//cartwright.inventory.v1.InventoryService/GetStock",
    ];
    // Another service's method is of the contract, and not offered here.
    for path in paths.into_iter().chain(["/cartwright.catalog.v1.CatalogService/GetProduct"]) {
        let end = ended(shop.raw(call(path, frame(0, &named("stock/1")))).await).await;
        let reason = status::reason(&end);
        assert_eq!((end.code(), reason.as_deref()), (Code::Unimplemented, Some("METHOD_UNKNOWN")), "{path}");
    }
    assert_eq!(shop.desk.began.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_is_not_grpc_is_turned_away_by_http() {
    let shop = Shop::open().await;
    for kind in [None, Some("text/plain"), Some("application/json"), Some("application/grpc-web")] {
        let mut raw = call(&format!("{PACKAGE}/GetStock"), frame(0, &named("stock/1")));
        match kind {
            Some(kind) => raw.headers_mut().insert("content-type", kind.parse().unwrap()),
            None => raw.headers_mut().remove("content-type"),
        };
        assert_eq!(shop.raw(raw).await.status(), http::StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind:?}");
    }
    let mut raw = call(&format!("{PACKAGE}/GetStock"), frame(0, &named("stock/1")));
    raw.headers_mut().insert("x-long", "x".repeat(20 * 1024).parse().unwrap());
    assert_eq!(shop.raw(raw).await.status(), http::StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
}

#[tokio::test]
async fn too_many_calls_are_told_to_come_back_and_probes_still_pass() {
    let shop = Shop::open_with(|settings| settings.in_flight_max = 1).await;
    let first = tokio::spawn(ask(shop.host.as_anyone(), "GetStock", "wait"));
    eventually(async || (shop.desk.began.load(Ordering::SeqCst) == 1).then_some(())).await;
    let refusal = ask(shop.host.as_anyone(), "GetStock", "stock/1").await.unwrap_err();
    assert_eq!(refusal.code(), Code::ResourceExhausted);
    assert!(refusal.get_details_retry_info().is_some_and(|retry| retry.retry_delay.is_some()));
    let mut health = tonic_health::pb::health_client::HealthClient::new(shop.channel());
    health.check(tonic_health::pb::HealthCheckRequest::default()).await.unwrap();
    // A burst passes: the second waits a moment for the first.
    let second = tokio::spawn(ask(shop.host.as_anyone(), "GetStock", "stock/1"));
    tokio::time::sleep(Duration::from_millis(50)).await;
    shop.desk.go.notify_one();
    assert_eq!(first.await.unwrap().unwrap(), "waited");
    assert_eq!(second.await.unwrap().unwrap(), "stock/1");
}

#[tokio::test]
async fn a_stopping_server_ends_streams_and_lets_calls_end() {
    let shop = Shop::open().await;
    let mut grpc = Grpc::new(shop.host.as_anyone());
    grpc.ready().await.unwrap();
    let path = format!("{PACKAGE}/WatchStock").parse().unwrap();
    let request = Request::new(GetStockRequest::default());
    let codec = ProstCodec::<GetStockRequest, Stock>::default();
    let mut stream = grpc.server_streaming(request, path, codec).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    let waiting = tokio::spawn(ask(shop.host.as_anyone(), "GetStock", "wait"));
    eventually(async || (shop.desk.began.load(Ordering::SeqCst) == 1).then_some(())).await;

    shop.host.process().shutdown().cancel();
    let end = stream.message().await.unwrap_err();
    assert_eq!((end.code(), status::reason(&end).as_deref()), (Code::Unavailable, Some("SERVER_STOPPING")));
    let address = shop.host.address().unwrap();
    // New callers are sent elsewhere at once, and do not wait at a door that nobody opens.
    eventually(async || TcpStream::connect(address).await.is_err().then_some(())).await;
    shop.desk.go.notify_one();
    assert_eq!(waiting.await.unwrap().unwrap(), "waited");
}

#[tokio::test]
async fn each_call_is_counted_by_the_contracts_names() {
    let shop = Shop::open().await;
    ask(shop.host.as_anyone(), "GetReservation", "reservations/1").await.unwrap_err();
    let counted = |lines: &str| {
        lines.lines().any(|line| {
            line.starts_with("rpc_server_requests_total")
                && line.contains("GetReservation")
                && line.contains("UNAUTHENTICATED")
        })
    };
    eventually(async || counted(&crate::telemetry::metrics().render()).then_some(())).await;
    shop.raw(call("/invented.Name/Invented", Bytes::new())).await;
    assert!(!crate::telemetry::metrics().render().contains("nvented"));
}

fn gzip(message: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(message).unwrap();
    encoder.finish().unwrap()
}
