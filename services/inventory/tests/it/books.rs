//! The books: what inventory states, and that it notices when they do not balance.
use chassis::testing::eventually;
use contract::operations::v1::CheckInvariantsRequest;
use contract::operations::v1::operations_service_client::OperationsServiceClient;
use sea_orm::Statement;

use super::support::{Warehouse, an_order, commit, reserve};

#[tokio::test]
async fn the_books_tell_what_is_held_and_what_is_sold() {
    let warehouse = Warehouse::with(&[("HAT", 5), ("BAG", 5)]).await;
    let (held, sold) = (an_order(), an_order());
    warehouse.order().reserve_stock(reserve(&held, &[("HAT", 2), ("BAG", 1)])).await.unwrap();
    warehouse.order().reserve_stock(reserve(&sold, &[("BAG", 2)])).await.unwrap();
    warehouse.order().commit_reservation(commit(&sold)).await.unwrap();
    let told = async |kind| {
        let facts = warehouse.facts(kind).await;
        facts.into_iter().map(|fact| (fact.subject, fact.quantity)).collect::<Vec<_>>()
    };
    assert_eq!(told("inventory.held").await, [(held, 3)]);
    assert_eq!(told("inventory.sold").await, [(sold, 2)]);
}

#[tokio::test]
async fn stock_changed_behind_the_journal_is_found() {
    let warehouse = Warehouse::with(&[("HAT", 5), ("BAG", 5)]).await;
    let db = &warehouse.db;
    for table in ["stock", "location_stock"] {
        let sql = format!("UPDATE {table} SET on_hand = on_hand + 1 WHERE sku = 'HAT'");
        db.execute(Statement::from_string(db.backend(), sql)).await.unwrap();
    }
    let offenders = eventually(async || {
        let mut books = OperationsServiceClient::new(warehouse.host.as_staff(&["audit.read"]));
        let findings = books.check_invariants(CheckInvariantsRequest {}).await.unwrap().into_inner().findings;
        findings.into_iter().find(|finding| !finding.offenders.is_empty())
    })
    .await;
    assert_eq!(offenders.invariant, "on hand and reserved are the sums of movements");
    assert_eq!(offenders.offenders, ["HAT"]);
}

#[tokio::test]
async fn a_reservation_resolved_behind_the_journal_is_found() {
    let warehouse = Warehouse::with(&[("HAT", 5)]).await;
    let (taken, kept) = (an_order(), an_order());
    for order in [&taken, &kept] {
        warehouse.order().reserve_stock(reserve(order, &[("HAT", 1)])).await.unwrap();
    }
    warehouse.balances().await;
    let db = &warehouse.db;
    let sql = "UPDATE reservations SET state = 'COMMITTED' WHERE order_name = $1";
    db.execute(Statement::from_sql_and_values(db.backend(), sql, [taken.as_str().into()])).await.unwrap();
    let late = "UPDATE reservations SET expire_time = 1 WHERE state = 'HELD'";
    db.execute(Statement::from_string(db.backend(), late)).await.unwrap();
    let mut books = OperationsServiceClient::new(warehouse.host.as_staff(&["audit.read"]));
    let findings = books.check_invariants(CheckInvariantsRequest {}).await.unwrap().into_inner().findings;
    let of = |invariant: &str| {
        findings.iter().find(|finding| finding.invariant == invariant).unwrap().offenders.clone()
    };
    assert_eq!(of("a reservation is taken out or given back, once"), [taken]);
    let held = of("nothing is held longer than it may be");
    assert!(held.is_empty() || held == [kept], "{held:?}");
}
