//! What requests ask for, and the pages of the lists.

use std::time::Duration;

use chassis::caller::Caller;
use chassis::db::Db;
use chassis::id::Id;
use chassis::money::Money;
use chassis::page::Page;
use chassis::time::Timestamp;
use chassis::{status, wire};
use contract::shipping::v1 as pb;
use contract::shipping::v1::shipment::State as PbState;
use prost_types::FieldMask;
use tonic::Status;

use crate::domain::tracking::Report;
use crate::domain::{Country, Parcel, Quantities, Rate, Shipment, State, Terms, Zone, rate, sum, zone};
use crate::error::Error;
use crate::store;
use crate::store::shipments::Filter;

/// How far another's clock may be ahead of ours.
const AHEAD_MAX: Duration = Duration::from_secs(300);

/// The permission to see everyone's shipments.
const READ_ANY: &str = "shipment.read.any";

/// Whose shipments a caller sees: their own, or with the permission everyone's.
pub(super) fn owner(caller: &Caller) -> Result<Option<&str>, Status> {
    if caller.may(READ_ANY) { Ok(None) } else { caller.subject().map(Some) }
}

pub(super) fn parcel(request: &pb::QuoteShippingRequest) -> Result<(Country, Parcel), Status> {
    let country = Country::parse(&request.country_code)
        .ok_or_else(|| status::invalid("country_code", "must be two capital letters, such as GB"))?;
    let subtotal = wire::money("subtotal", request.subtotal.as_ref())?;
    if subtotal.minor < 0 {
        return Err(status::invalid("subtotal", "must not be negative"));
    }
    Ok((country, Parcel { weight_grams: request.weight_grams, subtotal }))
}

pub(super) fn countries(codes: &[String]) -> Result<Vec<Country>, Status> {
    let country = |code: &String| {
        Country::parse_or_rest(code).ok_or_else(|| {
            status::invalid("zone.country_codes", "must be two capital letters each, such as GB, or *")
        })
    };
    codes.iter().map(country).collect()
}

/// Whether an update changes a field: one that the mask names, or without a mask one that is set.
fn changes(mask: Option<&FieldMask>, field: &str, set: bool) -> bool {
    match mask.map(|mask| mask.paths.as_slice()).unwrap_or_default() {
        [] => set,
        paths => paths.iter().any(|path| path == field || path == "*"),
    }
}

/// The zone to change, and how.
pub(super) fn zone_changes(request: &pb::UpdateZoneRequest) -> Result<(Id<Zone>, zone::Changes), Status> {
    let mask = request.update_mask.as_ref();
    wire::mask(mask, &["title", "country_codes"])?;
    let zone = wire::required("zone", request.zone.as_ref())?;
    let codes = changes(mask, "country_codes", !zone.country_codes.is_empty());
    let changes = zone::Changes {
        title: changes(mask, "title", !zone.title.is_empty()).then(|| zone.title.clone()),
        countries: codes.then(|| countries(&zone.country_codes)).transpose()?,
    };
    Ok((wire::name("zone.name", &zone.name)?, changes))
}

pub(super) fn rate_name(field: &str, name: &str) -> Result<rate::Name, Status> {
    Rate::parse_name(name)
        .ok_or_else(|| status::invalid(field, "must be a name like zones/{uuid}/rates/{uuid}"))
}

fn optional_money(field: &str, money: Option<&contract::Money>) -> Result<Option<Money>, Status> {
    money.map(|money| wire::money(field, Some(money))).transpose()
}

pub(super) fn terms(rate: &pb::Rate) -> Result<Terms, Status> {
    Ok(Terms {
        title: rate.title.clone(),
        carrier: rate.carrier.clone(),
        base: wire::money("rate.base_price", rate.base_price.as_ref())?,
        per_kilogram: optional_money("rate.price_per_kilogram", rate.price_per_kilogram.as_ref())?,
        free_from: optional_money("rate.free_from", rate.free_from.as_ref())?,
        weight_grams_max: rate.weight_grams_max,
        days_min: rate.days_min,
        days_max: rate.days_max,
    })
}

/// The rate to change, and how.
pub(super) fn rate_changes(request: &pb::UpdateRateRequest) -> Result<(rate::Name, rate::Changes), Status> {
    const FIELDS: &[&str] = &[
        "title",
        "carrier",
        "base_price",
        "price_per_kilogram",
        "free_from",
        "weight_grams_max",
        "days_min",
        "days_max",
    ];
    let mask = request.update_mask.as_ref();
    wire::mask(mask, FIELDS)?;
    let rate = wire::required("rate", request.rate.as_ref())?;
    let base = changes(mask, "base_price", rate.base_price.is_some());
    let per_kilogram = changes(mask, "price_per_kilogram", rate.price_per_kilogram.is_some());
    let free_from = changes(mask, "free_from", rate.free_from.is_some());
    let changes = rate::Changes {
        title: changes(mask, "title", !rate.title.is_empty()).then(|| rate.title.clone()),
        carrier: changes(mask, "carrier", !rate.carrier.is_empty()).then(|| rate.carrier.clone()),
        base: base.then(|| wire::money("rate.base_price", rate.base_price.as_ref())).transpose()?,
        per_kilogram: per_kilogram
            .then(|| optional_money("rate.price_per_kilogram", rate.price_per_kilogram.as_ref()))
            .transpose()?,
        free_from: free_from
            .then(|| optional_money("rate.free_from", rate.free_from.as_ref()))
            .transpose()?,
        weight_grams_max: changes(mask, "weight_grams_max", rate.weight_grams_max != 0)
            .then_some(rate.weight_grams_max),
        days_min: changes(mask, "days_min", rate.days_min != 0).then_some(rate.days_min),
        days_max: changes(mask, "days_max", rate.days_max != 0).then_some(rate.days_max),
    };
    Ok((rate_name("rate.name", &rate.name)?, changes))
}

pub(super) fn lines(lines: &[pb::ShipmentLine]) -> Quantities {
    sum(lines.iter().map(|line| (line.sku.clone(), line.quantity)))
}

/// What is said to have happened to a shipment.
pub(super) fn report(event: &pb::TrackingEvent) -> Result<Report, Status> {
    let state = match event.state() {
        PbState::Unspecified => return Err(status::invalid("tracking_event.state", "is required")),
        PbState::Cancelled => {
            return Err(status::invalid(
                "tracking_event.state",
                "must be on the way: CancelShipment cancels",
            ));
        }
        PbState::Pending => State::Pending,
        PbState::Dispatched => State::Dispatched,
        PbState::InTransit => State::InTransit,
        PbState::OutForDelivery => State::OutForDelivery,
        PbState::Delivered => State::Delivered,
    };
    let time = wire::optional_timestamp("tracking_event.time", event.time.as_ref())?;
    if time.is_some_and(|time| time > Timestamp::now().plus(AHEAD_MAX)) {
        return Err(status::invalid("tracking_event.time", "must not be in the future"));
    }
    Ok(Report { state, time, location: event.location.clone(), description: event.description.clone() })
}

pub(super) async fn zones(
    db: &Db,
    request: &pb::ListZonesRequest,
) -> Result<(Vec<pb::Zone>, String), Status> {
    let page = Page::of(request.page_size, &request.page_token, "zones")?;
    let found =
        store::zones::list_after(db.reader(), after(&page), page.size + 1).await.map_err(Error::from)?;
    let (found, next) = page.cut(found, |zone| vec![zone.id.to_string()]);
    Ok((found.into_iter().map(pb::Zone::from).collect(), next))
}

pub(super) async fn rates(
    db: &Db,
    request: &pb::ListRatesRequest,
) -> Result<(Vec<pb::Rate>, String), Status> {
    let zone = wire::name::<Zone>("parent", &request.parent)?;
    let page = Page::of(request.page_size, &request.page_token, &format!("rates of {zone}"))?;
    let found = store::rates::list_after(db.reader(), zone, after(&page), page.size + 1)
        .await
        .map_err(Error::from)?;
    if found.is_empty() && store::zones::find(db.reader(), zone).await.map_err(Error::from)?.is_none() {
        return Err(Error::ZoneNotFound.into());
    }
    let (found, next) = page.cut(found, |rate| vec![rate.id.to_string()]);
    Ok((found.into_iter().map(pb::Rate::from).collect(), next))
}

fn after<T>(page: &Page) -> Option<Id<T>> {
    page.after.as_deref().and_then(|keys| keys.first()?.parse().ok())
}

pub(super) async fn shipments(
    db: &Db,
    caller: &Caller,
    request: &pb::ListShipmentsRequest,
) -> Result<(Vec<pb::Shipment>, String), Status> {
    let owner = owner(caller)?;
    let order = match request.order.as_str() {
        "" => None,
        name => Some(wire::foreign_name("order", "orders/{id}", name)?),
    };
    let scope = format!("shipments\u{1f}{}\u{1f}{}", owner.unwrap_or("*"), request.order);
    let page = Page::of(request.page_size, &request.page_token, &scope)?;
    let before = page.after.as_deref().and_then(|keys| {
        Some((Timestamp::from_micros(keys.first()?.parse().ok()?), keys.get(1)?.parse().ok()?))
    });
    let filter = Filter { owner, order: order.as_deref(), before };
    let found =
        store::shipments::list_newest(db.reader(), &filter, page.size + 1).await.map_err(Error::from)?;
    let keys = |shipment: &Shipment| vec![shipment.create_time.micros().to_string(), shipment.id.to_string()];
    let (found, next) = page.cut(found, keys);
    Ok((found.into_iter().map(pb::Shipment::from).collect(), next))
}
