//! Prices: set now, set for later, and never forgotten.
use std::time::{Duration, SystemTime};

use chassis::testing::eventually;
use contract::catalog::v1 as pb;
use contract::operations::v1 as operations;
use contract::operations::v1::operations_service_client::OperationsServiceClient;
use tonic::Code;

use crate::support::{Catalog, field_at_fault, gbp, refusal, said};

fn set(variant: &str, minor: i64, from: Option<SystemTime>) -> pb::SetPriceRequest {
    let price =
        pb::Price { amount: Some(gbp(minor)), effective_time: from.map(Into::into), ..Default::default() };
    pb::SetPriceRequest { variant: variant.into(), price: Some(price), ..Default::default() }
}

#[tokio::test]
async fn a_new_price_holds_at_once_for_everyone() {
    let shop = Catalog::start().await;
    let cup = shop.product("Cup", "C", 100).await;
    let name = &cup.variants[0].name;
    shop.variants(&mut shop.anyone(), &["C"]).await;
    let price = shop.staff().set_price(set(name, 120, None)).await.unwrap().into_inner();
    assert!(price.name.starts_with(&format!("{name}/prices/")) && price.actor.starts_with("users/"));
    for mut calls in [shop.anyone(), shop.service("order")] {
        let read = &shop.variants(&mut calls, &["C"]).await[0];
        assert_eq!((read.price.clone(), read.price_version), (Some(gbp(120)), 2));
    }
    let list = |page_size, page_token: &str| pb::ListPricesRequest {
        parent: name.clone(),
        page_size,
        page_token: page_token.into(),
    };
    let first = shop.staff().list_prices(list(1, "")).await.unwrap().into_inner();
    assert_eq!(first.prices, [price]);
    let second = shop.staff().list_prices(list(1, &first.next_page_token)).await.unwrap().into_inner();
    assert_eq!((second.prices[0].amount.clone(), second.next_page_token.as_str()), (Some(gbp(100)), ""));
}

#[tokio::test]
async fn a_price_for_later_holds_when_its_time_comes() {
    let shop = Catalog::start().await;
    let cup = shop.product("Cup", "C", 100).await;
    let name = &cup.variants[0].name;
    let soon = SystemTime::now() + Duration::from_millis(700);
    shop.staff().set_price(set(name, 90, Some(soon))).await.unwrap();
    shop.staff().set_price(set(name, 80, Some(soon + Duration::from_secs(3600)))).await.unwrap();
    let read = &shop.variants(&mut shop.anyone(), &["C"]).await[0];
    assert_eq!((read.price.clone(), read.price_version), (Some(gbp(100)), 1));
    let read = eventually(async || {
        let read = shop.variants(&mut shop.anyone(), &["C"]).await.remove(0);
        (read.price == Some(gbp(90))).then_some(read)
    })
    .await;
    assert!(SystemTime::now() >= soon);
    assert_eq!(read.price_version, 2);
}

#[tokio::test]
async fn each_change_of_price_is_announced_once() {
    let shop = Catalog::start().await;
    let cup = shop.product("Cup", "C", 100).await;
    let name = &cup.variants[0].name;
    let request =
        pb::SetPriceRequest { request_id: uuid::Uuid::now_v7().to_string(), ..set(name, 120, None) };
    let first = shop.staff().set_price(request.clone()).await.unwrap().into_inner();
    assert_eq!(shop.staff().set_price(request).await.unwrap().into_inner(), first);
    let mut operations = OperationsServiceClient::new(shop.host.as_staff(&["audit.read"]));
    let published = operations
        .list_published_events(operations::ListPublishedEventsRequest::default())
        .await
        .unwrap()
        .into_inner();
    let said: Vec<_> =
        published.events.iter().map(|event| (event.r#type.as_str(), event.key.as_str())).collect();
    assert_eq!(
        said.iter().filter(|said| **said == ("cartwright.catalog.v1.PriceChanged", name.as_str())).count(),
        1
    );
    assert_eq!(
        said.iter()
            .filter(|said| **said == ("cartwright.catalog.v1.ProductChanged", cup.name.as_str()))
            .count(),
        2
    );
    let checked = operations
        .check_invariants(operations::CheckInvariantsRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert!(checked.findings.iter().all(|finding| finding.offenders.is_empty()), "{checked:?}");
}

#[tokio::test]
async fn a_price_needs_its_permission_and_its_variant() {
    let shop = Catalog::start().await;
    let cup = shop.product("Cup", "C", 100).await;
    let name = &cup.variants[0].name;
    assert_eq!(refusal(shop.anyone().set_price(set(name, 1, None)).await).0, Code::Unauthenticated);
    let absent = format!("{}/variants/{}", cup.name, uuid::Uuid::now_v7());
    assert_eq!(
        refusal(shop.staff().set_price(set(&absent, 1, None)).await),
        said(Code::NotFound, "VARIANT_NOT_FOUND")
    );
    assert_eq!(field_at_fault(shop.staff().set_price(set(name, -1, None)).await), "price.amount");
}
