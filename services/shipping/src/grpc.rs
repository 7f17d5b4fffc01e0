//! The wire: each RPC reads its request, does one thing, and writes the answer.

mod convert;
mod read;

use std::pin::Pin;

use chassis::caller::{self, Caller};
use chassis::once::{Key, once};
use chassis::wire;
use contract::shipping::v1 as pb;
use contract::shipping::v1::shipping_service_server::ShippingService;
use futures::{Stream, StreamExt};
use tonic::{Request, Response, Status};

use self::read::{owner, rate_name};
use crate::domain::{Shipment, Zone, rate};
use crate::error::Error;
use crate::{Service, service, store};

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl ShippingService for Service {
    async fn quote_shipping(
        &self,
        request: Request<pb::QuoteShippingRequest>,
    ) -> Answer<pb::QuoteShippingResponse> {
        let (_, request) = caller::of(request)?;
        let (country, parcel) = read::parcel(&request)?;
        let rates = self.tariffs.of(country, parcel.subtotal.currency).await?;
        let offers = rate::offers(rates, &parcel);
        Ok(Response::new(pb::QuoteShippingResponse {
            options: offers.into_iter().map(convert::option).collect(),
        }))
    }

    async fn create_zone(&self, request: Request<pb::CreateZoneRequest>) -> Answer<pb::Zone> {
        let (caller, request) = caller::of(request)?;
        let zone = wire::required("zone", request.zone.as_ref())?;
        let countries = read::countries(&zone.country_codes)?;
        let made =
            once(&self.db, Key::of(&caller, "CreateZone", &request.request_id, &request), async |tx| {
                service::tariff::create_zone(tx, &zone.title, &countries).await.map(pb::Zone::from)
            })
            .await?;
        Ok(Response::new(made))
    }

    async fn get_zone(&self, request: Request<pb::GetZoneRequest>) -> Answer<pb::Zone> {
        let (_, request) = caller::of(request)?;
        let id = wire::name("name", &request.name)?;
        let found = store::zones::find(self.db.writer(), id).await.map_err(Error::from)?;
        Ok(Response::new(found.ok_or(Error::ZoneNotFound)?.into()))
    }

    async fn list_zones(&self, request: Request<pb::ListZonesRequest>) -> Answer<pb::ListZonesResponse> {
        let (_, request) = caller::of(request)?;
        let (zones, next_page_token) = read::zones(&self.db, &request).await?;
        Ok(Response::new(pb::ListZonesResponse { zones, next_page_token }))
    }

    async fn update_zone(&self, request: Request<pb::UpdateZoneRequest>) -> Answer<pb::Zone> {
        let (caller, request) = caller::of(request)?;
        let (id, changes) = read::zone_changes(&request)?;
        let zone =
            once(&self.db, Key::of(&caller, "UpdateZone", &request.request_id, &request), async |tx| {
                service::tariff::update_zone(tx, id, &changes).await.map(pb::Zone::from)
            })
            .await?;
        Ok(Response::new(zone))
    }

    async fn delete_zone(&self, request: Request<pb::DeleteZoneRequest>) -> Answer<pb::DeleteZoneResponse> {
        let (caller, request) = caller::of(request)?;
        let id = wire::name::<Zone>("name", &request.name)?;
        let done =
            once(&self.db, Key::of(&caller, "DeleteZone", &request.request_id, &request), async |tx| {
                service::tariff::delete_zone(tx, id).await.map(|()| pb::DeleteZoneResponse {})
            })
            .await?;
        Ok(Response::new(done))
    }

    async fn create_rate(&self, request: Request<pb::CreateRateRequest>) -> Answer<pb::Rate> {
        let (caller, request) = caller::of(request)?;
        let zone = wire::name("parent", &request.parent)?;
        let terms =
            read::terms(wire::required("rate", request.rate.as_ref())?)?.sound().map_err(Error::from)?;
        let made =
            once(&self.db, Key::of(&caller, "CreateRate", &request.request_id, &request), async |tx| {
                service::tariff::create_rate(tx, zone, terms).await.map(pb::Rate::from)
            })
            .await?;
        Ok(Response::new(made))
    }

    async fn get_rate(&self, request: Request<pb::GetRateRequest>) -> Answer<pb::Rate> {
        let (_, request) = caller::of(request)?;
        let (zone, id) = rate_name("name", &request.name)?;
        let found = store::rates::find(self.db.writer(), zone, id).await.map_err(Error::from)?;
        Ok(Response::new(found.ok_or(Error::RateNotFound)?.into()))
    }

    async fn list_rates(&self, request: Request<pb::ListRatesRequest>) -> Answer<pb::ListRatesResponse> {
        let (_, request) = caller::of(request)?;
        let (rates, next_page_token) = read::rates(&self.db, &request).await?;
        Ok(Response::new(pb::ListRatesResponse { rates, next_page_token }))
    }

    async fn update_rate(&self, request: Request<pb::UpdateRateRequest>) -> Answer<pb::Rate> {
        let (caller, request) = caller::of(request)?;
        let (name, changes) = read::rate_changes(&request)?;
        let rate =
            once(&self.db, Key::of(&caller, "UpdateRate", &request.request_id, &request), async |tx| {
                service::tariff::update_rate(tx, name, changes).await.map(pb::Rate::from)
            })
            .await?;
        Ok(Response::new(rate))
    }

    async fn delete_rate(&self, request: Request<pb::DeleteRateRequest>) -> Answer<pb::DeleteRateResponse> {
        let (caller, request) = caller::of(request)?;
        let name = rate_name("name", &request.name)?;
        let done =
            once(&self.db, Key::of(&caller, "DeleteRate", &request.request_id, &request), async |tx| {
                service::tariff::delete_rate(tx, name).await.map(|()| pb::DeleteRateResponse {})
            })
            .await?;
        Ok(Response::new(done))
    }

    async fn create_shipment(&self, request: Request<pb::CreateShipmentRequest>) -> Answer<pb::Shipment> {
        let (caller, request) = caller::of(request)?;
        let name = wire::foreign_name("order", "orders/{id}", &request.order)?;
        let wanted = read::lines(&request.lines);
        // Asked before the transaction; whether it may be packed is decided inside, so that a repeat finds its reply.
        let order = self.orders.get(&name).await.map_err(Error::from)?;
        let key = Key::of(&caller, "CreateShipment", &request.request_id, &request);
        let made = once(&self.db, key, async |tx| {
            service::fulfillments::pack_by_hand(tx, &order, &wanted).await.map(convert::without_address)
        })
        .await?;
        self.addressed(made).await
    }

    async fn get_shipment(&self, request: Request<pb::GetShipmentRequest>) -> Answer<pb::Shipment> {
        let (caller, request) = caller::of(request)?;
        Ok(Response::new(self.shipment(&caller, &request.name).await?.into()))
    }

    async fn list_shipments(
        &self,
        request: Request<pb::ListShipmentsRequest>,
    ) -> Answer<pb::ListShipmentsResponse> {
        let (caller, request) = caller::of(request)?;
        let (shipments, next_page_token) = read::shipments(&self.db, &caller, &request).await?;
        Ok(Response::new(pb::ListShipmentsResponse { shipments, next_page_token }))
    }

    async fn record_tracking(&self, request: Request<pb::RecordTrackingRequest>) -> Answer<pb::Shipment> {
        let (caller, request) = caller::of(request)?;
        let id = wire::name("shipment", &request.shipment)?;
        let report = read::report(wire::required("tracking_event", request.tracking_event.as_ref())?)?;
        let key = Key::of(&caller, "RecordTracking", &request.request_id, &request);
        let shipment = once(&self.db, key, async |tx| {
            service::shipments::record(tx, id, &report).await.map(convert::without_address)
        })
        .await?;
        self.addressed(shipment).await
    }

    async fn track_shipment(&self, request: Request<pb::TrackShipmentRequest>) -> Answer<pb::Shipment> {
        let (caller, request) = caller::of(request)?;
        let number = request.tracking_number.trim().to_ascii_uppercase();
        let found = store::shipments::find_tracked(self.db.reader(), owner(&caller)?, &number).await;
        Ok(Response::new(found.map_err(Error::from)?.ok_or(Error::ShipmentNotFound)?.into()))
    }

    type WatchShipmentStream = Pin<Box<dyn Stream<Item = Result<pb::Shipment, Status>> + Send>>;

    async fn watch_shipment(
        &self,
        request: Request<pb::WatchShipmentRequest>,
    ) -> Answer<Self::WatchShipmentStream> {
        let (caller, request) = caller::of(request)?;
        let changes = self.watch.follow(wire::name("name", &request.name)?);
        let now = self.shipment(&caller, &request.name).await?;
        let stream = changes.since(now).map(|shipment| Ok(pb::Shipment::from(shipment)));
        Ok(Response::new(Box::pin(stream)))
    }

    async fn cancel_shipment(&self, request: Request<pb::CancelShipmentRequest>) -> Answer<pb::Shipment> {
        let (caller, request) = caller::of(request)?;
        let id = wire::name("name", &request.name)?;
        let key = Key::of(&caller, "CancelShipment", &request.request_id, &request);
        let shipment = once(&self.db, key, async |tx| {
            service::shipments::cancel(tx, id).await.map(convert::without_address)
        })
        .await?;
        self.addressed(shipment).await
    }
}

impl Service {
    /// A shipment that the caller may see.
    async fn shipment(&self, caller: &Caller, name: &str) -> Result<Shipment, Status> {
        let id = wire::name("name", name)?;
        let found =
            store::shipments::find(self.db.writer(), owner(caller)?, id).await.map_err(Error::from)?;
        Ok(found.ok_or(Error::ShipmentNotFound)?)
    }

    /// Adds to a kept reply where the shipment goes. Replies are kept without it: an erasure would not find it there.
    async fn addressed(&self, shipment: pb::Shipment) -> Answer<pb::Shipment> {
        let id = wire::name("name", &shipment.name)?;
        let address = store::shipments::address(self.db.writer(), id).await.map_err(Error::from)?;
        Ok(Response::new(pb::Shipment { address: address.map(Into::into), ..shipment }))
    }
}
