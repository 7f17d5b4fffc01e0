//! Analytics on a database of its own, and an order service that only announces.
use std::time::Duration;

use analytics::Config;
use chassis::db::Db;
use chassis::event::Event;
use chassis::migration::Nothing;
use chassis::outbox;
use chassis::server::Server;
use chassis::testing::{Client, TestHost, TestProcess, eventually};
use chassis::time::Timestamp;
use contract::Money;
use contract::analytics::v1 as pb;
use contract::analytics::v1::analytics_service_client::AnalyticsServiceClient;
use contract::analytics::v1::get_sales_report_request::GroupBy;
use contract::operations::v1::operations_service_client::OperationsServiceClient;
use contract::operations::v1::{CheckInvariantsRequest, Fact, ListFactsRequest, ListParkedMessagesRequest};
use contract::order::v1::{EventLine, OrderCancelled, OrderConfirmed, OrderImported, OrderReturned};
use sea_orm::{ConnectionTrait, Statement};
use uuid::Uuid;

pub(crate) type Calls = AnalyticsServiceClient<Client>;

/// 2010-12-01T00:00:00Z.
pub(crate) const DECEMBER: i64 = 1_291_161_600_000_000;
pub(crate) const HOUR: i64 = 3_600_000_000;
pub(crate) const DAY: i64 = 24 * HOUR;

/// Analytics that listens.
pub(crate) struct Observer {
    pub(crate) host: TestHost,
    db: Db,
    orders: Db,
}

impl Observer {
    pub(crate) async fn start() -> Observer {
        let process = TestProcess::new().await;
        let (host, order) = (process.host("analytics"), process.host("order"));
        let orders = order.db::<Nothing>().await.expect("a database for order");
        let db = host.db::<analytics::Migrator>().await.expect("a database for analytics");
        order.serve(Server::new(&order, &orders).run());
        host.serve(analytics::serve(host.host(), Config::default()));
        let observer = Observer { host, db, orders };
        // An event sent before analytics listens would pass it by: news of nothing is sent until one arrives.
        eventually(async || {
            observer.append("orders/none", &OrderCancelled::default()).await;
            (observer.count("SELECT COUNT(*) AS count FROM inbox", &observer.db).await > 0).then_some(())
        })
        .await;
        observer
    }

    pub(crate) fn anyone(&self) -> Calls {
        AnalyticsServiceClient::new(self.host.as_anyone())
    }

    pub(crate) fn customer(&self, user: &str) -> Calls {
        AnalyticsServiceClient::new(self.host.as_customer(user))
    }

    pub(crate) fn staff(&self) -> Calls {
        AnalyticsServiceClient::new(self.host.as_staff(&["report.read"]))
    }

    fn operator(&self) -> OperationsServiceClient<Client> {
        OperationsServiceClient::new(self.host.as_staff(&["audit.read", "dlq.redrive"]))
    }

    async fn append<E: Event>(&self, key: &str, event: &E) -> Uuid {
        self.orders.write(async |tx| outbox::append(tx, key, event).await).await.expect("announced")
    }

    async fn count(&self, sql: &str, db: &Db) -> i64 {
        let statement = Statement::from_string(db.backend(), sql);
        let row = db.writer().query_one_raw(statement).await.expect("a query").expect("a row");
        row.try_get("", "count").expect("a count")
    }

    /// Announces an event, and waits until it has been dealt with.
    pub(crate) async fn announce<E: Event>(&self, key: &str, event: &E) {
        let id = self.append(key, event).await;
        self.dealt_with(id).await;
    }

    /// Has every event delivered a second time, as a broker may.
    pub(crate) async fn repeat_all(&self) {
        let again = Statement::from_string(self.orders.backend(), "UPDATE outbox SET published_at = NULL");
        self.orders.execute(again).await.expect("to be sent again");
        eventually(async || {
            let sql = "SELECT COUNT(*) AS count FROM outbox WHERE published_at IS NULL";
            (self.count(sql, &self.orders).await == 0).then_some(())
        })
        .await;
    }

    async fn dealt_with(&self, id: Uuid) {
        eventually(async || {
            let sql = "SELECT 1 AS known FROM inbox WHERE id = $1 UNION ALL SELECT 1 FROM parked WHERE event_id = $1";
            let statement = Statement::from_sql_and_values(self.db.backend(), sql, [id.into()]);
            self.db.writer().query_one_raw(statement).await.expect("the inbox")
        })
        .await;
    }

    pub(crate) async fn report(&self, by: GroupBy) -> Vec<pb::SalesRow> {
        self.report_between(by, DECEMBER, DECEMBER + 31 * DAY).await
    }

    pub(crate) async fn report_between(&self, by: GroupBy, start: i64, end: i64) -> Vec<pb::SalesRow> {
        let request =
            pb::GetSalesReportRequest { start_time: at(start), end_time: at(end), group_by: by.into() };
        self.staff().get_sales_report(request).await.expect("a report").into_inner().rows
    }

    pub(crate) async fn profile(&self, user: &str) -> pb::UserProfile {
        let request = pb::GetUserProfileRequest { name: format!("{user}/profile") };
        self.staff().get_user_profile(request).await.expect("a profile").into_inner()
    }

    pub(crate) async fn facts(&self) -> Vec<Fact> {
        let request = ListFactsRequest { kind: "analytics.sale".into(), ..Default::default() };
        self.operator().list_facts(request).await.expect("facts").into_inner().facts
    }

    /// Asserts that the books balance.
    pub(crate) async fn audit(&self) {
        let checked =
            self.operator().check_invariants(CheckInvariantsRequest::default()).await.expect("a check");
        let findings = checked.into_inner().findings;
        assert!(
            // The tests tell events in whatever order.
            findings
                .iter()
                .filter(|finding| finding.number != "I26")
                .all(|finding| finding.offenders.is_empty()),
            "{findings:?}"
        );
    }

    pub(crate) async fn parked(&self) -> usize {
        let parked =
            self.operator().list_parked_messages(ListParkedMessagesRequest::default()).await.expect("a list");
        parked.into_inner().parked_messages.len()
    }

    /// How many events of behaviour were announced.
    pub(crate) async fn behaviours_told(&self) -> i64 {
        self.count("SELECT COUNT(*) AS count FROM outbox WHERE kind LIKE '%BehaviourRecorded'", &self.db)
            .await
    }
}

pub(crate) fn at(micros: i64) -> Option<prost_types::Timestamp> {
    Some(Timestamp::from_micros(micros).into())
}

pub(crate) fn ago(span: Duration) -> Option<prost_types::Timestamp> {
    Some(Timestamp::now().minus(span).into())
}

pub(crate) fn money(minor: i64, code: &str) -> Option<Money> {
    let money = chassis::money::Money::new(minor, code.parse().expect("a currency"));
    Some(money.into())
}

pub(crate) fn gbp(minor: i64) -> Option<Money> {
    money(minor, "GBP")
}

pub(crate) fn line(sku: &str, quantity: i64, price: i64) -> EventLine {
    EventLine {
        variant: format!("products/p/variants/{sku}"),
        sku: sku.into(),
        quantity,
        unit_price: gbp(price),
        total: gbp(quantity * price),
        stocked: true,
        line_id: sku.into(),
    }
}

/// An order that was confirmed, to the United Kingdom.
pub(crate) fn confirmed(order: &str, customer: &str, time: i64, lines: Vec<EventLine>) -> OrderConfirmed {
    let subtotal: i64 = lines.iter().map(|line| minor(&line.total)).sum();
    OrderConfirmed {
        order: order.into(),
        customer: customer.into(),
        lines,
        subtotal: gbp(subtotal),
        total: gbp(subtotal),
        country: "United Kingdom".into(),
        order_time: at(time),
        ..Default::default()
    }
}

/// An order that happened elsewhere.
pub(crate) fn imported(order: &str, country: &str, time: i64, lines: Vec<EventLine>) -> OrderImported {
    let total: i64 = lines.iter().map(|line| minor(&line.total)).sum();
    OrderImported {
        order: order.into(),
        customer: "guests/1".into(),
        lines,
        total: gbp(total),
        country: country.into(),
        order_time: at(time),
        ..Default::default()
    }
}

pub(crate) fn cancelled(order: &str, total: i64) -> OrderCancelled {
    OrderCancelled { order: order.into(), confirmed: true, total: gbp(total), ..Default::default() }
}

pub(crate) fn returned(order: &str, name: &str, lines: Vec<EventLine>, refund: i64) -> OrderReturned {
    OrderReturned {
        order: order.into(),
        r#return: name.into(),
        lines,
        refund: gbp(refund),
        ..Default::default()
    }
}

/// An amount in minor units of a currency with two decimals.
pub(crate) fn minor(money: &Option<Money>) -> i64 {
    let money = money.as_ref().expect("an amount");
    chassis::money::Money::try_from(money).expect("money").minor
}
