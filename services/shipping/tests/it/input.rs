//! Bad input is named and changes nothing.
use std::time::Duration;

use chassis::status;
use chassis::time::Timestamp;
use contract::Money;
use contract::shipping::v1 as pb;
use contract::shipping::v1::shipment::State;
use tonic::Code;

use super::support::{Depot, a_request, by_hand, flat, gbp, money, quote, record, zone};

#[tokio::test]
async fn a_quote_without_sense_is_refused_by_its_field() {
    let depot = Depot::open().await;
    let fraction = Money { currency_code: "GBP".to_owned(), units: 1, nanos: 1 };
    let table = [
        ("weight_grams", quote("GB", -1, gbp(1))),
        ("weight_grams", quote("GB", 1_000_000_000, gbp(1))),
        ("country_code", quote("gb", 1, gbp(1))),
        ("country_code", quote("*", 1, gbp(1))),
        ("country_code", quote("GBR", 1, gbp(1))),
        ("subtotal", quote("GB", 1, gbp(-1))),
        ("subtotal", quote("GB", 1, fraction)),
        ("subtotal", pb::QuoteShippingRequest { subtotal: None, ..quote("GB", 1, gbp(1)) }),
    ];
    for (field, request) in table {
        let refusal = depot.anyone().quote_shipping(request.clone()).await.unwrap_err();
        assert_eq!(refusal.code(), Code::InvalidArgument, "{request:?}");
        assert_eq!(status::violations(&refusal)[0].0, field, "{request:?}");
    }
}

#[tokio::test]
async fn a_zone_without_sense_is_refused() {
    let depot = Depot::open().await;
    let table = [
        zone(&[]),
        zone(&["gb"]),
        zone(&["GB", "GB"]),
        zone(&["GBR"]),
        pb::Zone { title: String::new(), ..zone(&["GB"]) },
    ];
    for wrong in table {
        let request = pb::CreateZoneRequest { zone: Some(wrong.clone()), ..Default::default() };
        assert_eq!(
            depot.staff().create_zone(request).await.unwrap_err().code(),
            Code::InvalidArgument,
            "{wrong:?}"
        );
    }
    let request = pb::GetZoneRequest { name: "zones/1".to_owned() };
    assert_eq!(depot.anyone().get_zone(request).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_rate_without_sense_is_refused_by_its_field() {
    let depot = Depot::open().await;
    let home = depot.zone(&["GB"]).await;
    let sound = || flat("Standard", 300);
    let table = [
        ("rate.base_price", pb::Rate { base_price: None, ..sound() }),
        ("rate.base_price", flat("Standard", -1)),
        ("rate.price_per_kilogram", pb::Rate { price_per_kilogram: Some(money(1, "EUR")), ..sound() }),
        ("rate.free_from", pb::Rate { free_from: Some(money(1, "EUR")), ..sound() }),
        ("rate.free_from", pb::Rate { free_from: Some(gbp(-1)), ..sound() }),
        ("rate.weight_grams_max", pb::Rate { weight_grams_max: -1, ..sound() }),
        ("rate.days_max", pb::Rate { days_min: 4, days_max: 3, ..sound() }),
        ("rate.carrier", pb::Rate { carrier: String::new(), ..sound() }),
    ];
    for (field, rate) in table {
        let request =
            pb::CreateRateRequest { parent: home.name.clone(), rate: Some(rate), ..Default::default() };
        let refusal = depot.staff().create_rate(request).await.unwrap_err();
        assert_eq!(refusal.code(), Code::InvalidArgument, "{field}");
        assert_eq!(status::violations(&refusal)[0].0, field);
    }
    let nowhere = format!("zones/{}", a_request());
    let request = pb::CreateRateRequest { parent: nowhere, rate: Some(sound()), ..Default::default() };
    assert_eq!(depot.staff().create_rate(request).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn news_of_a_shipment_without_sense_is_refused_by_its_field() {
    let depot = Depot::open().await;
    let name = format!("shipments/{}", a_request());
    let event = |event: pb::TrackingEvent| pb::RecordTrackingRequest {
        tracking_event: Some(event),
        ..record(&name, State::Pending)
    };
    let tomorrow = Timestamp::now().plus(Duration::from_secs(86_400));
    let table = [
        ("tracking_event.state", record(&name, State::Unspecified)),
        ("tracking_event.state", record(&name, State::Cancelled)),
        ("tracking_event.state", event(pb::TrackingEvent { state: 99, ..Default::default() })),
        (
            "tracking_event.time",
            event(pb::TrackingEvent { state: 2, time: Some(tomorrow.into()), ..Default::default() }),
        ),
        (
            "tracking_event",
            pb::RecordTrackingRequest { tracking_event: None, ..record(&name, State::Pending) },
        ),
        ("shipment", record("shipments/1", State::Dispatched)),
    ];
    for (field, request) in table {
        let refusal = depot.staff().record_tracking(request.clone()).await.unwrap_err();
        assert_eq!(refusal.code(), Code::InvalidArgument, "{request:?}");
        assert_eq!(status::violations(&refusal)[0].0, field, "{request:?}");
    }
    let absent = depot.record(&name, State::Dispatched).await.unwrap_err();
    assert_eq!(super::support::reason(&absent), "SHIPMENT_NOT_FOUND");
}

#[tokio::test]
async fn a_shipment_by_hand_without_sense_is_refused() {
    let depot = Depot::open().await;
    let order = format!("orders/{}", a_request());
    let table = [
        by_hand("carts/1", &[]),
        by_hand(&order, &[("HAT", 0)]),
        by_hand(&order, &[("HAT", -1)]),
        by_hand(&order, &[("", 1)]),
    ];
    for request in table {
        let refusal = depot.staff().create_shipment(request.clone()).await.unwrap_err();
        assert_eq!(refusal.code(), Code::InvalidArgument, "{request:?}");
    }
    assert_eq!(depot.book.asked(), 0);
}
