//! The wire: each RPC reads its request, does one thing, and writes the answer.

mod convert;
mod read;

use std::collections::BTreeSet;
use std::pin::Pin;

use chassis::caller::{self, Caller};
use chassis::once::{Key, once};
use chassis::time::Timestamp;
use chassis::{status, wire};
use contract::inventory::v1 as pb;
use contract::inventory::v1::inventory_service_server::InventoryService;
use futures::{Stream, StreamExt, stream};
use tokio_stream::wrappers::WatchStream;
use tonic::{Request, Response, Status};

use self::read::{ListStock, location_name, order_name, sku, stock_name};
use crate::domain::{Cause, Location, LocationId, Sku, Stock, sum};
use crate::error::Error;
use crate::service::reservations::Wish;
use crate::service::stock::Receipt;
use crate::{Service, service, store};

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl InventoryService for Service {
    async fn get_stock(&self, request: Request<pb::GetStockRequest>) -> Answer<pb::Stock> {
        let (_, request) = caller::of(request)?;
        let sku = stock_name("name", &request.name)?;
        let found =
            store::stock::find(self.db.reader(), &BTreeSet::from([sku])).await.map_err(Error::from)?.pop();
        Ok(Response::new(found.ok_or(Error::StockNotFound)?.into()))
    }

    async fn batch_get_stock(
        &self,
        request: Request<pb::BatchGetStockRequest>,
    ) -> Answer<pb::BatchGetStockResponse> {
        let (_, request) = caller::of(request)?;
        let skus = request.skus.iter().map(|text| sku("skus", text)).collect::<Result<Vec<_>, _>>()?;
        let found = store::stock::find(self.db.reader(), &skus.iter().cloned().collect())
            .await
            .map_err(Error::from)?;
        let of = |sku: &Sku| found.iter().find(|stock| stock.sku == *sku).cloned().map(pb::Stock::from);
        Ok(Response::new(pb::BatchGetStockResponse { stock: skus.iter().filter_map(of).collect() }))
    }

    async fn list_stock(&self, request: Request<pb::ListStockRequest>) -> Answer<pb::ListStockResponse> {
        let (_, request) = caller::of(request)?;
        let list = ListStock { size: request.page_size, token: &request.page_token, only_low: false };
        let (stock, next_page_token) = list.page(&self.db).await?;
        Ok(Response::new(pb::ListStockResponse { stock, next_page_token }))
    }

    async fn list_low_stock(
        &self,
        request: Request<pb::ListLowStockRequest>,
    ) -> Answer<pb::ListLowStockResponse> {
        let (_, request) = caller::of(request)?;
        let list = ListStock { size: request.page_size, token: &request.page_token, only_low: true };
        let (stock, next_page_token) = list.page(&self.db).await?;
        Ok(Response::new(pb::ListLowStockResponse { stock, next_page_token }))
    }

    type WatchStockStream = Pin<Box<dyn Stream<Item = Result<pb::Stock, Status>> + Send>>;

    async fn watch_stock(&self, request: Request<pb::WatchStockRequest>) -> Answer<Self::WatchStockStream> {
        let (_, request) = caller::of(request)?;
        let skus = request.skus.iter().map(|text| sku("skus", text)).collect::<Result<BTreeSet<_>, _>>()?;
        // Followed before it is read: what changes in between comes twice rather than never, and is dropped below.
        let changes: Vec<_> =
            skus.iter().map(|sku| WatchStream::from_changes(self.watch.follow(sku))).collect();
        let now = store::stock::find(self.db.writer(), &skus).await.map_err(Error::from)?;
        let all = stream::iter(now).chain(stream::select_all(changes).filter_map(std::future::ready));
        let news = all.scan(Vec::<Stock>::new(), |told, stock| {
            let news = !told.contains(&stock);
            told.retain(|other| other.sku != stock.sku);
            told.push(stock.clone());
            std::future::ready(Some(news.then_some(stock)))
        });
        let news = news.filter_map(std::future::ready).map(|stock| Ok(pb::Stock::from(stock)));
        Ok(Response::new(Box::pin(news)))
    }

    async fn receive_stock(&self, request: Request<pb::ReceiveStockRequest>) -> Answer<pb::Stock> {
        let (caller, request) = caller::of(request)?;
        let receipts = [receipt("", &request)?];
        let stock =
            once(&self.db, Key::of(&caller, "ReceiveStock", &request.request_id, &request), async |tx| {
                let mut stock = service::stock::receive(tx, &receipts, &by(&caller)).await?;
                stock.pop().map(pb::Stock::from).ok_or(Error::StockNotFound)
            })
            .await?;
        Ok(Response::new(stock))
    }

    async fn batch_receive_stock(
        &self,
        request: Request<pb::BatchReceiveStockRequest>,
    ) -> Answer<pb::BatchReceiveStockResponse> {
        let (caller, request) = caller::of(request)?;
        let one = |(index, one): (usize, &_)| receipt(&format!("requests[{index}]."), one);
        let receipts = request.requests.iter().enumerate().map(one).collect::<Result<Vec<_>, _>>()?;
        let stock = once(
            &self.db,
            Key::of(&caller, "BatchReceiveStock", &request.request_id, &request),
            async |tx| {
                let stock = service::stock::receive(tx, &receipts, &by(&caller)).await?;
                let stock = stock.into_iter().map(pb::Stock::from).collect();
                Ok::<_, Error>(pb::BatchReceiveStockResponse { stock })
            },
        )
        .await?;
        Ok(Response::new(stock))
    }

    async fn adjust_stock(&self, request: Request<pb::AdjustStockRequest>) -> Answer<pb::Stock> {
        let (caller, request) = caller::of(request)?;
        let sku = sku("sku", &request.sku)?;
        let location = location_name("location", &request.location)?;
        if request.delta == 0 {
            return Err(status::invalid("delta", "must not be zero"));
        }
        let cause = Cause { reason: request.reason.clone(), ..by(&caller) };
        let stock =
            once(&self.db, Key::of(&caller, "AdjustStock", &request.request_id, &request), async |tx| {
                service::stock::adjust(tx, &sku, &location, request.delta, &cause).await.map(pb::Stock::from)
            })
            .await?;
        Ok(Response::new(stock))
    }

    async fn set_low_stock_threshold(
        &self,
        request: Request<pb::SetLowStockThresholdRequest>,
    ) -> Answer<pb::Stock> {
        let (_, request) = caller::of(request)?;
        let sku = stock_name("name", &request.name)?;
        let set = async |tx: &_| service::stock::set_threshold(tx, &sku, request.low_threshold).await;
        Ok(Response::new(self.db.write(set).await?.into()))
    }

    async fn list_movements(
        &self,
        request: Request<pb::ListMovementsRequest>,
    ) -> Answer<pb::ListMovementsResponse> {
        let (_, request) = caller::of(request)?;
        let (movements, next_page_token) = read::movements(&self.db, &request).await?;
        Ok(Response::new(pb::ListMovementsResponse { movements, next_page_token }))
    }

    async fn create_location(&self, request: Request<pb::CreateLocationRequest>) -> Answer<pb::Location> {
        let (caller, request) = caller::of(request)?;
        let wrong = || status::invalid("location_id", "must be lower case letters, digits and hyphens");
        let id = LocationId::parse(&request.location_id).ok_or_else(wrong)?;
        let wished = wire::required("location", request.location.as_ref())?;
        let location = Location {
            id,
            title: wished.title.clone(),
            priority: wished.priority,
            create_time: Timestamp::now(),
        };
        let made =
            once(&self.db, Key::of(&caller, "CreateLocation", &request.request_id, &request), async |tx| {
                service::stock::create_location(tx, location).await.map(pb::Location::from)
            })
            .await?;
        Ok(Response::new(made))
    }

    async fn list_locations(
        &self,
        request: Request<pb::ListLocationsRequest>,
    ) -> Answer<pb::ListLocationsResponse> {
        let (_, request) = caller::of(request)?;
        let (locations, next_page_token) = read::locations(&self.db, &request).await?;
        Ok(Response::new(pb::ListLocationsResponse { locations, next_page_token }))
    }

    async fn reserve_stock(&self, request: Request<pb::ReserveStockRequest>) -> Answer<pb::Reservation> {
        let (caller, request) = caller::of(request)?;
        let order = order_name(&request.order)?;
        let line =
            |line: &pb::ReservationLine| Ok::<_, Status>((sku("lines.sku", &line.sku)?, line.quantity));
        let wanted = sum(request.lines.iter().map(line).collect::<Result<Vec<_>, _>>()?);
        let expire_time = wire::timestamp("expire_time", request.expire_time.as_ref())?;
        if expire_time <= Timestamp::now() {
            return Err(status::invalid("expire_time", "must be in the future"));
        }
        let cause = Cause { reference: order.clone(), ..by(&caller) };
        let request_id = request.request_id.to_ascii_lowercase();
        // No key is claimed beside it: the order has one reservation, and names it again however often it is asked for.
        let wish = Wish { order, wanted, expire_time, request_id, cause };
        Ok(Response::new(self.holding.ask(wish).await?.into()))
    }

    async fn commit_reservation(
        &self,
        request: Request<pb::CommitReservationRequest>,
    ) -> Answer<pb::Reservation> {
        let (caller, request) = caller::of(request)?;
        let order = order_name(&request.order)?;
        let cause = Cause { reference: order.clone(), ..by(&caller) };
        let commit = async |tx: &_| service::reservations::commit(tx, &order, &cause).await;
        Ok(Response::new(self.db.write(commit).await?.into()))
    }

    async fn release_reservation(
        &self,
        request: Request<pb::ReleaseReservationRequest>,
    ) -> Answer<pb::Reservation> {
        let (caller, request) = caller::of(request)?;
        let order = order_name(&request.order)?;
        let cause = Cause { reference: order.clone(), ..by(&caller) };
        let release = async |tx: &_| service::reservations::release(tx, &order, &cause).await;
        // That there is nothing is told only after it is committed that nothing will be held any more.
        let released = self.db.write(release).await?;
        Ok(Response::new(released.ok_or(Error::ReservationNotFound)?.into()))
    }

    async fn get_reservation(&self, request: Request<pb::GetReservationRequest>) -> Answer<pb::Reservation> {
        let (_, request) = caller::of(request)?;
        Ok(Response::new(read::reservation(&self.db, &request.name).await?.into()))
    }
}

fn by(caller: &Caller) -> Cause {
    Cause { reference: String::new(), actor: caller.key(), reason: String::new(), time: Timestamp::now() }
}

fn receipt(at: &str, request: &pb::ReceiveStockRequest) -> Result<Receipt, Status> {
    Ok(Receipt {
        sku: sku(&format!("{at}sku"), &request.sku)?,
        location: location_name(&format!("{at}location"), &request.location)?,
        quantity: request.quantity,
        reason: request.reason.clone(),
    })
}
