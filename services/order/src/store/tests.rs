//! Histories in the database: who is faster, how they are read back, and how their rows are mended.

use chassis::db::Db;
use chassis::money::Money;
use chassis::testing::TestDb;
use sea_orm::Statement;

use super::*;
use crate::Migrator;
use crate::domain::{Goods, Item, Return};

async fn placed(db: &Db) -> Order {
    let item = Item {
        variant: "products/p1/variants/cup".into(),
        sku: "CUP".into(),
        title: "Cup".into(),
        quantity: 2,
        unit_price: Money::new(1250, "GBP".parse().expect("a currency")),
        price_version: 1,
        stocked: true,
        weight_grams: 300,
    };
    let goods = Goods::of(vec![item]).expect("goods");
    let amounts = goods.amounts(Money::zero(goods.subtotal.currency), 2000).expect("amounts");
    let placed = Placed {
        customer: "users/ada".into(),
        cart: String::new(),
        lines: goods.lines,
        amounts,
        coupon_code: String::new(),
        shipping_rate: String::new(),
        country: "GB".into(),
        expire_time: Timestamp::now(),
    };
    let create = async |tx: &DatabaseTransaction| {
        let accepted = Accepted { id: Id::new(), placed, address: Address::default() };
        create(tx, vec![accepted], "customers").await
    };
    db.write(create).await.expect("an order").remove(0)
}

async fn happen(db: &Db, order: &Order, event: Event) -> Result<Order, Error> {
    db.write(async |tx| append(tx, order, event, "order").await).await
}

/// An order that arrived, and so many returns that were asked for and refused.
async fn long(db: &Db, returns: usize) -> Order {
    let mut order = placed(db).await;
    let events = [
        Event::Confirmed { payment: None },
        Event::Shipped { shipment: "shipments/1".into() },
        Event::Delivered,
    ];
    for event in events {
        order = happen(db, &order, event).await.expect("news");
    }
    for _ in 0..returns {
        let id = Id::<Return>::new();
        let asked = order.request_return(id, &[("1".into(), 1)]).expect("a return");
        order = happen(db, &order, asked).await.expect("asked for");
        let refused = order.refuse_return(id).expect("a return").expect("news");
        order = happen(db, &order, refused).await.expect("refused");
    }
    order
}

async fn execute(db: &Db, sql: &str) {
    db.execute(Statement::from_string(db.backend(), sql)).await.expect("a statement");
}

async fn offenders(db: &Db) -> [Vec<String>; 4] {
    let page = check_after(db.writer(), None, 100).await.expect("checked");
    [page.differ, page.missteps, page.snapshots, page.do_not_add_up]
}

#[tokio::test]
async fn of_two_who_change_an_order_at_once_one_is_told_to_read_it_again() {
    let db = TestDb::new::<Migrator>().await;
    let order = placed(&db).await;
    let confirmed = happen(&db, &order, Event::Confirmed { payment: None }).await.expect("the faster one");
    let slower = happen(&db, &order, Event::Cancelled { reason: "LATE".into() }).await;
    assert!(matches!(&slower, Err(Error::Conflict)), "{slower:?}");
    assert_eq!(tonic::Status::from(slower.unwrap_err()).code(), tonic::Code::Aborted);
    let left = load(db.writer(), Owner::Anyone, order.id).await.expect("a database");
    assert_eq!(left, Some(confirmed));
}

#[tokio::test]
async fn a_long_history_is_read_from_its_last_snapshot() {
    let db = TestDb::new::<Migrator>().await;
    let order = long(&db, 70).await;
    assert_eq!(order.version, 144);
    let mut whole =
        Order::replay(order.id, events::between(db.writer(), order.id.uuid(), 0, 1).await.expect("one"))
            .expect("a beginning");
    for version in 1..=144 {
        if version > 1 {
            for event in
                events::between(db.writer(), order.id.uuid(), version - 1, version).await.expect("one")
            {
                whole.apply(&event).expect("the next");
            }
        }
        let replayed = snapshots::replay(db.writer(), order.id.uuid(), version).await.expect("an order");
        assert_eq!(replayed, whole, "at {version}");
    }
    // What came before a snapshot is not read any more: nobody notices that it is gone.
    execute(&db, "DELETE FROM order_events WHERE version < 120").await;
    assert_eq!(snapshots::replay(db.writer(), order.id.uuid(), 144).await.expect("an order"), order);
}

#[tokio::test]
async fn the_audit_finds_a_row_and_a_snapshot_that_the_events_do_not_give() {
    let db = TestDb::new::<Migrator>().await;
    let order = long(&db, 40).await;
    assert_eq!(offenders(&db).await, [const { Vec::<String>::new() }; 4]);
    execute(&db, "UPDATE orders SET units = 1").await;
    execute(&db, "UPDATE order_snapshots SET state = replace(state, '\"CUP\"', '\"CAP\"')").await;
    let [differ, missteps, snapshots, _] = offenders(&db).await;
    assert_eq!((differ, missteps), (vec![order.id.name()], vec![]));
    assert_eq!(snapshots, [format!("{} at 64", order.id.name())]);
}

#[tokio::test]
async fn the_audit_finds_a_step_that_may_not_be_taken() {
    let db = TestDb::new::<Migrator>().await;
    let order = placed(&db).await;
    happen(&db, &order, Event::Delivered).await.expect("nobody looks");
    let [_, missteps, ..] = offenders(&db).await;
    assert_eq!(missteps, [order.id.name()]);
}

#[tokio::test]
async fn rows_are_mended_from_events_while_orders_change() {
    let db = TestDb::new::<Migrator>().await;
    let (wrong, lost, sound) = (long(&db, 1).await, long(&db, 40).await, placed(&db).await);
    execute(
        &db,
        &format!("UPDATE orders SET state = 'PLACED', snapshot = '{{}}' WHERE version = {}", wrong.version),
    )
    .await;
    execute(&db, &format!("DELETE FROM orders WHERE version = {}", lost.version)).await;
    let busy = async {
        let mut order = sound.clone();
        for _ in 0..30 {
            let noted = Event::PaymentCaptured { payment: "payments/1".into() };
            order = happen(&db, &order, noted).await.expect("it goes on meanwhile");
        }
        order
    };
    let (rebuilt, busy) = tokio::join!(rebuild(&db, None, 100), busy);
    let rebuilt = rebuilt.expect("rebuilt");
    assert_eq!(rebuilt.checked.len(), 3);
    for order in [&wrong, &lost] {
        assert!(rebuilt.repaired.contains(&order.id.uuid()));
    }
    for order in [wrong, lost, busy] {
        assert_eq!(load(db.writer(), Owner::Anyone, order.id).await.expect("a database"), Some(order));
    }
    assert_eq!(offenders(&db).await, [const { Vec::<String>::new() }; 4]);
    assert_eq!(rebuild(&db, None, 100).await.expect("again").repaired, Vec::<Uuid>::new());
}

#[tokio::test]
async fn what_another_release_wrote_is_replayed_and_mended() {
    let db = TestDb::new::<Migrator>().await;
    let order = long(&db, 40).await;
    execute(&db, "UPDATE orders SET snapshot_schema = 1, snapshot = '{}'").await;
    execute(&db, "UPDATE order_snapshots SET schema = 1, state = '{}'").await;
    assert_eq!(load(db.writer(), Owner::Anyone, order.id).await.expect("a database"), Some(order.clone()));
    assert_eq!(offenders(&db).await, [const { Vec::<String>::new() }; 4], "it is not wrong, only older");
    assert_eq!(rebuild(&db, None, 100).await.expect("rebuilt").repaired, [order.id.uuid()]);
    // A newer one may have written what this one cannot read: it says so, and guesses nothing.
    execute(&db, "UPDATE order_events SET schema = 9 WHERE type = 'Delivered'").await;
    execute(&db, "UPDATE orders SET snapshot_schema = 9").await;
    let refused = load(db.writer(), Owner::Anyone, order.id).await.expect_err("unreadable");
    assert_eq!(tonic::Status::from(refused).code(), tonic::Code::Unavailable);
}
