//! Promotion on a database of its own, and an order service that only announces.
use chassis::caller::Caller;
use chassis::db::Db;
use chassis::event::Event;
use chassis::migration::Nothing;
use chassis::outbox;
use chassis::server::Server;
use chassis::status;
use chassis::testing::{Client, TestHost, TestProcess, eventually};
use contract::Money;
use contract::operations::v1::operations_service_client::OperationsServiceClient;
use contract::operations::v1::{CheckInvariantsRequest, Fact, ListFactsRequest};
use contract::order::v1::OrderCancelled;
use contract::promotion::v1 as pb;
use contract::promotion::v1::promotion_service_client::PromotionServiceClient;
use sea_orm::{ConnectionTrait, QueryResult, Statement};
use tonic::{Code, Status};
use uuid::Uuid;

pub(crate) type Promotions = PromotionServiceClient<Client>;

pub(crate) const ANN: &str = "users/ann";

/// A shop with coupons.
pub(crate) struct Shop {
    pub(crate) host: TestHost,
    pub(crate) db: Db,
    /// The order service's database: what is put in its outbox is announced.
    orders: Db,
}

impl Shop {
    pub(crate) async fn open() -> Shop {
        let process = TestProcess::new().await;
        let (host, order) = (process.host("promotion"), process.host("order"));
        let orders = order.db::<Nothing>().await.expect("a database for order");
        let db = host.db::<promotion::Migrator>().await.expect("promotion's database");
        order.serve(Server::new(&order, &orders).run());
        host.serve(promotion::serve(host.host(), promotion::Config::default()));
        let shop = Shop { host, db, orders };
        // An event sent before promotion listens would pass it by: news of nothing is sent until one arrives.
        eventually(async || {
            shop.announce("orders/none", &OrderCancelled::default()).await;
            shop.row("SELECT 1 FROM inbox").await
        })
        .await;
        shop
    }

    pub(crate) fn order(&self) -> Promotions {
        PromotionServiceClient::new(self.host.as_service("order"))
    }

    /// The order service on behalf of a person.
    pub(crate) fn order_for(&self, person: &str) -> Promotions {
        PromotionServiceClient::new(self.host.as_service_for("order", &Caller::person(person, None, [])))
    }

    pub(crate) fn customer(&self, subject: &str) -> Promotions {
        PromotionServiceClient::new(self.host.as_customer(subject))
    }

    pub(crate) fn anyone(&self) -> Promotions {
        PromotionServiceClient::new(self.host.as_anyone())
    }

    pub(crate) fn staff(&self) -> Promotions {
        PromotionServiceClient::new(self.host.as_staff(&["coupon.read", "coupon.write"]))
    }

    fn books(&self) -> OperationsServiceClient<Client> {
        OperationsServiceClient::new(self.host.as_staff(&["audit.read"]))
    }

    pub(crate) async fn coupon(&self, coupon: pb::Coupon) -> pb::Coupon {
        let request = pb::CreateCouponRequest { coupon: Some(coupon), request_id: String::new() };
        self.staff().create_coupon(request).await.expect("a coupon").into_inner()
    }

    pub(crate) async fn read(&self, coupon: &pb::Coupon) -> pb::Coupon {
        let request = pb::GetCouponRequest { name: coupon.name.clone() };
        self.staff().get_coupon(request).await.expect("a coupon").into_inner()
    }

    pub(crate) async fn redemptions(&self, coupon: &pb::Coupon) -> Vec<pb::Redemption> {
        let request = pb::ListRedemptionsRequest { coupon: coupon.name.clone(), ..Default::default() };
        self.staff().list_redemptions(request).await.expect("redemptions").into_inner().redemptions
    }

    /// Announces an event as order does, and waits until it is sent.
    pub(crate) async fn announce<E: Event>(&self, order: &str, event: &E) -> Uuid {
        let id =
            self.orders.write(async |tx| outbox::append(tx, order, event).await).await.expect("announced");
        self.sent(id).await;
        id
    }

    /// Has an event delivered a second time.
    pub(crate) async fn announce_again(&self, id: Uuid) {
        let again = "UPDATE outbox SET published_at = NULL WHERE id = $1";
        let again = Statement::from_sql_and_values(self.orders.backend(), again, [id.into()]);
        self.orders.execute(again).await.expect("to be sent again");
        self.sent(id).await;
    }

    async fn sent(&self, id: Uuid) {
        let sent = "SELECT 1 FROM outbox WHERE id = $1 AND published_at IS NOT NULL";
        eventually(async || {
            let sent = Statement::from_sql_and_values(self.orders.backend(), sent, [id.into()]);
            self.orders.writer().query_one_raw(sent).await.expect("the outbox")
        })
        .await;
    }

    /// Waits until an event was applied.
    pub(crate) async fn applied(&self, id: Uuid) {
        let text = "SELECT 1 FROM inbox WHERE id = $1";
        eventually(async || {
            let statement = Statement::from_sql_and_values(self.db.backend(), text, [id.into()]);
            self.db.writer().query_one_raw(statement).await.expect("the inbox")
        })
        .await;
    }

    pub(crate) async fn row(&self, text: &str) -> Option<QueryResult> {
        let statement = Statement::from_string(self.db.backend(), text);
        self.db.writer().query_one_raw(statement).await.expect("promotion's tables")
    }

    /// The events of a kind that promotion announced, oldest first.
    pub(crate) async fn announced<E: Event>(&self) -> Vec<E> {
        let text = "SELECT payload FROM outbox WHERE kind = $1 ORDER BY seq";
        let statement = Statement::from_sql_and_values(self.db.backend(), text, [E::full_name().into()]);
        let rows = self.db.writer().query_all_raw(statement).await.expect("the outbox");
        let payload = |row: &QueryResult| row.try_get_by_index::<Vec<u8>>(0).expect("a payload");
        rows.iter().map(|row| E::decode(payload(row).as_slice()).expect("an event")).collect()
    }

    /// Everything promotion's own tables must hold.
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

    pub(crate) async fn facts(&self) -> Vec<Fact> {
        let request =
            ListFactsRequest { kind: "promotion.redemption".to_owned(), ..ListFactsRequest::default() };
        self.books().list_facts(request).await.expect("facts").into_inner().facts
    }
}

pub(crate) fn an_order() -> String {
    format!("orders/{}", Uuid::now_v7())
}

pub(crate) fn a_request() -> String {
    Uuid::now_v7().to_string()
}

pub(crate) fn pence(pence: i64) -> Option<Money> {
    let nanos = i32::try_from(pence % 100 * 10_000_000).expect("less than a pound");
    Some(Money { currency_code: "GBP".to_owned(), units: pence / 100, nanos })
}

pub(crate) fn euros(euros: i64) -> Option<Money> {
    Some(Money { currency_code: "EUR".to_owned(), units: euros, nanos: 0 })
}

/// Ten percent off.
pub(crate) fn ten_percent(code: &str) -> pb::Coupon {
    pb::Coupon { code: code.to_owned(), percent_off_basis_points: 1000, ..Default::default() }
}

/// Ann's order of ten pounds uses ten percent off.
pub(crate) fn redeem(code: &str, order: &str) -> pb::RedeemCouponRequest {
    pb::RedeemCouponRequest {
        coupon_code: code.to_owned(),
        order: order.to_owned(),
        customer: ANN.to_owned(),
        discount: pence(100),
        subtotal: pence(1000),
        request_id: a_request(),
    }
}

pub(crate) fn release(order: &str) -> pb::ReleaseCouponRequest {
    pb::ReleaseCouponRequest { order: order.to_owned(), request_id: a_request() }
}

pub(crate) fn evaluate(code: &str, totals: &[i64]) -> pb::EvaluateDiscountsRequest {
    let line = |total: &i64| pb::PricedLine {
        variant: "products/1/variants/1".to_owned(),
        quantity: 1,
        total: pence(*total),
    };
    pb::EvaluateDiscountsRequest {
        coupon_code: code.to_owned(),
        lines: totals.iter().map(line).collect(),
        customer: String::new(),
    }
}

/// That a call was refused so, and for this reason.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, Status>, code: Code, reason: &str) -> Status {
    let refusal = result.expect_err("a refusal");
    assert_eq!((refusal.code(), status::reason(&refusal).as_deref()), (code, Some(reason)), "{refusal:?}");
    refusal
}
