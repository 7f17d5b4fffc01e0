//! A shop: the order service on a database of its own, and a world of peers.

use chassis::db::Db;
use chassis::event::Event;
use chassis::migration::Nothing;
use chassis::outbox;
use chassis::server::Server;
use chassis::testing::{Client, TestHost, TestProcess, eventually};
use contract::catalog::v1 as catalog;
use contract::common::v1::PostalAddress;
use contract::identity::v1::UserErased;
use contract::operations::v1::operations_service_client::OperationsServiceClient;
use contract::operations::v1::{CheckInvariantsRequest, Fact, ListFactsRequest};
use contract::order::v1 as pb;
use contract::order::v1::order_service_client::OrderServiceClient;
use contract::payment::v1::PaymentCaptured;
use contract::shipping::v1::{ShipmentDelivered, ShipmentDispatched, ShippingOption};
use contract::{Money, cart};
use sea_orm::{ConnectionTrait, Statement};
use tonic::{Response, Status};
use uuid::Uuid;

pub(crate) use crate::world::{Fault, World, gbp, money};

pub(crate) type Orders = OrderServiceClient<Client>;

pub(crate) const CUP: &str = "products/p1/variants/cup";
pub(crate) const GIFT_CARD: &str = "products/p2/variants/gift";
pub(crate) const OLD: &str = "products/p3/variants/old";
pub(crate) const YEN: &str = "products/p4/variants/yen";
pub(crate) const GOLD: &str = "products/p5/variants/gold";
pub(crate) const FREE: &str = "products/p6/variants/free";
pub(crate) const GONE: &str = "products/p7/variants/gone";

/// The order service with peers that sell cups.
pub(crate) struct Shop {
    pub(crate) host: TestHost,
    pub(crate) world: World,
    /// The order service's database, to look at what is not told.
    pub(crate) db: Db,
    /// Another service's database: what is put in its outbox is announced.
    elsewhere: Db,
}

impl Shop {
    pub(crate) async fn start() -> Shop {
        Shop::with(config()).await
    }

    pub(crate) async fn with(config: order::Config) -> Shop {
        let process = TestProcess::new().await;
        let (host, elsewhere) = (process.host("order"), process.host("analytics"));
        let world = World::default();
        stock_up(&world);
        world.open(&process);
        let announcer = elsewhere.db::<Nothing>().await.expect("a database elsewhere");
        let db = host.db::<order::Migrator>().await.expect("a database for orders");
        elsewhere.serve(Server::new(&elsewhere, &announcer).run());
        host.serve(order::serve(host.host(), config));
        let shop = Shop { host, world, db, elsewhere: announcer };
        // An event sent before the service listens would pass it by: news of nobody is sent until one arrives.
        eventually(async || {
            shop.announce("users/none", &UserErased { user: "users/none".into() }).await;
            shop.heard_anything().await.then_some(())
        })
        .await;
        shop
    }

    pub(crate) fn customer(&self, name: &str) -> Orders {
        OrderServiceClient::new(self.host.as_customer(name))
    }

    pub(crate) fn staff(&self, permissions: &[&str]) -> Orders {
        OrderServiceClient::new(self.host.as_staff(permissions))
    }

    pub(crate) fn service(&self, noun: &'static str) -> Orders {
        OrderServiceClient::new(self.host.as_service(noun))
    }

    fn books(&self) -> OperationsServiceClient<Client> {
        OperationsServiceClient::new(self.host.as_staff(&["audit.read"]))
    }

    pub(crate) async fn place(&self, request: pb::PlaceOrderRequest) -> Result<pb::Order, Status> {
        self.customer("users/ada").place_order(request).await.map(Response::into_inner)
    }

    /// Ada's order of two cups, secured.
    pub(crate) async fn confirmed(&self) -> pb::Order {
        let order = self.place(two_cups()).await.expect("an order");
        assert_eq!(order.state(), pb::order::State::Confirmed, "{}", order.cancel_reason);
        order
    }

    /// The same, on its way.
    pub(crate) async fn shipped(&self) -> pb::Order {
        let order = self.confirmed().await;
        self.announce(&order.name, &dispatched(&order)).await;
        self.until(&order, pb::order::State::Shipped).await
    }

    /// The same, paid and arrived.
    pub(crate) async fn delivered(&self) -> pb::Order {
        let order = self.shipped().await;
        self.announce(&order.name, &captured(&order)).await;
        self.announce(&order.name, &arrived(&order)).await;
        self.until(&order, pb::order::State::Delivered).await
    }

    pub(crate) async fn get(&self, name: &str) -> pb::Order {
        let request = pb::GetOrderRequest { name: name.to_owned(), ..Default::default() };
        self.staff(&["order.read.any"]).get_order(request).await.expect("an order").into_inner()
    }

    /// Waits until an order is in a state.
    pub(crate) async fn until(&self, order: &pb::Order, state: pb::order::State) -> pb::Order {
        eventually(async || Some(self.get(&order.name).await).filter(|order| order.state() == state)).await
    }

    pub(crate) async fn orders_of(&self, customer: &str) -> Vec<pb::Order> {
        let request = pb::ListOrdersRequest::default();
        self.customer(customer).list_orders(request).await.expect("orders").into_inner().orders
    }

    /// Announces an event as another service does, and waits until it is sent.
    pub(crate) async fn announce<E: Event>(&self, key: &str, event: &E) -> Uuid {
        let id =
            self.elsewhere.write(async |tx| outbox::append(tx, key, event).await).await.expect("announced");
        self.sent(id).await;
        id
    }

    /// Has an event delivered a second time.
    pub(crate) async fn announce_again(&self, id: Uuid) {
        let again = "UPDATE outbox SET published_at = NULL WHERE id = $1";
        let again = Statement::from_sql_and_values(self.elsewhere.backend(), again, [id.into()]);
        self.elsewhere.execute(again).await.expect("to be sent again");
        self.sent(id).await;
    }

    async fn sent(&self, id: Uuid) {
        let sent = "SELECT 1 FROM outbox WHERE id = $1 AND published_at IS NOT NULL";
        eventually(async || {
            let sent = Statement::from_sql_and_values(self.elsewhere.backend(), sent, [id.into()]);
            self.elsewhere.writer().query_one_raw(sent).await.expect("the outbox")
        })
        .await;
    }

    async fn heard_anything(&self) -> bool {
        self.count("SELECT COUNT(*) FROM inbox").await > 0
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        let row = self.db.writer().query_one_raw(Statement::from_string(self.db.backend(), sql)).await;
        row.expect("a count").expect("one row").try_get_by_index(0).expect("a number")
    }

    /// Has what is in the database happen earlier.
    pub(crate) async fn some_time_ago(&self, sql: &str) {
        self.db.execute(Statement::from_string(self.db.backend(), sql)).await.expect("earlier");
    }

    /// The events announced about an order, by the last part of their names.
    pub(crate) async fn announced(&self, order: &str) -> Vec<String> {
        let sql = "SELECT kind FROM outbox WHERE key = $1 ORDER BY seq";
        let sql = Statement::from_sql_and_values(self.db.backend(), sql, [order.into()]);
        let rows = self.db.writer().query_all_raw(sql).await.expect("the outbox");
        let kinds = rows.iter().map(|row| row.try_get_by_index::<String>(0).expect("a kind"));
        kinds.map(|kind| kind.rsplit('.').next().unwrap_or_default().to_owned()).collect()
    }

    /// Every event announced about an order of one type.
    pub(crate) async fn said<E: Event>(&self, order: &str) -> Vec<E> {
        let sql = "SELECT payload FROM outbox WHERE key = $1 AND kind = $2 ORDER BY seq";
        let sql =
            Statement::from_sql_and_values(self.db.backend(), sql, [order.into(), E::full_name().into()]);
        let rows = self.db.writer().query_all_raw(sql).await.expect("the outbox");
        let payload = |row: &sea_orm::QueryResult| row.try_get_by_index::<Vec<u8>>(0).expect("a payload");
        rows.iter().map(|row| E::decode(payload(row).as_slice()).expect("an event")).collect()
    }

    pub(crate) async fn facts(&self, kind: &str) -> Vec<Fact> {
        let request = ListFactsRequest { kind: kind.to_owned(), ..Default::default() };
        self.books().list_facts(request).await.expect("facts").into_inner().facts
    }

    /// Fails when the service's own books do not balance.
    pub(crate) async fn audit(&self) {
        let findings =
            self.books().check_invariants(CheckInvariantsRequest {}).await.expect("findings").into_inner();
        assert!(!findings.findings.is_empty());
        for finding in findings.findings {
            assert!(finding.offenders.is_empty(), "{}: {:?}", finding.invariant, finding.offenders);
        }
    }
}

/// What the shop of the tests has set: twenty per cent of tax, in Germany nineteen.
pub(crate) fn config() -> order::Config {
    order::Config {
        tax_basis_points: 2000,
        tax_basis_points_by_country: vec!["DE=1900".parse().expect("a rate")],
        checkout_seconds: 60,
        ..order::Config::default()
    }
}

fn stock_up(world: &World) {
    let mut facts = world.facts();
    for (name, price, stocked, on_sale) in [
        (CUP, gbp(1250), true, true),
        (GIFT_CARD, gbp(2000), false, true),
        (OLD, gbp(100), true, false),
        (YEN, money(500, "JPY"), true, true),
        (GOLD, gbp(100_000_000_000), true, true),
        (FREE, gbp(0), false, true),
    ] {
        let sku = name.rsplit('/').next().unwrap_or_default().to_uppercase();
        facts.stock.insert(sku.clone(), 100);
        let mut variant = catalog::Variant {
            name: name.to_owned(),
            sku,
            product_title: "Cup".into(),
            title: "Large".into(),
            price: Some(price),
            weight_grams: 300,
            stocked,
            price_version: 7,
            ..Default::default()
        };
        variant.set_state(catalog::variant::State::Active);
        variant.set_product_state(if on_sale {
            catalog::product::State::Active
        } else {
            catalog::product::State::Archived
        });
        facts.variants.insert(name.to_owned(), variant);
    }
    let rate = |rate: &str, minor| ShippingOption {
        rate: rate.to_owned(),
        title: rate.to_owned(),
        price: Some(gbp(minor)),
        days_min: 1,
        days_max: 3,
        ..Default::default()
    };
    facts
        .shipping
        .insert("GB".into(), vec![rate("zones/uk/rates/post", 350), rate("zones/uk/rates/express", 900)]);
    facts.shipping.insert("IE".into(), vec![rate("zones/ie/rates/pickup", 0)]);
    facts.shipping.insert("DE".into(), vec![rate("zones/de/rates/post", 950)]);
    facts.coupons.extend([("TENTH".to_owned(), 10), ("OVER".to_owned(), 0), ("ALL".to_owned(), 100)]);
    facts.contacts.insert("guests/known".into(), "known@example.com".into());
}

impl World {
    /// An open cart with these lines.
    pub(crate) fn cart(&self, name: &str, lines: &[(&str, i64)], coupon_code: &str) {
        let line = |(variant, quantity): &(&str, i64)| cart::v1::CartLine {
            variant: (*variant).to_owned(),
            quantity: *quantity,
            ..Default::default()
        };
        let mut cart = cart::v1::Cart {
            name: name.to_owned(),
            lines: lines.iter().map(line).collect(),
            coupon_code: coupon_code.to_owned(),
            ..Default::default()
        };
        cart.set_state(cart::v1::cart::State::Open);
        let mut facts = self.facts();
        facts.carts.insert("carts/current".into(), cart.clone());
        facts.carts.insert(name.to_owned(), cart);
    }

    /// Cart hears of an order: its cart is closed, and the customer's next one is empty.
    pub(crate) fn close(&self, order: &pb::Order) {
        let mut next = cart::v1::Cart { name: "carts/next".to_owned(), ..Default::default() };
        next.set_state(cart::v1::cart::State::Open);
        let mut facts = self.facts();
        let cart = facts.carts.get_mut(&order.cart).expect("a cart that was ordered");
        cart.order.clone_from(&order.name);
        cart.set_state(cart::v1::cart::State::Ordered);
        facts.carts.insert("carts/current".into(), next);
    }
}

pub(crate) fn address() -> PostalAddress {
    PostalAddress {
        recipient: "Ada Lovelace".into(),
        line1: "12 St James's Square".into(),
        city: "London".into(),
        postal_code: "SW1Y 4JH".into(),
        country_code: "GB".into(),
        ..Default::default()
    }
}

/// Two cups to London for what they cost: 2 × 12.50 and 3.50 for sending.
pub(crate) fn two_cups() -> pb::PlaceOrderRequest {
    buy(&[(CUP, 2)], gbp(2850))
}

pub(crate) fn buy(lines: &[(&str, i64)], expected_total: Money) -> pb::PlaceOrderRequest {
    let line = |(variant, quantity): &(&str, i64)| pb::LineRequest {
        variant: (*variant).to_owned(),
        quantity: *quantity,
    };
    pb::PlaceOrderRequest {
        lines: lines.iter().map(line).collect(),
        shipping_address: Some(address()),
        payment_method: Some(pb::PaymentMethod { channel: "sandbox".into(), token: "ok".into() }),
        expected_total: Some(expected_total),
        request_id: request_id(),
        ..Default::default()
    }
}

pub(crate) fn request_id() -> String {
    Uuid::now_v7().to_string()
}

pub(crate) fn cancel(order: &pb::Order) -> pb::CancelOrderRequest {
    pb::CancelOrderRequest {
        name: order.name.clone(),
        reason: "Changed my mind".into(),
        request_id: request_id(),
    }
}

pub(crate) fn captured(order: &pb::Order) -> PaymentCaptured {
    PaymentCaptured {
        payment: order.payment.clone(),
        order: order.name.clone(),
        customer: order.customer.clone(),
        amount: order.total.clone(),
    }
}

pub(crate) fn dispatched(order: &pb::Order) -> ShipmentDispatched {
    ShipmentDispatched {
        shipment: "shipments/1".into(),
        order: order.name.clone(),
        customer: order.customer.clone(),
        ..Default::default()
    }
}

pub(crate) fn arrived(order: &pb::Order) -> ShipmentDelivered {
    ShipmentDelivered {
        shipment: "shipments/1".into(),
        order: order.name.clone(),
        customer: order.customer.clone(),
    }
}

pub(crate) fn reason(status: &Status) -> String {
    chassis::status::reason(status).unwrap_or_default()
}
