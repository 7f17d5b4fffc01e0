//! Shipping on a database of its own, and an order service that tells what it is told to.
use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use chassis::db::Db;
use chassis::event::Event;
use chassis::migration::Nothing;
use chassis::outbox;
use chassis::server::Server;
use chassis::testing::{Client, TestHost, TestProcess, eventually};
use contract::Money;
use contract::codec::Codec;
use contract::common::v1::PostalAddress;
use contract::operations::v1::operations_service_client::OperationsServiceClient;
use contract::operations::v1::{CheckInvariantsRequest, Fact, Finding, GetEventLagRequest, ListFactsRequest};
use contract::order::v1::order::{PaymentState, State as OrderState};
use contract::order::v1::{GetOrderRequest, Order, OrderCancelled, OrderLine};
use contract::payment::v1::PaymentCaptured;
use contract::shipping::v1 as pb;
use contract::shipping::v1::shipment::State;
use contract::shipping::v1::shipping_service_client::ShippingServiceClient;
use sea_orm::{ConnectionTrait, QueryResult, Statement, Value};
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Code, Request, Response, Status};
use uuid::Uuid;

pub(crate) type Shipping = ShippingServiceClient<Client>;

/// The street of everyone's address: what must be nowhere once they are erased.
pub(crate) const STREET: &str = "1 Mill Lane";

/// A place that sends goods.
pub(crate) struct Depot {
    pub(crate) host: TestHost,
    pub(crate) db: Db,
    pub(crate) book: Book,
    /// The order service's database: what is put in its outbox is announced. It stands for all who announce.
    orders: Db,
}

impl Depot {
    pub(crate) async fn open() -> Self {
        let process = TestProcess::new().await;
        let (host, order) = (process.host("shipping"), process.host("order"));
        let (orders, book) = (order.db::<Nothing>().await.expect("a database for order"), Book::default());
        let db = host.db::<shipping::Migrator>().await.expect("shipping's database");
        order.serve(Server::new(&order, &orders).grpc(book.clone()).run());
        host.serve(shipping::serve(host.host(), shipping::Config { shipping_pack_every_ms: 20 }));
        let depot = Self { host, db, book, orders };
        // An event sent before shipping listens would pass it by: news of nothing is sent until one arrives.
        eventually(async || {
            depot.announce("orders/none", &OrderCancelled::default()).await;
            depot.row("SELECT 1 FROM inbox", []).await
        })
        .await;
        depot
    }

    pub(crate) fn staff(&self) -> Shipping {
        ShippingServiceClient::new(self.host.as_staff(&["shipment.write", "shipment.read.any"]))
    }

    /// One member of staff, whose requests may be repeated.
    pub(crate) fn clerk(&self) -> Shipping {
        ShippingServiceClient::new(self.host.as_user("users/clerk", &["shipment.write", "shipment.read.any"]))
    }

    pub(crate) fn customer(&self, subject: &str) -> Shipping {
        ShippingServiceClient::new(self.host.as_customer(subject))
    }

    pub(crate) fn anyone(&self) -> Shipping {
        ShippingServiceClient::new(self.host.as_anyone())
    }

    fn books(&self) -> OperationsServiceClient<Client> {
        OperationsServiceClient::new(self.host.as_staff(&["audit.read", "dlq.redrive"]))
    }

    pub(crate) async fn zone(&self, codes: &[&str]) -> pb::Zone {
        let request = pb::CreateZoneRequest { zone: Some(zone(codes)), ..Default::default() };
        self.staff().create_zone(request).await.expect("a zone").into_inner()
    }

    pub(crate) async fn rate(&self, zone: &pb::Zone, rate: pb::Rate) -> pb::Rate {
        let request =
            pb::CreateRateRequest { parent: zone.name.clone(), rate: Some(rate), ..Default::default() };
        self.staff().create_rate(request).await.expect("a rate").into_inner()
    }

    /// The shipment of a paid order, as it was made.
    pub(crate) async fn shipment_of(&self, order: &Order) -> pb::Shipment {
        self.book.enter(order.clone());
        self.paid(&order.name).await;
        self.only_shipment(&order.name).await
    }

    /// Waits for the shipment of an order.
    pub(crate) async fn only_shipment(&self, order: &str) -> pb::Shipment {
        eventually(async || {
            let mut shipments = self.shipments(order).await;
            assert!(shipments.len() < 2, "{shipments:?}");
            shipments.pop()
        })
        .await
    }

    pub(crate) async fn shipments(&self, order: &str) -> Vec<pb::Shipment> {
        let request = pb::ListShipmentsRequest { order: order.to_owned(), ..Default::default() };
        self.staff().list_shipments(request).await.expect("shipments").into_inner().shipments
    }

    pub(crate) async fn shipment(&self, name: &str) -> pb::Shipment {
        self.staff().get_shipment(get(name)).await.expect("a shipment").into_inner()
    }

    /// Announces that the money of an order was taken.
    pub(crate) async fn paid(&self, order: &str) -> Uuid {
        let event = PaymentCaptured { order: order.to_owned(), ..Default::default() };
        self.announce(&format!("payments/{}", Uuid::now_v7()), &event).await
    }

    /// Announces that a confirmed order was cancelled.
    pub(crate) async fn cancelled(&self, order: &str) -> Uuid {
        let event = OrderCancelled { order: order.to_owned(), confirmed: true, ..Default::default() };
        self.announce(order, &event).await
    }

    pub(crate) async fn record(&self, shipment: &str, state: State) -> Result<pb::Shipment, Status> {
        self.staff().record_tracking(record(shipment, state)).await.map(Response::into_inner)
    }

    /// Waits until shipping is done with an order in this way.
    pub(crate) async fn until(&self, order: &str, progress: &str) {
        let sql = "SELECT 1 FROM fulfillments WHERE order_name = $1 AND progress = $2";
        eventually(async || self.row(sql, [order.into(), progress.into()]).await).await;
    }

    pub(crate) async fn announce<E: Event>(&self, key: &str, event: &E) -> Uuid {
        let id = self.orders.write(async |tx| outbox::append(tx, key, event).await).await.expect("announced");
        self.published(id).await;
        id
    }

    /// Has an event delivered a second time.
    pub(crate) async fn announce_again(&self, id: Uuid) {
        let sql = "UPDATE outbox SET published_at = NULL WHERE id = $1";
        let statement = Statement::from_sql_and_values(self.orders.backend(), sql, [id.into()]);
        self.orders.execute(statement).await.expect("to be sent again");
        self.published(id).await;
    }

    async fn published(&self, id: Uuid) {
        eventually(async || {
            let sql = "SELECT 1 FROM outbox WHERE id = $1 AND published_at IS NOT NULL";
            let statement = Statement::from_sql_and_values(self.orders.backend(), sql, [id.into()]);
            self.orders.writer().query_one_raw(statement).await.expect("the outbox")
        })
        .await;
    }

    /// A row of shipping's own database.
    pub(crate) async fn row<const N: usize>(&self, sql: &str, values: [Value; N]) -> Option<QueryResult> {
        let statement = Statement::from_sql_and_values(self.db.backend(), sql, values);
        self.db.writer().query_one_raw(statement).await.expect("a query")
    }

    pub(crate) async fn damage(&self, sql: &str) {
        self.db.execute(Statement::from_string(self.db.backend(), sql)).await.expect("damaged");
    }

    /// The events of a kind that shipping announced, oldest first.
    pub(crate) async fn announced<E: Event>(&self) -> Vec<E> {
        let sql = "SELECT payload FROM outbox WHERE kind = $1 ORDER BY seq";
        let statement = Statement::from_sql_and_values(self.db.backend(), sql, [E::full_name().into()]);
        let rows = self.db.writer().query_all_raw(statement).await.expect("the outbox");
        let payload = |row: &QueryResult| row.try_get_by_index::<Vec<u8>>(0).expect("a payload");
        rows.iter().map(|row| E::decode(payload(row).as_slice()).expect("an event")).collect()
    }

    /// Everything shipping's own tables must hold.
    pub(crate) async fn balances(&self) {
        for finding in self.findings().await {
            assert!(finding.offenders.is_empty(), "{finding:?}");
        }
    }

    pub(crate) async fn findings(&self) -> Vec<Finding> {
        let findings = self.books().check_invariants(CheckInvariantsRequest {}).await.expect("checked");
        let findings = findings.into_inner().findings;
        assert!(findings.len() >= 5, "{findings:?}");
        findings
    }

    pub(crate) async fn facts(&self, kind: &str) -> Vec<Fact> {
        let request = ListFactsRequest { kind: kind.to_owned(), ..ListFactsRequest::default() };
        self.books().list_facts(request).await.expect("facts").into_inner().facts
    }

    pub(crate) async fn pending_work(&self) -> i64 {
        self.books().get_event_lag(GetEventLagRequest {}).await.expect("the lag").into_inner().pending_work
    }
}

/// The orders that the order service knows. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Book(Arc<Mutex<Facts>>);

#[derive(Default)]
struct Facts {
    orders: HashMap<String, Order>,
    /// What it answers instead.
    fault: Option<Code>,
    asked: usize,
}

impl Book {
    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().expect("the facts")
    }

    pub(crate) fn enter(&self, order: Order) {
        self.facts().orders.insert(order.name.clone(), order);
    }

    pub(crate) fn fail(&self, fault: Option<Code>) {
        self.facts().fault = fault;
    }

    pub(crate) fn asked(&self) -> usize {
        self.facts().asked
    }

    fn get_order(&self, name: &str) -> Result<Order, Status> {
        let mut facts = self.facts();
        facts.asked += 1;
        match facts.fault {
            Some(code) => Err(Status::new(code, "the order service fails")),
            None => {
                facts.orders.get(name).cloned().ok_or_else(|| Status::not_found("there is no such order"))
            }
        }
    }
}

impl NamedService for Book {
    const NAME: &'static str = "cartwright.order.v1.OrderService";
}

impl Service<http::Request<Body>> for Book {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        assert!(request.uri().path().ends_with("GetOrder"), "nobody plays {}", request.uri());
        let book = self.clone();
        Box::pin(async move {
            Ok(Grpc::new(Codec::<Order, GetOrderRequest>::default()).unary(book, request).await)
        })
    }
}

impl UnaryService<GetOrderRequest> for Book {
    type Response = Order;
    type Future = Ready<Result<Response<Order>, Status>>;

    fn call(&mut self, request: Request<GetOrderRequest>) -> Self::Future {
        ready(self.get_order(&request.into_inner().name).map(Response::new))
    }
}

/// A confirmed order of two hats, a bag, and something that is not sent.
pub(crate) fn an_order() -> Order {
    Order {
        name: format!("orders/{}", Uuid::now_v7()),
        customer: format!("users/{}", Uuid::now_v7()),
        state: OrderState::Confirmed.into(),
        payment_state: PaymentState::Authorized.into(),
        lines: vec![
            line("HAT", 1, true),
            line("BAG", 1, true),
            line("GIFT-CARD", 1, false),
            line("HAT", 1, true),
        ],
        total: Some(gbp(4300)),
        shipping_address: Some(PostalAddress {
            recipient: "Ada Lovelace".to_owned(),
            line1: STREET.to_owned(),
            city: "Leeds".to_owned(),
            country_code: "GB".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// The same, as order shows it once it has heard of the payment.
pub(crate) fn a_paid_order() -> Order {
    Order { payment_state: PaymentState::Captured.into(), ..an_order() }
}

pub(crate) fn line(sku: &str, quantity: i64, stocked: bool) -> OrderLine {
    OrderLine { sku: sku.to_owned(), quantity, stocked, ..Default::default() }
}

pub(crate) fn lines(lines: &[(&str, i64)]) -> Vec<pb::ShipmentLine> {
    lines
        .iter()
        .map(|(sku, quantity)| pb::ShipmentLine { sku: (*sku).to_owned(), quantity: *quantity })
        .collect()
}

pub(crate) fn gbp(minor: i64) -> Money {
    money(minor, "GBP")
}

pub(crate) fn money(minor: i64, currency: &str) -> Money {
    chassis::money::Money::new(minor, currency.parse().expect("a currency")).into()
}

pub(crate) fn a_request() -> String {
    Uuid::now_v7().to_string()
}

pub(crate) fn zone(codes: &[&str]) -> pb::Zone {
    let country_codes = codes.iter().map(|code| (*code).to_owned()).collect();
    pb::Zone { title: "Here".to_owned(), country_codes, ..Default::default() }
}

/// A rate that costs so much, whatever is sent.
pub(crate) fn flat(title: &str, minor: i64) -> pb::Rate {
    pb::Rate {
        title: title.to_owned(),
        carrier: "Post".to_owned(),
        base_price: Some(gbp(minor)),
        days_min: 1,
        days_max: 3,
        ..Default::default()
    }
}

pub(crate) fn quote(country: &str, weight_grams: i64, subtotal: Money) -> pb::QuoteShippingRequest {
    pb::QuoteShippingRequest { country_code: country.to_owned(), weight_grams, subtotal: Some(subtotal) }
}

pub(crate) fn get(name: &str) -> pb::GetShipmentRequest {
    pb::GetShipmentRequest { name: name.to_owned() }
}

pub(crate) fn cancel(name: &str) -> pb::CancelShipmentRequest {
    pb::CancelShipmentRequest { name: name.to_owned(), ..Default::default() }
}

pub(crate) fn record(shipment: &str, state: State) -> pb::RecordTrackingRequest {
    let tracking_event = Some(pb::TrackingEvent { state: state.into(), ..Default::default() });
    pb::RecordTrackingRequest { shipment: shipment.to_owned(), tracking_event, ..Default::default() }
}

pub(crate) fn by_hand(order: &str, of: &[(&str, i64)]) -> pb::CreateShipmentRequest {
    pb::CreateShipmentRequest { order: order.to_owned(), lines: lines(of), ..Default::default() }
}

pub(crate) fn reason(status: &Status) -> String {
    chassis::status::reason(status).unwrap_or_default()
}
