//! What the edge says about itself.
use chassis::testing::eventually;
use futures::stream;
use http::{Request, StatusCode, Version};
use tonic::Code;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

use crate::shop::{Shop, call};

async fn list(shop: &Shop) -> Result<ServerReflectionResponse, tonic::Status> {
    let request = ServerReflectionRequest {
        message_request: Some(MessageRequest::ListServices(String::new())),
        ..Default::default()
    };
    let mut client = ServerReflectionClient::new(shop.channel());
    let mut answers = client.server_reflection_info(stream::iter([request])).await?.into_inner();
    Ok(answers.message().await?.unwrap())
}

#[tokio::test]
async fn the_edge_is_healthy_while_it_knows_tokens() {
    let shop = Shop::open().await;
    for service in ["", "cartwright.order.v1.OrderService"] {
        eventually(async || {
            let request = HealthCheckRequest { service: service.to_owned() };
            let answer = HealthClient::new(shop.channel()).check(request).await.ok()?.into_inner();
            (answer.status() == ServingStatus::Serving).then_some(())
        })
        .await;
    }
    let web = shop.send(Version::HTTP_11, call("/grpc.health.v1.Health/Check", "application/grpc-web")).await;
    assert_eq!(web.code(), Code::Ok);
}

#[tokio::test]
async fn the_edge_describes_the_contract_only_when_told_to() {
    let shop = Shop::open().await;
    let Some(MessageResponse::ListServicesResponse(known)) = list(&shop).await.unwrap().message_response
    else {
        panic!("no list")
    };
    assert!(known.service.iter().any(|service| service.name == "cartwright.order.v1.OrderService"));

    let closed = Shop::open_with(|settings| settings.reflection = Some(false), &[]).await;
    assert_eq!(list(&closed).await.unwrap_err().code(), Code::Unimplemented);
}

#[tokio::test]
async fn what_operators_measure_is_not_for_the_street() {
    let shop = Shop::open().await;
    for path in ["/metrics", "/livez", "/readyz", "/health", "/v1/products"] {
        let answer = shop.send(Version::HTTP_11, Request::get(path).body("").unwrap()).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path} is no page: a probe here must not succeed");
    }
}
