//! The service on the wire: each RPC reads its request, calls one use case, and tells what became of it.

mod lists;
mod read;
mod sagas;
mod tell;

use std::time::Duration;

use chassis::caller;
use chassis::id::Id;
use chassis::once::{Key, once};
use chassis::page::Page;
use chassis::{deadline, saga, status, wire};
use contract::order::v1 as pb;
use contract::order::v1::order_service_server::OrderService;
use futures::stream::{self, BoxStream, StreamExt};
use tonic::{Request, Response, Status};

use crate::domain::{Address, Order, Return, State};
use crate::error::Error;
use crate::quote::{self, Purpose};
use crate::service::owner;
use crate::store::{self, Details, Owner};
use crate::{Service, claims, place, service};

/// How long a cancellation waits for a checkout to turn back.
const TURNING_BACK: Duration = Duration::from_secs(8);

#[tonic::async_trait]
impl OrderService for Service {
    async fn quote_order(
        &self,
        request: Request<pb::QuoteOrderRequest>,
    ) -> Result<Response<pb::Quote>, Status> {
        let (caller, request) = caller::of(request)?;
        let (customer, wish) = (caller.subject()?, read::wish(&request)?);
        let offer = quote::price(self, &caller, customer, wish, Purpose::Quote).await?;
        Ok(Response::new(offer.into()))
    }

    async fn place_order(
        &self,
        request: Request<pb::PlaceOrderRequest>,
    ) -> Result<Response<pb::Order>, Status> {
        let (caller, request) = caller::of(request)?;
        let command = read::command(&request, &self.config.checkout_channels)?;
        let key = Key::of(&caller, "PlaceOrder", &request.request_id, &request);
        Ok(Response::new(place::place(self, &caller, key, command).await?))
    }

    async fn get_order(&self, request: Request<pb::GetOrderRequest>) -> Result<Response<pb::Order>, Status> {
        let (caller, request) = caller::of(request)?;
        let (id, owner) = (wire::name("name", &request.name)?, owner(&caller, "order.read.any"));
        let Some(time) = wire::optional_timestamp("read_time", request.read_time.as_ref())? else {
            return Ok(Response::new(self.read(owner, id).await?));
        };
        let found = store::find_at(self.db.writer(), owner, id, time).await?;
        let (order, details) = found.ok_or_else(|| Error::NotFound(id.name()))?;
        Ok(Response::new(tell::order(&order, &details)))
    }

    async fn list_orders(
        &self,
        request: Request<pb::ListOrdersRequest>,
    ) -> Result<Response<pb::ListOrdersResponse>, Status> {
        let (caller, request) = caller::of(request)?;
        let owner = lists::listed(&caller, &request.customer)?;
        let state = read::state("state", request.state)?;
        let page = Page::of(request.page_size, &request.page_token, &format!("orders {owner:?} {state:?}"))?;
        let after = page.after.as_deref().map(lists::after).transpose()?;
        let found = store::list(self.db.reader(), owner, state, after, page.size + 1).await?;
        let (orders, next_page_token) = lists::fitting(&page, found);
        Ok(Response::new(pb::ListOrdersResponse { orders, next_page_token }))
    }

    async fn cancel_order(
        &self,
        request: Request<pb::CancelOrderRequest>,
    ) -> Result<Response<pb::Order>, Status> {
        let (caller, request) = caller::of(request)?;
        let id = wire::name("name", &request.name)?;
        let words = read::words("reason", &request.reason)?;
        let key = Key::of(&caller, "CancelOrder", &request.request_id, &request);
        let order = once(&self.db, key, async |tx| {
            service::cancel(tx, &caller, id, words).await.map(|order| pb::Order::from(&order))
        })
        .await?;
        if order.state() == State::Placed.into() {
            return Ok(Response::new(self.turned_back(id).await?));
        }
        Ok(Response::new(self.dress(order).await?))
    }

    async fn request_order_claim(
        &self,
        request: Request<pb::RequestOrderClaimRequest>,
    ) -> Result<Response<pb::RequestOrderClaimResponse>, Status> {
        let (caller, request) = caller::of(request)?;
        let number = read::number("order", &request.order)?;
        claims::request(self, &caller, number, &read::email("email", &request.email)?).await?;
        Ok(Response::new(pb::RequestOrderClaimResponse {}))
    }

    async fn claim_order(
        &self,
        request: Request<pb::ClaimOrderRequest>,
    ) -> Result<Response<pb::Order>, Status> {
        let (caller, request) = caller::of(request)?;
        let number = read::number("order", &request.order)?;
        let order = claims::claim(self, &caller, &number, &request.code).await?;
        Ok(Response::new(self.dress(pb::Order::from(&order)).await?))
    }

    type WatchOrderStream = BoxStream<'static, Result<pb::Order, Status>>;

    async fn watch_order(
        &self,
        request: Request<pb::WatchOrderRequest>,
    ) -> Result<Response<Self::WatchOrderStream>, Status> {
        let (caller, request) = caller::of(request)?;
        let id = wire::name("name", &request.name)?;
        let (order, details) = self.find(owner(&caller, "order.read.any"), id).await?;
        Ok(Response::new(self.clone().watched(order, details)))
    }

    async fn request_return(
        &self,
        request: Request<pb::RequestReturnRequest>,
    ) -> Result<Response<pb::Return>, Status> {
        let (caller, request) = caller::of(request)?;
        let id = wire::name("order", &request.order)?;
        let words = read::words("reason", &request.reason)?;
        let key = Key::of(&caller, "RequestReturn", &request.request_id, &request);
        let requested = once(&self.db, key, async |tx| {
            let lines = read::lines(&request.lines);
            let (order, return_id) = service::request_return(tx, &caller, id, &lines, words).await?;
            tell::return_of(&order, return_id)
        })
        .await?;
        Ok(Response::new(pb::Return { reason: request.reason, ..requested }))
    }

    async fn receive_return(
        &self,
        request: Request<pb::ReceiveReturnRequest>,
    ) -> Result<Response<pb::Return>, Status> {
        let (caller, request) = caller::of(request)?;
        let (id, return_id) = read::return_name("name", &request.name)?;
        let key = Key::of(&caller, "ReceiveReturn", &request.request_id, &request);
        let received = once(&self.db, key, async |tx| {
            tell::return_of(&service::receive_return(tx, &caller, id, return_id).await?, return_id)
        })
        .await?;
        Ok(Response::new(self.dress_return(id, return_id, received).await?))
    }

    async fn refuse_return(
        &self,
        request: Request<pb::RefuseReturnRequest>,
    ) -> Result<Response<pb::Return>, Status> {
        let (caller, request) = caller::of(request)?;
        let (id, return_id) = read::return_name("name", &request.name)?;
        let words = read::words("reason", &request.reason)?;
        let key = Key::of(&caller, "RefuseReturn", &request.request_id, &request);
        let refused = once(&self.db, key, async |tx| {
            tell::return_of(&service::refuse_return(tx, &caller, id, return_id, words).await?, return_id)
        })
        .await?;
        Ok(Response::new(self.dress_return(id, return_id, refused).await?))
    }

    async fn list_returns(
        &self,
        request: Request<pb::ListReturnsRequest>,
    ) -> Result<Response<pb::ListReturnsResponse>, Status> {
        let (caller, request) = caller::of(request)?;
        let id = wire::name("parent", &request.parent)?;
        let (order, details) = self.find(owner(&caller, "order.read.any"), id).await?;
        let page = Page::of(request.page_size, &request.page_token, &format!("returns {id}"))?;
        let after: i64 = page.after.as_ref().and_then(|keys| keys.first()?.parse().ok()).unwrap_or_default();
        let found = order.returns.iter().filter(|found| found.requested_version > after).collect();
        let (found, next_page_token) = page.cut(found, |found| vec![found.requested_version.to_string()]);
        let returns =
            found.into_iter().map(|found| tell::with_reason(tell::returned(&order, found), found, &details));
        Ok(Response::new(pb::ListReturnsResponse { returns: returns.collect(), next_page_token }))
    }

    async fn list_order_events(
        &self,
        request: Request<pb::ListOrderEventsRequest>,
    ) -> Result<Response<pb::ListOrderEventsResponse>, Status> {
        let request = request.into_inner();
        let id: Id<Order> = wire::name("parent", &request.parent)?;
        let page = Page::of(request.page_size, &request.page_token, &format!("events {id}"))?;
        let after = page.after.as_ref().and_then(|keys| keys.first()?.parse().ok()).unwrap_or_default();
        let found = store::list_events(self.db.reader(), id, after, page.size + 1).await?;
        if found.is_empty() && after == 0 {
            return Err(Error::NotFound(id.name()).into());
        }
        let (found, next_page_token) = page.cut(found, |(recorded, _)| vec![recorded.version.to_string()]);
        let events = found.iter().map(tell::stored).collect::<Result<_, _>>()?;
        Ok(Response::new(pb::ListOrderEventsResponse { events, next_page_token }))
    }

    async fn rebuild_orders(
        &self,
        request: Request<pb::RebuildOrdersRequest>,
    ) -> Result<Response<pb::RebuildOrdersResponse>, Status> {
        let request = request.into_inner();
        let page = Page::of(request.page_size, &request.page_token, "rebuild")?;
        let after = page.after.as_ref().and_then(|keys| keys.first()?.parse().ok());
        let rebuilt = store::rebuild(&self.db, after, page.size).await?;
        // A full page may be the last one: the next is empty then.
        let last = rebuilt.checked.last().filter(|_| rebuilt.checked.len() as u64 == page.size);
        Ok(Response::new(pb::RebuildOrdersResponse {
            checked: i32::try_from(rebuilt.checked.len()).unwrap_or(i32::MAX),
            repaired: rebuilt.repaired.into_iter().map(|id| Id::<Order>::from(id).name()).collect(),
            next_page_token: last.map(|id| page.token(&[id.to_string()])).unwrap_or_default(),
        }))
    }

    async fn import_orders(
        &self,
        request: Request<pb::ImportOrdersRequest>,
    ) -> Result<Response<pb::ImportOrdersResponse>, Status> {
        let (caller, request) = caller::of(request)?;
        let read =
            |order: pb::ImportedOrder| (order.external_id.clone(), read::import(&request.source, order));
        let read: Vec<_> = request.orders.into_iter().map(read).collect();
        let imports: Vec<_> = read.iter().filter_map(|(_, import)| import.as_ref().ok().cloned()).collect();
        let author = caller.key();
        let done =
            self.db.write(async |tx| service::import(tx, &imports, &author, &self.config).await).await?;
        let mut done = done.into_iter();
        let result = |(external_id, import)| tell::import_result(external_id, import, &mut done);
        Ok(Response::new(pb::ImportOrdersResponse { results: read.into_iter().map(result).collect() }))
    }

    async fn list_sagas(
        &self,
        request: Request<pb::ListSagasRequest>,
    ) -> Result<Response<pb::ListSagasResponse>, Status> {
        Ok(Response::new(sagas::list(&self.db, request.get_ref()).await?))
    }

    async fn get_saga(&self, request: Request<pb::GetSagaRequest>) -> Result<Response<pb::Saga>, Status> {
        Ok(Response::new(sagas::get(&self.db, &request.get_ref().name).await?))
    }

    async fn retry_saga(&self, request: Request<pb::RetrySagaRequest>) -> Result<Response<pb::Saga>, Status> {
        let (caller, request) = caller::of(request)?;
        let operator = sagas::operator(&caller, "");
        let act = async |tx: &_, id| saga::retry(tx, id, &operator).await;
        Ok(Response::new(sagas::intervene(&self.db, &request.name, act).await?))
    }

    async fn skip_saga_step(
        &self,
        request: Request<pb::SkipSagaStepRequest>,
    ) -> Result<Response<pb::Saga>, Status> {
        let (caller, request) = caller::of(request)?;
        let operator = sagas::operator(&caller, read::words("reason", &request.reason)?);
        let act = async |tx: &_, id| saga::skip(tx, id, &operator).await;
        Ok(Response::new(sagas::intervene(&self.db, &request.name, act).await?))
    }

    async fn compensate_saga(
        &self,
        request: Request<pb::CompensateSagaRequest>,
    ) -> Result<Response<pb::Saga>, Status> {
        let (caller, request) = caller::of(request)?;
        let operator = sagas::operator(&caller, read::words("reason", &request.reason)?);
        let act = async |tx: &_, id| saga::compensate::<crate::checkout::Checkout>(tx, id, &operator).await;
        Ok(Response::new(sagas::intervene(&self.db, &request.name, act).await?))
    }
}

impl Service {
    /// The order as it is now.
    pub(crate) async fn read(&self, owner: Owner<'_>, id: Id<Order>) -> Result<pb::Order, Status> {
        let (order, details) = self.find(owner, id).await?;
        Ok(tell::order(&order, &details))
    }

    /// The order that was placed just now, with the address that came with it.
    pub(crate) fn tell(&self, order: &Order, address: Address) -> pb::Order {
        tell::order(order, &Details { address: Some(address), ..Details::default() })
    }

    /// Adds what is personal to a kept reply, which has nothing of it.
    pub(crate) async fn dress(&self, mut reply: pb::Order) -> Result<pb::Order, Status> {
        let id = wire::name("name", &reply.name)?;
        let (order, details) = self.find(Owner::Anyone, id).await?;
        tell::dress(&mut reply, &order, &details);
        Ok(reply)
    }

    async fn dress_return(
        &self,
        id: Id<Order>,
        of: Id<Return>,
        reply: pb::Return,
    ) -> Result<pb::Return, Status> {
        let (order, details) = self.find(Owner::Anyone, id).await?;
        let found = order.find_return(of).map_err(Error::from)?;
        Ok(tell::with_reason(reply, found, &details))
    }

    async fn find(&self, owner: Owner<'_>, id: Id<Order>) -> Result<(Order, Details), Status> {
        let found = store::find(self.db.writer(), owner, id).await?;
        Ok(found.ok_or_else(|| Error::NotFound(id.name()))?)
    }

    /// Waits for a checkout that was asked to turn back; it may have passed its pivot first.
    async fn turned_back(&self, id: Id<Order>) -> Result<pb::Order, Status> {
        let patience =
            deadline::remaining().map_or(TURNING_BACK, |left| left.saturating_sub(Duration::from_secs(1)));
        if let Ok(Err(error)) = tokio::time::timeout(patience, self.runner.wait(id.uuid())).await {
            return Err(status::internal(&error));
        }
        self.read(Owner::Anyone, id).await
    }

    fn watched(self, order: Order, details: Details) -> BoxStream<'static, Result<pb::Order, Status>> {
        let (id, first) = (order.id, tell::order(&order, &details));
        if order.is_settled() {
            return stream::iter([Ok(first)]).boxed();
        }
        let changes = self.watchers.watch(id, order.version);
        let start = (self, changes, order.version, false);
        let rest = stream::try_unfold(start, move |(service, mut changes, seen, settled)| async move {
            if settled || changes.wait_for(|version| *version > seen).await.is_err() {
                return Ok(None);
            }
            let (order, details) = service.find(Owner::Anyone, id).await?;
            Ok(Some((tell::order(&order, &details), (service, changes, order.version, order.is_settled()))))
        });
        stream::iter([Ok(first)]).chain(rest).boxed()
    }
}
