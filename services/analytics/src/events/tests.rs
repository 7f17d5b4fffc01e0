//! Sales, and what was given back of them, told together.
use chassis::consumer::Consumer;
use chassis::event::{Envelope, Event};
use chassis::testing::TestDb;
use contract::Money;
use sea_orm::{ConnectionTrait, Statement};

use super::*;

struct Books {
    db: TestDb,
    consumer: Consumer,
}

impl Books {
    async fn open() -> Books {
        let db = TestDb::new::<crate::Migrator>().await;
        let service = Service { db: db.clone() };
        let consumer = Consumer::new(&db, "analytics")
            .on::<OrderConfirmed>(service.clone())
            .on::<OrderImported>(service.clone())
            .on::<OrderCancelled>(service.clone())
            .on::<OrderReturned>(service.clone())
            .on::<UserErased>(service);
        Books { db, consumer }
    }

    async fn receive(&self, events: &[Envelope]) {
        self.consumer.receive_all(events).await.expect("taken over");
    }

    /// A number that a query finds.
    async fn number(&self, sql: &str) -> i64 {
        let statement = Statement::from_string(self.db.backend(), sql);
        let row = self.db.writer().query_one_raw(statement).await.expect("a number");
        row.and_then(|row| row.try_get_by_index(0).ok()).expect("a number")
    }

    async fn balance(&self) {
        let (_, offenders) = crate::store::sale::unbalanced(self.db.writer()).await.expect("checked");
        assert!(offenders.is_empty(), "{offenders:?}");
    }
}

fn euros(units: i64) -> Option<Money> {
    Some(Money { currency_code: "EUR".to_owned(), units, nanos: 0 })
}

fn envelope<E: Event>(order: &str, event: &E) -> Envelope {
    Envelope::new("order", order, event)
}

fn lines() -> Vec<EventLine> {
    let line = |sku: &str, quantity| EventLine {
        variant: format!("products/1/variants/{sku}"),
        sku: sku.to_owned(),
        quantity,
        unit_price: euros(5),
        ..Default::default()
    };
    vec![line("HAT", 1), line("BAG", 2)]
}

fn sold(order: &str, customer: &str) -> Envelope {
    let (order, customer) = (order.to_owned(), customer.to_owned());
    let name = order.clone();
    let event = OrderConfirmed {
        order,
        customer,
        lines: lines(),
        subtotal: euros(15),
        total: euros(15),
        ..Default::default()
    };
    envelope(&name, &event)
}

fn cancelled(order: &str) -> Envelope {
    let event =
        OrderCancelled { order: order.to_owned(), confirmed: true, total: euros(15), ..Default::default() };
    envelope(order, &event)
}

fn returned(order: &str, number: i64) -> Envelope {
    let event = OrderReturned {
        order: order.to_owned(),
        r#return: format!("{order}/returns/{number}"),
        refund: euros(5),
        lines: lines()[..1].to_vec(),
        ..Default::default()
    };
    envelope(order, &event)
}

#[tokio::test]
async fn sales_told_together_are_facts_once_each() {
    let books = Books::open().await;
    books.receive(&[envelope("users/3", &UserErased { user: "users/3".to_owned() })]).await;
    let known = sold("orders/1", "users/1");
    books.receive(std::slice::from_ref(&known)).await;
    // One is given back before it is told of, one is told of twice, one has no amount, which is nobody's undoing.
    books.receive(&[cancelled("orders/2")]).await;
    let nothing = OrderConfirmed { order: "orders/9".to_owned(), ..Default::default() };
    let all = [
        known,
        sold("orders/2", "users/1"),
        sold("orders/3", "users/3"),
        sold("orders/4", "users/4"),
        sold("orders/4", "users/4"),
    ];
    books.receive(&all).await;
    books
        .receive(&[envelope("orders/9", &nothing), sold("orders/5", "users/5"), sold("orders/6", "users/6")])
        .await;
    assert_eq!(books.number("SELECT COUNT(*) FROM sales").await, 6);
    assert_eq!(books.number("SELECT COUNT(*) FROM sale_lines").await, 12);
    assert_eq!(
        books.number("SELECT COUNT(*) FROM sales WHERE cancelled = 1 AND returned_minor = 1500").await,
        1
    );
    assert_eq!(books.number("SELECT COUNT(*) FROM sales WHERE customer = ''").await, 1);
    assert_eq!(books.number("SELECT COUNT(*) FROM parked").await, 1);
    books.balance().await;
}

#[tokio::test]
async fn what_is_given_back_together_counts_once_each() {
    let books = Books::open().await;
    let orders = ["orders/1", "orders/2", "orders/3"];
    books.receive(&orders.map(|order| sold(order, "users/1"))).await;
    let known = returned("orders/1", 1);
    books.receive(std::slice::from_ref(&known)).await;
    let nothing = OrderReturned { order: "orders/3".to_owned(), ..Default::default() };
    let all = [
        known,
        returned("orders/1", 2),
        returned("orders/2", 1),
        cancelled("orders/2"),
        cancelled("orders/3"),
    ];
    books.receive(&all).await;
    books.receive(&[envelope("orders/3", &nothing), returned("orders/2", 2)]).await;
    assert_eq!(books.number("SELECT COUNT(*) FROM sale_adjustments").await, 6);
    for (order, minor, units) in [(1, 1000, 2), (3, 1500, 0)] {
        let of_order = format!("WHERE order_name = 'orders/{order}'");
        assert_eq!(books.number(&format!("SELECT returned_minor FROM sales {of_order}")).await, minor);
        assert_eq!(books.number(&format!("SELECT returned_units FROM sales {of_order}")).await, units);
    }
    assert_eq!(books.number("SELECT COUNT(*) FROM sales WHERE cancelled = 1").await, 2);
    assert_eq!(books.number("SELECT COUNT(*) FROM parked").await, 1);
}

#[tokio::test]
async fn orders_imported_together_are_sales_once_each() {
    let books = Books::open().await;
    let imported = |order: &str| {
        let event =
            OrderImported { order: order.to_owned(), lines: lines(), total: euros(15), ..Default::default() };
        envelope(order, &event)
    };
    let known = imported("orders/1");
    books.receive(std::slice::from_ref(&known)).await;
    let damaged = OrderImported { order: "orders/9".to_owned(), lines: lines(), ..Default::default() };
    books.receive(&[known, envelope("orders/9", &damaged), imported("orders/2"), imported("orders/3")]).await;
    assert_eq!(books.number("SELECT COUNT(*) FROM sales WHERE imported").await, 3);
    assert_eq!(books.number("SELECT COUNT(*) FROM parked").await, 1);
    books.balance().await;
}
