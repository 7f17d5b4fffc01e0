//! Holding stock for orders, and letting it go.
use chassis::status;
use chassis::testing::eventually;
use contract::inventory::v1 as pb;
use contract::inventory::v1::movement::Kind;
use contract::inventory::v1::reservation::State;
use sea_orm::Statement;
use tonic::Code;

use super::support::{Warehouse, an_order, commit, receive, release, reserve, reserve_briefly};

#[tokio::test]
async fn what_is_reserved_can_no_longer_be_sold_but_still_lies_there() {
    let warehouse = Warehouse::with(&[("HAT", 5)]).await;
    let order = an_order();
    let held = warehouse.order().reserve_stock(reserve(&order, &[("HAT", 3)])).await.unwrap().into_inner();

    assert_eq!(held.state(), State::Held);
    assert_eq!((held.lines[0].quantity, held.lines[0].location.as_str()), (3, "locations/default"));
    assert_eq!(warehouse.levels("HAT").await, (5, 3, 2));
    assert_eq!(warehouse.movements(&order).await, [(Kind::Reserve, 0, 3)]);
    let read = warehouse.order().get_reservation(pb::GetReservationRequest { name: held.name.clone() }).await;
    assert_eq!(read.unwrap().into_inner(), held);
}

#[tokio::test]
async fn all_lines_are_held_or_none() {
    let warehouse = Warehouse::with(&[("HAT", 5), ("BAG", 1)]).await;
    let wanted = reserve(&an_order(), &[("HAT", 2), ("BAG", 2), ("GHOST", 1)]);
    let refusal = warehouse.order().reserve_stock(wanted).await.unwrap_err();

    assert_eq!(refusal.code(), Code::FailedPrecondition);
    let metadata = status::metadata(&refusal);
    assert_eq!((metadata["sku"].as_str(), metadata["available"].as_str()), ("BAG", "1"));
    assert!(metadata["lacking"].contains("GHOST") && !metadata["lacking"].contains("HAT"), "{metadata:?}");
    assert_eq!(warehouse.levels("HAT").await, (5, 0, 5));
    warehouse.balances().await;
}

#[tokio::test]
async fn a_repeated_request_finds_the_stock_held_once() {
    let warehouse = Warehouse::with(&[("HAT", 5)]).await;
    let order = an_order();
    let request = reserve(&order, &[("HAT", 2)]);
    let first = warehouse.order().reserve_stock(request.clone()).await.unwrap().into_inner();
    let again = warehouse.order().reserve_stock(request.clone()).await.unwrap().into_inner();
    let under_another_key = warehouse
        .order()
        .reserve_stock(reserve(&order, &[("HAT", 1), ("HAT", 1)]))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((&first, &first.name), (&again, &under_another_key.name));
    assert_eq!(warehouse.levels("HAT").await, (5, 2, 3));

    let other_order = pb::ReserveStockRequest { order: an_order(), ..request };
    let other_quantity = reserve(&order, &[("HAT", 3)]);
    for (request, reason) in [(other_order, "REQUEST_ID_REUSED"), (other_quantity, "RESERVATION_EXISTS")] {
        let refusal = warehouse.order().reserve_stock(request).await.unwrap_err();
        assert_eq!(
            (refusal.code(), status::reason(&refusal).as_deref()),
            (Code::AlreadyExists, Some(reason))
        );
    }
    warehouse.balances().await;
}

#[tokio::test]
async fn committing_takes_the_goods_out_once() {
    let warehouse = Warehouse::with(&[("HAT", 5)]).await;
    let order = an_order();
    warehouse.order().reserve_stock(reserve(&order, &[("HAT", 3)])).await.unwrap();
    let first = warehouse.order().commit_reservation(commit(&order)).await.unwrap().into_inner();
    let again = warehouse.order().commit_reservation(commit(&order)).await.unwrap().into_inner();

    assert_eq!(first, again);
    assert_eq!(first.state(), State::Committed);
    assert_eq!(warehouse.levels("HAT").await, (2, 0, 2));
    assert_eq!(warehouse.movements(&order).await[0], (Kind::Sale, -3, -3));
    let refusal = warehouse.order().release_reservation(release(&order)).await.unwrap_err();
    assert_eq!(status::reason(&refusal).as_deref(), Some("RESERVATION_COMMITTED"));
    warehouse.balances().await;
}

#[tokio::test]
async fn releasing_gives_the_goods_back_once() {
    let warehouse = Warehouse::with(&[("HAT", 5)]).await;
    let order = an_order();
    warehouse.order().reserve_stock(reserve(&order, &[("HAT", 3)])).await.unwrap();
    let first = warehouse.order().release_reservation(release(&order)).await.unwrap().into_inner();
    let again = warehouse.order().release_reservation(release(&order)).await.unwrap().into_inner();

    assert_eq!(first, again);
    assert_eq!(first.state(), State::Released);
    assert_eq!(warehouse.levels("HAT").await, (5, 0, 5));
    for refusal in [
        warehouse.order().commit_reservation(commit(&order)).await.unwrap_err(),
        warehouse.order().reserve_stock(reserve(&order, &[("HAT", 3)])).await.unwrap_err(),
    ] {
        let reason = status::reason(&refusal);
        assert_eq!(
            (refusal.code(), reason.as_deref()),
            (Code::FailedPrecondition, Some("RESERVATION_RELEASED"))
        );
    }
    warehouse.balances().await;
}

#[tokio::test]
async fn a_release_that_overtakes_its_reservation_wins() {
    let warehouse = Warehouse::with(&[("HAT", 5)]).await;
    let order = an_order();
    for _ in 0..2 {
        let refusal = warehouse.order().release_reservation(release(&order)).await.unwrap_err();
        assert_eq!(refusal.code(), Code::NotFound);
    }
    let refusal = warehouse.order().reserve_stock(reserve(&order, &[("HAT", 1)])).await.unwrap_err();
    assert_eq!(refusal.code(), Code::FailedPrecondition);
    assert_eq!(status::reason(&refusal).as_deref(), Some("RESERVATION_RELEASED"));
    assert_eq!(warehouse.levels("HAT").await, (5, 0, 5));
}

#[tokio::test]
async fn a_reservation_nobody_ends_gives_its_stock_back_by_itself() {
    let warehouse = Warehouse::with(&[("HAT", 5)]).await;
    let order = an_order();
    let held =
        warehouse.order().reserve_stock(reserve_briefly(&order, &[("HAT", 3)])).await.unwrap().into_inner();
    let expired = eventually(async || {
        let read =
            warehouse.order().get_reservation(pb::GetReservationRequest { name: held.name.clone() }).await;
        Some(read.unwrap().into_inner()).filter(|read| read.state() == State::Expired)
    })
    .await;

    assert_eq!(expired.lines, held.lines);
    assert_eq!(warehouse.levels("HAT").await, (5, 0, 5));
    let refusal = warehouse.order().commit_reservation(commit(&order)).await.unwrap_err();
    assert_eq!(status::reason(&refusal).as_deref(), Some("RESERVATION_EXPIRED"));
    warehouse.balances().await;
}

#[tokio::test]
async fn a_reservation_that_cannot_be_ended_keeps_no_other_from_running_out() {
    let warehouse = Warehouse::with(&[("HAT", 5), ("BAG", 5)]).await;
    let (damaged, sound) = (an_order(), an_order());
    warehouse.order().reserve_stock(reserve(&damaged, &[("HAT", 1)])).await.unwrap();
    warehouse.order().reserve_stock(reserve(&sound, &[("BAG", 2)])).await.unwrap();
    // It says that more is held for it than is held at all, and ran out before the other.
    for sql in [
        "UPDATE reservation_lines SET quantity = 9
         WHERE reservation = (SELECT id FROM reservations WHERE order_name = $1)",
        "UPDATE reservations SET expire_time = CASE WHEN order_name = $1 THEN 1 ELSE 2 END",
    ] {
        let statement =
            Statement::from_sql_and_values(warehouse.db.backend(), sql, [damaged.as_str().into()]);
        warehouse.db.execute(statement).await.unwrap();
    }
    warehouse.until("BAG", (5, 0, 5)).await;
    assert_eq!(warehouse.levels("HAT").await, (5, 1, 4));
}

#[tokio::test]
async fn stock_is_taken_from_the_first_location_first() {
    let warehouse = Warehouse::open().await;
    let location = |id: &str, priority| pb::CreateLocationRequest {
        location_id: id.to_owned(),
        location: Some(pb::Location { title: id.to_owned(), priority, ..Default::default() }),
        ..Default::default()
    };
    warehouse.staff().create_location(location("far", 9)).await.unwrap();
    warehouse.staff().create_location(location("near", 1)).await.unwrap();
    for (place, quantity) in [("far", 5), ("near", 2)] {
        let request =
            pb::ReceiveStockRequest { location: format!("locations/{place}"), ..receive("HAT", quantity) };
        warehouse.staff().receive_stock(request).await.unwrap();
    }
    let order = an_order();
    let held = warehouse.order().reserve_stock(reserve(&order, &[("HAT", 4)])).await.unwrap().into_inner();
    let mut lines: Vec<_> = held.lines.iter().map(|line| (line.location.as_str(), line.quantity)).collect();
    lines.sort_unstable();
    assert_eq!(lines, [("locations/far", 2), ("locations/near", 2)]);
    warehouse.order().commit_reservation(commit(&order)).await.unwrap();
    warehouse.balances().await;
}

#[tokio::test]
async fn an_unknown_reservation_is_not_found() {
    let warehouse = Warehouse::open().await;
    let refusal = warehouse.order().commit_reservation(commit(&an_order())).await.unwrap_err();
    assert_eq!(refusal.code(), Code::NotFound);
    let name = format!("reservations/{}", uuid::Uuid::now_v7());
    let refusal = warehouse.order().get_reservation(pb::GetReservationRequest { name }).await.unwrap_err();
    assert_eq!(refusal.code(), Code::NotFound);
}

#[tokio::test]
async fn only_order_reserves() {
    let warehouse = Warehouse::with(&[("HAT", 5)]).await;
    for mut caller in [warehouse.anyone(), warehouse.staff()] {
        let refusal = caller.reserve_stock(reserve(&an_order(), &[("HAT", 1)])).await.unwrap_err();
        assert!([Code::Unauthenticated, Code::PermissionDenied].contains(&refusal.code()), "{refusal:?}");
    }
}
