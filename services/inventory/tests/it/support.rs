//! Inventory on a database of its own, and an order service that only announces.
use std::time::Duration;

use chassis::db::Db;
use chassis::event::Event;
use chassis::migration::Nothing;
use chassis::outbox;
use chassis::server::Server;
use chassis::testing::{Client, TestHost, TestProcess, eventually};
use chassis::time::Timestamp;
use contract::inventory::v1 as pb;
use contract::inventory::v1::inventory_service_client::InventoryServiceClient;
use contract::operations::v1::operations_service_client::OperationsServiceClient;
use contract::operations::v1::{CheckInvariantsRequest, Fact, ListFactsRequest};
use contract::order::v1::{EventLine, OrderCancelled};
use sea_orm::{ConnectionTrait, Statement};
use uuid::Uuid;

pub(crate) type Inventory = InventoryServiceClient<Client>;

/// A warehouse with nothing in it.
pub(crate) struct Warehouse {
    pub(crate) host: TestHost,
    /// Inventory's database, to look at what is not told.
    pub(crate) db: Db,
    /// The order service's database: what is put in its outbox is announced.
    orders: Db,
}

impl Warehouse {
    pub(crate) async fn open() -> Self {
        let process = TestProcess::new().await;
        let (host, order) = (process.host("inventory"), process.host("order"));
        let orders = order.db::<Nothing>().await.expect("a database for order");
        let db = host.db::<inventory::Migrator>().await.expect("a database for inventory");
        let config = inventory::Config { inventory_expiry_every_ms: 20 };
        order.serve(Server::new(&order, &orders).run());
        host.serve(inventory::serve(host.host(), config));
        let warehouse = Self { host, db, orders };
        // An event sent before inventory listens would pass it by: news of nothing is sent until one arrives.
        eventually(async || {
            warehouse.publish("orders/none", &OrderCancelled::default()).await;
            warehouse.inbox_has_any().await.then_some(())
        })
        .await;
        warehouse
    }

    /// A shelf with so many of each SKU.
    pub(crate) async fn with(stock: &[(&str, i64)]) -> Self {
        let warehouse = Self::open().await;
        for (sku, quantity) in stock {
            warehouse.staff().receive_stock(receive(sku, *quantity)).await.expect("received");
        }
        warehouse
    }

    pub(crate) fn staff(&self) -> Inventory {
        InventoryServiceClient::new(self.host.as_staff(&["stock.read", "stock.receive", "stock.adjust"]))
    }

    pub(crate) fn order(&self) -> Inventory {
        InventoryServiceClient::new(self.host.as_service("order"))
    }

    pub(crate) fn anyone(&self) -> Inventory {
        InventoryServiceClient::new(self.host.as_anyone())
    }

    fn books(&self) -> OperationsServiceClient<Client> {
        OperationsServiceClient::new(self.host.as_staff(&["audit.read"]))
    }

    /// On hand, reserved and available of a SKU.
    pub(crate) async fn levels(&self, sku: &str) -> (i64, i64, i64) {
        let stock = self.anyone().get_stock(pb::GetStockRequest { name: format!("stock/{sku}") }).await;
        let stock = stock.expect("stock").into_inner();
        (stock.on_hand, stock.reserved, stock.available)
    }

    /// Waits until the levels of a SKU are these.
    pub(crate) async fn until(&self, sku: &str, levels: (i64, i64, i64)) {
        eventually(async || (self.levels(sku).await == levels).then_some(())).await;
    }

    /// Announces an event as order does, and waits until inventory has applied it.
    pub(crate) async fn announce<E: Event>(&self, order: &str, event: &E) -> Uuid {
        let id = self.publish(order, event).await;
        eventually(async || {
            let sql = "SELECT 1 FROM inbox WHERE id = $1";
            let statement = Statement::from_sql_and_values(self.db.backend(), sql, [id.into()]);
            self.db.writer().query_one_raw(statement).await.expect("the inbox")
        })
        .await;
        id
    }

    async fn publish<E: Event>(&self, order: &str, event: &E) -> Uuid {
        let id =
            self.orders.write(async |tx| outbox::append(tx, order, event).await).await.expect("announced");
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

    async fn inbox_has_any(&self) -> bool {
        let statement = Statement::from_string(self.db.backend(), "SELECT 1 FROM inbox");
        self.db.writer().query_one_raw(statement).await.expect("the inbox").is_some()
    }

    /// The events of a kind that inventory announced, oldest first.
    pub(crate) async fn announced<E: Event>(&self) -> Vec<E> {
        let sql = "SELECT payload FROM outbox WHERE kind = $1 ORDER BY seq";
        let statement = Statement::from_sql_and_values(self.db.backend(), sql, [E::full_name().into()]);
        let rows = self.db.writer().query_all_raw(statement).await.expect("the outbox");
        let payload = |row: &sea_orm::QueryResult| row.try_get_by_index::<Vec<u8>>(0).expect("a payload");
        rows.iter().map(|row| E::decode(payload(row).as_slice()).expect("an event")).collect()
    }

    /// Everything inventory's own tables must hold.
    pub(crate) async fn balances(&self) {
        let findings = self
            .books()
            .check_invariants(CheckInvariantsRequest {})
            .await
            .expect("checked")
            .into_inner()
            .findings;
        assert!(findings.len() >= 4, "{findings:?}");
        for finding in findings {
            assert!(finding.offenders.is_empty(), "{finding:?}");
        }
    }

    pub(crate) async fn facts(&self, kind: &str) -> Vec<Fact> {
        let request = ListFactsRequest { kind: kind.to_owned(), ..ListFactsRequest::default() };
        self.books().list_facts(request).await.expect("facts").into_inner().facts
    }

    /// The movements of an order, newest first: kind, on hand, reserved.
    pub(crate) async fn movements(&self, reference: &str) -> Vec<(pb::movement::Kind, i64, i64)> {
        let request = pb::ListMovementsRequest { reference: reference.to_owned(), ..Default::default() };
        let movements = self.staff().list_movements(request).await.expect("movements").into_inner().movements;
        movements
            .iter()
            .map(|movement| (movement.kind(), movement.on_hand_delta, movement.reserved_delta))
            .collect()
    }
}

pub(crate) fn an_order() -> String {
    format!("orders/{}", Uuid::now_v7())
}

pub(crate) fn a_request() -> String {
    Uuid::now_v7().to_string()
}

pub(crate) fn receive(sku: &str, quantity: i64) -> pb::ReceiveStockRequest {
    pb::ReceiveStockRequest { sku: sku.to_owned(), quantity, ..Default::default() }
}

/// Asks for goods for a moment: nobody has to end the reservation.
pub(crate) fn reserve_briefly(order: &str, lines: &[(&str, i64)]) -> pb::ReserveStockRequest {
    let soon = Timestamp::now().plus(Duration::from_millis(300));
    pb::ReserveStockRequest { expire_time: Some(soon.into()), ..reserve(order, lines) }
}

pub(crate) fn reserve(order: &str, lines: &[(&str, i64)]) -> pb::ReserveStockRequest {
    let line = |(sku, quantity): &(&str, i64)| pb::ReservationLine {
        sku: (*sku).to_owned(),
        quantity: *quantity,
        ..Default::default()
    };
    pb::ReserveStockRequest {
        order: order.to_owned(),
        lines: lines.iter().map(line).collect(),
        expire_time: Some(Timestamp::now().plus(Duration::from_secs(900)).into()),
        request_id: a_request(),
    }
}

pub(crate) fn release(order: &str) -> pb::ReleaseReservationRequest {
    pb::ReleaseReservationRequest { order: order.to_owned() }
}

pub(crate) fn commit(order: &str) -> pb::CommitReservationRequest {
    pb::CommitReservationRequest { order: order.to_owned() }
}

pub(crate) fn event_lines(lines: &[(&str, i64)]) -> Vec<EventLine> {
    let line = |(sku, quantity): &(&str, i64)| EventLine {
        sku: (*sku).to_owned(),
        quantity: *quantity,
        stocked: true,
        ..Default::default()
    };
    lines.iter().map(line).collect()
}
