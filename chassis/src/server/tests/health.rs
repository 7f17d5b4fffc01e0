//! Probes, over gRPC and HTTP.
use std::sync::atomic::AtomicBool;

use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use super::*;

#[tokio::test]
async fn a_lost_dependency_shows_everywhere_and_so_does_its_return() {
    let process = TestProcess::new().await;
    let host = process.host("inventory");
    let up = Arc::new(AtomicBool::new(true));
    let check = {
        let up = up.clone();
        move || std::future::ready(up.load(Ordering::SeqCst))
    };
    host.serve(
        Server::without_database(&host.host()).grpc(Desk::default()).dependency("search", check).run(),
    );
    let probes = crate::host::ready(&crate::host::bind(([127, 0, 0, 1], 0).into()).unwrap()).unwrap();
    let address = probes.local_addr().unwrap();
    crate::task::spawn("probes", crate::health::serve(probes, host.health.clone(), host.shutdown.clone()));

    let channel =
        Endpoint::from_shared(format!("http://{}", host.address().unwrap())).unwrap().connect_lazy();
    let state = async |service: &str| {
        let request = HealthCheckRequest { service: service.to_owned() };
        HealthClient::new(channel.clone()).check(request).await.map(|answer| answer.into_inner().status())
    };
    let is = async |expected: ServingStatus| {
        for service in ["", Desk::NAME] {
            eventually(async || (state(service).await.ok()? == expected).then_some(())).await;
        }
    };
    is(ServingStatus::Serving).await;
    assert_eq!(get(address, "/readyz").await.0, 200);

    up.store(false, Ordering::SeqCst);
    let lost = tokio::time::Instant::now();
    is(ServingStatus::NotServing).await;
    assert!(lost.elapsed() < Duration::from_secs(5));
    assert_eq!(get(address, "/readyz").await.0, 503);
    assert_eq!(get(address, "/livez").await.0, 200);
    let (code, body) = get(address, "/health").await;
    assert_eq!(code, 503);
    assert!(body.contains(r#""search":false"#), "{body}");

    up.store(true, Ordering::SeqCst);
    is(ServingStatus::Serving).await;
    assert_eq!(get(address, "/health").await.0, 200);
    assert_eq!(get(address, "/nothing").await.0, 404);
    assert_eq!(state("no.such.Service").await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_service_describes_itself_only_when_told_to() {
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    };
    for (told, expected) in [(true, true), (false, false)] {
        let shop = Shop::open_with(|settings| settings.reflection = Some(told)).await;
        let request = tokio_stream::once(ServerReflectionRequest::default());
        let answer = ServerReflectionClient::new(shop.channel()).server_reflection_info(request).await;
        assert_eq!(answer.is_ok(), expected);
    }
}

async fn get(address: std::net::SocketAddr, path: &str) -> (u16, String) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    (answer[9..12].parse().unwrap(), answer)
}
