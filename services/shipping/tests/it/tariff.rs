//! Zones and rates.
use chassis::status;
use contract::shipping::v1 as pb;
use prost_types::FieldMask;
use tonic::Code;

use super::support::{Depot, a_request, flat, gbp, reason, zone};

fn mask(paths: &[&str]) -> Option<FieldMask> {
    Some(FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() })
}

#[tokio::test]
async fn a_country_is_in_one_zone_only() {
    let depot = Depot::open().await;
    let (home, abroad) = (depot.zone(&["GB", "IE"]).await, depot.zone(&["FR", "*"]).await);
    for codes in [["DE", "IE"], ["AT", "*"]] {
        let request = pb::CreateZoneRequest { zone: Some(zone(&codes)), ..Default::default() };
        let refusal = depot.staff().create_zone(request).await.unwrap_err();
        assert_eq!((refusal.code(), reason(&refusal).as_str()), (Code::AlreadyExists, "COUNTRY_TAKEN"));
        assert_eq!(status::metadata(&refusal)["country"], codes[1]);
    }
    let more = pb::Zone { name: abroad.name.clone(), ..zone(&["FR", "GB"]) };
    let request = pb::UpdateZoneRequest { zone: Some(more), ..Default::default() };
    let refusal = depot.staff().update_zone(request).await.unwrap_err();
    assert_eq!(status::metadata(&refusal)["zone"], home.name);
    // Nothing of what was refused is left.
    let request = pb::GetZoneRequest { name: abroad.name.clone() };
    assert_eq!(depot.anyone().get_zone(request).await.unwrap().into_inner(), abroad);
    depot.zone(&["DE", "AT"]).await;
}

#[tokio::test]
async fn of_two_zones_that_want_a_country_at_once_one_gets_it() {
    let depot = Depot::open().await;
    let request = |codes: &[&str]| pb::CreateZoneRequest { zone: Some(zone(codes)), ..Default::default() };
    let (mut one, mut other) = (depot.staff(), depot.staff());
    let (one, other) =
        tokio::join!(one.create_zone(request(&["GB", "FR"])), other.create_zone(request(&["FR", "GB"])));
    let refusal = match (one, other) {
        (Ok(_), Err(refusal)) | (Err(refusal), Ok(_)) => refusal,
        (one, other) => panic!("one zone should be made: {one:?} {other:?}"),
    };
    assert_eq!(reason(&refusal), "COUNTRY_TAKEN");
}

#[tokio::test]
async fn a_zone_changes_only_where_it_is_asked_to() {
    let depot = Depot::open().await;
    let made = depot.zone(&["GB", "IE"]).await;
    let asked = pb::Zone { name: made.name.clone(), title: "Islands".to_owned(), ..zone(&["GB", "JE"]) };
    let update = |update_mask, zone: &pb::Zone| pb::UpdateZoneRequest {
        zone: Some(zone.clone()),
        update_mask,
        ..Default::default()
    };
    let titled = depot.staff().update_zone(update(mask(&["title"]), &asked)).await.unwrap().into_inner();
    assert_eq!((titled.title.as_str(), &titled.country_codes), ("Islands", &made.country_codes));
    let only_codes = pb::Zone { title: String::new(), ..asked };
    let moved = depot.staff().update_zone(update(None, &only_codes)).await.unwrap().into_inner();
    assert_eq!((moved.title.as_str(), moved.country_codes.join(" ").as_str()), ("Islands", "GB JE"));
    let refusal = depot.staff().update_zone(update(mask(&["create_time"]), &only_codes)).await.unwrap_err();
    assert_eq!(status::violations(&refusal)[0].0, "update_mask");
    let absent = pb::Zone { name: format!("zones/{}", a_request()), ..only_codes };
    let refusal = depot.staff().update_zone(update(None, &absent)).await.unwrap_err();
    assert_eq!(reason(&refusal), "ZONE_NOT_FOUND");
}

#[tokio::test]
async fn a_zone_goes_with_its_rates_and_frees_its_countries() {
    let depot = Depot::open().await;
    let made = depot.zone(&["GB"]).await;
    let rate = depot.rate(&made, flat("Standard", 300)).await;
    let delete = pb::DeleteZoneRequest { name: made.name.clone(), request_id: a_request() };
    depot.clerk().delete_zone(delete.clone()).await.unwrap();
    depot.clerk().delete_zone(delete.clone()).await.unwrap();
    let again = pb::DeleteZoneRequest { request_id: String::new(), ..delete };
    assert_eq!(reason(&depot.clerk().delete_zone(again).await.unwrap_err()), "ZONE_NOT_FOUND");
    let refusal = depot.anyone().get_rate(pb::GetRateRequest { name: rate.name }).await.unwrap_err();
    assert_eq!(reason(&refusal), "RATE_NOT_FOUND");
    depot.zone(&["GB"]).await;
}

#[tokio::test]
async fn zones_and_rates_are_listed_page_by_page() {
    let depot = Depot::open().await;
    let (first, second) = (depot.zone(&["GB"]).await, depot.zone(&["FR", "DE"]).await);
    let ask = |page_token| pb::ListZonesRequest { page_size: 1, page_token };
    let page = depot.anyone().list_zones(ask(String::new())).await.unwrap().into_inner();
    assert_eq!(page.zones, std::slice::from_ref(&first));
    let page = depot.anyone().list_zones(ask(page.next_page_token)).await.unwrap().into_inner();
    assert_eq!((page.zones, page.next_page_token.as_str()), (vec![second.clone()], ""));

    let rates = [depot.rate(&first, flat("A", 2)).await, depot.rate(&first, flat("B", 1)).await];
    depot.rate(&second, flat("C", 3)).await;
    let ask = |page_token| pb::ListRatesRequest { parent: first.name.clone(), page_size: 1, page_token };
    let page = depot.anyone().list_rates(ask(String::new())).await.unwrap().into_inner();
    assert_eq!(page.rates, rates[..1]);
    // A token leads on in its own list only.
    let foreign = pb::ListRatesRequest { parent: second.name, ..ask(page.next_page_token.clone()) };
    assert_eq!(depot.anyone().list_rates(foreign).await.unwrap_err().code(), Code::InvalidArgument);
    let page = depot.anyone().list_rates(ask(page.next_page_token)).await.unwrap().into_inner();
    assert_eq!((page.rates, page.next_page_token.as_str()), (rates[1..].to_vec(), ""));
    let nowhere = pb::ListRatesRequest { parent: format!("zones/{}", a_request()), ..Default::default() };
    assert_eq!(reason(&depot.anyone().list_rates(nowhere).await.unwrap_err()), "ZONE_NOT_FOUND");
}

#[tokio::test]
async fn a_rate_changes_only_where_it_is_asked_to() {
    let depot = Depot::open().await;
    let home = depot.zone(&["GB"]).await;
    let made = depot.rate(&home, pb::Rate { free_from: Some(gbp(5000)), ..flat("Standard", 300) }).await;
    assert_eq!(
        depot.anyone().get_rate(pb::GetRateRequest { name: made.name.clone() }).await.unwrap().into_inner(),
        made
    );
    let update = |update_mask, rate: pb::Rate| pb::UpdateRateRequest {
        rate: Some(rate),
        update_mask,
        ..Default::default()
    };
    let dearer = pb::Rate { name: made.name.clone(), base_price: Some(gbp(400)), ..Default::default() };
    let changed = depot.staff().update_rate(update(None, dearer.clone())).await.unwrap().into_inner();
    assert_eq!(changed, pb::Rate { base_price: Some(gbp(400)), ..made.clone() });
    let changed = depot.staff().update_rate(update(mask(&["free_from"]), dearer)).await.unwrap().into_inner();
    assert_eq!(changed, pb::Rate { base_price: Some(gbp(400)), free_from: None, ..made.clone() });
    let longer = pb::Rate { name: made.name.clone(), days_min: 9, ..Default::default() };
    let refusal = depot.staff().update_rate(update(None, longer)).await.unwrap_err();
    assert_eq!(status::violations(&refusal)[0].0, "rate.days_max");
    depot
        .staff()
        .delete_rate(pb::DeleteRateRequest { name: made.name.clone(), ..Default::default() })
        .await
        .unwrap();
    let gone =
        depot.staff().delete_rate(pb::DeleteRateRequest { name: made.name, ..Default::default() }).await;
    assert_eq!(reason(&gone.unwrap_err()), "RATE_NOT_FOUND");
}

#[tokio::test]
async fn a_repeated_request_makes_nothing_twice() {
    let depot = Depot::open().await;
    let request = pb::CreateZoneRequest { zone: Some(zone(&["GB"])), request_id: a_request() };
    let first = depot.clerk().create_zone(request.clone()).await.unwrap().into_inner();
    assert_eq!(depot.clerk().create_zone(request.clone()).await.unwrap().into_inner(), first);
    let other = pb::CreateZoneRequest { zone: Some(zone(&["FR"])), ..request };
    assert_eq!(reason(&depot.clerk().create_zone(other).await.unwrap_err()), "REQUEST_ID_REUSED");
    let request =
        pb::CreateRateRequest { parent: first.name, rate: Some(flat("A", 1)), request_id: a_request() };
    let first = depot.clerk().create_rate(request.clone()).await.unwrap().into_inner();
    assert_eq!(depot.clerk().create_rate(request).await.unwrap().into_inner(), first);
}

#[tokio::test]
async fn only_staff_changes_zones_and_rates() {
    let depot = Depot::open().await;
    let request = || pb::CreateZoneRequest { zone: Some(zone(&["GB"])), ..Default::default() };
    assert_eq!(depot.anyone().create_zone(request()).await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(
        depot.customer("users/1").create_zone(request()).await.unwrap_err().code(),
        Code::PermissionDenied
    );
    let request = pb::CreateRateRequest {
        parent: "zones/1".to_owned(),
        rate: Some(flat("A", 1)),
        ..Default::default()
    };
    assert_eq!(
        depot.customer("users/1").create_rate(request).await.unwrap_err().code(),
        Code::PermissionDenied
    );
}
