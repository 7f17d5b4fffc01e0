//! Payment on a database of its own, and an order service that only announces.
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
use contract::operations::v1::{CheckInvariantsRequest, Fact, Finding, ListFactsRequest};
use contract::order::v1::{OrderCancelled, OrderConfirmed};
use contract::payment::v1 as pb;
use contract::payment::v1::payment::State;
use contract::payment::v1::payment_service_client::PaymentServiceClient;
use sea_orm::{ConnectionTrait, QueryResult, Statement};
use tonic::{Code, Status};
use uuid::Uuid;

use super::orphans::Orders;

pub(crate) type Payments = PaymentServiceClient<Client>;

/// A shop that takes money.
pub(crate) struct Shop {
    pub(crate) host: TestHost,
    pub(crate) db: Db,
    /// The order service's database: what is put in its outbox is announced.
    orders: Db,
}

impl Shop {
    pub(crate) async fn open() -> Shop {
        Shop::with(payment::Config { payment_channel_timeout_ms: 1500, ..payment::Config::default() }).await
    }

    /// One set up so.
    pub(crate) async fn with(config: payment::Config) -> Shop {
        Self::beside(config, Orders::default()).await
    }

    /// One set up so, beside an order service that knows the state of orders.
    pub(crate) async fn beside(config: payment::Config, states: Orders) -> Shop {
        let process = TestProcess::new().await;
        let (host, order) = (process.host("payment"), process.host("order"));
        let orders = order.db::<Nothing>().await.expect("a database for order");
        let db = host.db::<payment::Migrator>().await.expect("payment's database");
        order.serve(Server::new(&order, &orders).grpc(states).run());
        host.serve(payment::serve(host.host(), config));
        let shop = Shop { host, db, orders };
        // An event sent before payment listens would pass it by: news of nothing is sent until one arrives.
        eventually(async || {
            shop.announce("orders/none", &OrderCancelled::default()).await;
            shop.row("SELECT 1 FROM inbox").await
        })
        .await;
        shop
    }

    pub(crate) fn order(&self) -> Payments {
        PaymentServiceClient::new(self.host.as_service("order"))
    }

    /// The order service on behalf of a person.
    pub(crate) fn order_for(&self, person: &str) -> Payments {
        PaymentServiceClient::new(self.host.as_service_for("order", &Caller::person(person, None, [])))
    }

    pub(crate) fn customer(&self, subject: &str) -> Payments {
        PaymentServiceClient::new(self.host.as_customer(subject))
    }

    pub(crate) fn staff(&self, permissions: &[&str]) -> Payments {
        PaymentServiceClient::new(self.host.as_staff(permissions))
    }

    pub(crate) fn finance(&self) -> Payments {
        self.staff(&["payment.read.any", "payment.capture", "refund.create", "ledger.read"])
    }

    fn books(&self) -> OperationsServiceClient<Client> {
        OperationsServiceClient::new(self.host.as_staff(&["audit.read"]))
    }

    /// An order whose money is promised.
    pub(crate) async fn authorized(&self, token: &str) -> pb::Payment {
        self.order().authorize_payment(pay(&an_order(), token)).await.expect("authorized").into_inner()
    }

    /// An order whose money is taken.
    pub(crate) async fn captured(&self, token: &str) -> pb::Payment {
        let payment = self.authorized(token).await;
        self.announce(&payment.order, &confirmed(&payment)).await;
        self.until(&payment, State::Captured).await
    }

    pub(crate) async fn get(&self, payment: &pb::Payment) -> pb::Payment {
        let request = pb::GetPaymentRequest { name: payment.name.clone() };
        self.finance().get_payment(request).await.expect("a payment").into_inner()
    }

    /// Waits until a payment is in a state.
    pub(crate) async fn until(&self, payment: &pb::Payment, state: State) -> pb::Payment {
        eventually(async || Some(self.get(payment).await).filter(|payment| payment.state() == state)).await
    }

    /// The payment of an order, once there is one in that state.
    pub(crate) async fn until_order(&self, order: &str, state: State) -> pb::Payment {
        eventually(async || {
            let request = pb::ListPaymentsRequest { order: order.to_owned(), ..Default::default() };
            let payments =
                self.finance().list_payments(request).await.expect("payments").into_inner().payments;
            payments.into_iter().find(|payment| payment.state() == state)
        })
        .await
    }

    pub(crate) async fn refunds(&self, payment: &pb::Payment) -> Vec<pb::Refund> {
        let request = pb::ListRefundsRequest { parent: payment.name.clone(), ..Default::default() };
        self.finance().list_refunds(request).await.expect("refunds").into_inner().refunds
    }

    /// The kinds of an order's entries, oldest first.
    pub(crate) async fn entries(&self, order: &str) -> Vec<String> {
        let request = pb::ListJournalEntriesRequest { order: order.to_owned(), ..Default::default() };
        let entries =
            self.finance().list_journal_entries(request).await.expect("entries").into_inner().journal_entries;
        entries.into_iter().rev().map(|entry| entry.kind).collect()
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

    /// Waits until nothing is left to be carried out.
    pub(crate) async fn quiet(&self) {
        let waiting = "SELECT 1 FROM payments WHERE next_check_at IS NOT NULL
            UNION ALL SELECT 1 FROM refunds WHERE next_check_at IS NOT NULL";
        eventually(async || self.row(waiting).await.is_none().then_some(())).await;
    }

    pub(crate) async fn row(&self, text: &str) -> Option<QueryResult> {
        let statement = Statement::from_string(self.db.backend(), text);
        self.db.writer().query_one_raw(statement).await.expect("payment's tables")
    }

    pub(crate) async fn count(&self, text: &str) -> i64 {
        self.row(text).await.expect("a count").try_get_by_index(0).expect("a number")
    }

    /// The events of a kind that payment announced of an order, oldest first.
    pub(crate) async fn announced<E: Event>(&self, payment: &pb::Payment) -> Vec<E> {
        let text = "SELECT payload FROM outbox WHERE kind = $1 AND key = $2 ORDER BY seq";
        let values = [E::full_name().into(), payment.name.as_str().into()];
        let statement = Statement::from_sql_and_values(self.db.backend(), text, values);
        let rows = self.db.writer().query_all_raw(statement).await.expect("the outbox");
        let payload = |row: &QueryResult| row.try_get_by_index::<Vec<u8>>(0).expect("a payload");
        rows.iter().map(|row| E::decode(payload(row).as_slice()).expect("an event")).collect()
    }

    pub(crate) async fn findings(&self) -> Vec<Finding> {
        self.books().check_invariants(CheckInvariantsRequest {}).await.expect("checked").into_inner().findings
    }

    /// Everything payment's own tables must hold.
    pub(crate) async fn balances(&self) {
        let findings = self.findings().await;
        assert!(findings.len() >= 10, "{findings:?}");
        // The tests tell events in whatever order.
        for finding in findings.iter().filter(|finding| finding.number != "I26") {
            assert!(finding.offenders.is_empty(), "{finding:?}");
        }
    }

    pub(crate) async fn facts(&self, kind: &str) -> Vec<Fact> {
        let request = ListFactsRequest { kind: kind.to_owned(), ..ListFactsRequest::default() };
        self.books().list_facts(request).await.expect("facts").into_inner().facts
    }
}

pub(crate) fn an_order() -> String {
    format!("orders/{}", Uuid::now_v7())
}

pub(crate) fn a_request() -> String {
    Uuid::now_v7().to_string()
}

pub(crate) fn gbp(pounds: i64) -> Option<Money> {
    money("GBP", pounds)
}

pub(crate) fn money(currency: &str, units: i64) -> Option<Money> {
    Some(Money { currency_code: currency.to_owned(), units, nanos: 0 })
}

pub(crate) const ANN: &str = "users/ann";

/// Ann pays forty pounds.
pub(crate) fn pay(order: &str, token: &str) -> pb::AuthorizePaymentRequest {
    pb::AuthorizePaymentRequest {
        order: order.to_owned(),
        customer: ANN.to_owned(),
        amount: gbp(40),
        channel: "sandbox".to_owned(),
        token: token.to_owned(),
        request_id: a_request(),
    }
}

pub(crate) fn refund(payment: &pb::Payment, pounds: i64) -> pb::RefundPaymentRequest {
    pb::RefundPaymentRequest {
        payment: payment.name.clone(),
        amount: gbp(pounds),
        reason: "it did not fit".to_owned(),
        request_id: a_request(),
    }
}

pub(crate) fn void(order: &str) -> pb::VoidPaymentRequest {
    pb::VoidPaymentRequest { order: order.to_owned(), request_id: a_request() }
}

pub(crate) fn capture(payment: &pb::Payment) -> pb::CapturePaymentRequest {
    pb::CapturePaymentRequest { name: payment.name.clone(), request_id: a_request(), amount: None }
}

pub(crate) fn confirmed(payment: &pb::Payment) -> OrderConfirmed {
    OrderConfirmed {
        order: payment.order.clone(),
        customer: payment.customer.clone(),
        payment: payment.name.clone(),
        total: payment.amount.clone(),
        ..Default::default()
    }
}

pub(crate) fn cancelled(payment: &pb::Payment) -> OrderCancelled {
    OrderCancelled {
        order: payment.order.clone(),
        customer: payment.customer.clone(),
        payment: payment.name.clone(),
        total: payment.amount.clone(),
        confirmed: true,
        ..Default::default()
    }
}

/// That a call was refused so, and for this reason.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, Status>, code: Code, reason: &str) -> Status {
    let refusal = result.expect_err("a refusal");
    assert_eq!((refusal.code(), status::reason(&refusal).as_deref()), (code, Some(reason)), "{refusal:?}");
    refusal
}
