//! The service on the wire: each RPC reads its request, calls one use case, and tells what became of it.

mod read;
mod sagas;
mod tell;

use std::time::Duration;

use chassis::caller::{self, Caller};
use chassis::id::Id;
use chassis::once::{Key, once};
use chassis::page::Page;
use chassis::time::Timestamp;
use chassis::{deadline, saga, status, wire};
use contract::order::v1 as pb;
use contract::order::v1::order_service_server::OrderService;
use futures::stream::{self, BoxStream, StreamExt};
use prost::Message;
use tonic::{Code, Request, Response, Status};

use crate::domain::{Order, Return, State};
use crate::error::{DOMAIN, Error};
use crate::quote::{self, Purpose};
use crate::service::{Imported, owner};
use crate::store::{self, Details, Owner};
use crate::{Service, claims, place, service};

/// A page ends early where its orders get larger than this together: clients take answers up to 4 MiB.
const PAGE_BYTES_MAX: usize = 1024 * 1024;
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
        let offer = quote::price(&self.peers, &self.config, &caller, customer, wish, Purpose::Quote).await?;
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
        let id = wire::name("name", &request.name)?;
        Ok(Response::new(self.read(owner(&caller, "order.read.any"), id).await?))
    }

    async fn list_orders(
        &self,
        request: Request<pb::ListOrdersRequest>,
    ) -> Result<Response<pb::ListOrdersResponse>, Status> {
        let (caller, request) = caller::of(request)?;
        let owner = listed(&caller, &request.customer)?;
        let state = read::state("state", request.state)?;
        let page = Page::of(request.page_size, &request.page_token, &format!("orders {owner:?} {state:?}"))?;
        let after = page.after.as_deref().map(after).transpose()?;
        let found = store::list(self.db.reader(), owner, state, after, page.size + 1).await?;
        let (orders, next_page_token) = fitting(&page, found);
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
        let (found, next_page_token) = page.cut(found, |recorded| vec![recorded.version.to_string()]);
        let events = found.iter().map(tell::stored).collect::<Result<_, _>>()?;
        Ok(Response::new(pb::ListOrderEventsResponse { events, next_page_token }))
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
        let result = |(external_id, import)| import_result(external_id, import, &mut done);
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

/// Whose orders a list shows: the caller's own, or with order.read.any a customer's or everyone's.
fn listed<'a>(caller: &'a Caller, customer: &'a str) -> Result<Owner<'a>, Status> {
    let own = caller.subject()?;
    match customer {
        "" => Ok(Owner::Only(own)),
        customer if customer == own => Ok(Owner::Only(own)),
        _ if !caller.may("order.read.any") => {
            let words = "the orders of others take the permission order.read.any";
            let permission = [("permission", "order.read.any".to_owned())];
            Err(status::plain(Code::PermissionDenied, "PERMISSION_MISSING", DOMAIN, words, &permission))
        }
        "customers/-" => Ok(Owner::Anyone),
        customer => Ok(Owner::Only(customer)),
    }
}

/// The orders of a page that fit into one answer, and where to go on. Orders from elsewhere have hundreds of lines.
fn fitting(page: &Page, found: Vec<(Order, Details)>) -> (Vec<pb::Order>, String) {
    let place = |order: &Order| vec![order.create_time.micros().to_string(), order.id.to_string()];
    let (found, next_page_token) = page.cut(found, |(order, _)| place(order));
    let mut orders = Vec::with_capacity(found.len());
    let (mut bytes, mut last) = (0, None);
    for (order, details) in &found {
        let told = tell::order(order, details);
        bytes += told.encoded_len();
        if let Some(last) = last.filter(|_| bytes > PAGE_BYTES_MAX) {
            return (orders, page.token(&place(last)));
        }
        orders.push(told);
        last = Some(order);
    }
    (orders, next_page_token)
}

fn after(keys: &[String]) -> Result<(Timestamp, Id<Order>), Status> {
    let read = match keys {
        [time, id] => time.parse().ok().zip(id.parse().ok()),
        _ => None,
    };
    let (time, id) = read.ok_or_else(|| status::invalid("page_token", "is not a token of this list"))?;
    Ok((Timestamp::from_micros(time), id))
}

fn import_result<T>(
    external_id: String,
    import: Result<T, Status>,
    done: &mut impl Iterator<Item = Imported>,
) -> pb::ImportResult {
    use pb::import_result::Outcome;
    let (outcome, order, reason) = match import {
        Err(refused) => (Outcome::Refused, String::new(), refused.message().to_owned()),
        Ok(_) => match done.next() {
            Some(Imported::Now(id)) => (Outcome::Imported, id.name(), String::new()),
            Some(Imported::Before(id)) => (Outcome::Unchanged, id.name(), String::new()),
            Some(Imported::Refused(fault)) => (Outcome::Refused, String::new(), fault.to_string()),
            None => (Outcome::Unspecified, String::new(), String::new()),
        },
    };
    let mut result = pb::ImportResult { external_id, order, reason, ..pb::ImportResult::default() };
    result.set_outcome(outcome);
    result
}
