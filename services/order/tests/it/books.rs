//! The books: what orders state for comparison, and what is noticed when they are wrong.

use contract::operations::v1::{
    CheckInvariantsRequest, Fact, operations_service_client::OperationsServiceClient,
};
use contract::order::v1 as pb;
use sea_orm::Statement;

use crate::support::*;

fn of<'a>(facts: &'a [Fact], order: &pb::Order) -> Option<&'a Fact> {
    facts.iter().find(|fact| fact.subject == order.name)
}

#[tokio::test]
async fn orders_state_what_was_sold_and_what_is_owed() {
    let shop = Shop::start().await;
    let kept = shop.delivered().await;
    let coupon =
        pb::PlaceOrderRequest { coupon_code: "tenth".into(), ..buy(&[(CUP, 2), (GIFT_CARD, 1)], gbp(4400)) };
    let coupon = shop.place(coupon).await.unwrap();
    let cancelled = shop.confirmed().await;
    shop.customer("users/ada").cancel_order(cancel(&cancelled)).await.unwrap();
    shop.world.fault("AuthorizePayment", Fault::Refuse(tonic::Code::FailedPrecondition, "PAYMENT_DECLINED"));
    let declined = shop.place(two_cups()).await.unwrap();

    let orders = shop.facts("order").await;
    assert!(orders.is_sorted_by_key(|fact| fact.subject.clone()));
    for (order, state, quantity) in [
        (&kept, "DELIVERED", 2),
        (&coupon, "CONFIRMED", 2),
        (&cancelled, "CANCELLED", 0),
        (&declined, "CANCELLED", 0),
    ] {
        let fact = of(&orders, order).unwrap();
        assert_eq!((fact.state.as_str(), fact.quantity, &fact.amount), (state, quantity, &order.total));
        assert_eq!(fact.reference, order.payment);
    }
    let sales = shop.facts("order.sale").await;
    assert_eq!(sales.len(), 3, "the declined order was never a sale");
    assert!(of(&sales, &cancelled).is_some());
    let coupons = shop.facts("order.coupon").await;
    assert_eq!((coupons.len(), of(&coupons, &coupon).unwrap().reference.as_str()), (1, "TENTH"));
    let due = shop.facts("order.refund_due").await;
    assert_eq!((due.len(), &of(&due, &cancelled).unwrap().amount), (1, &cancelled.total));
    shop.audit().await;
}

#[tokio::test]
async fn a_row_that_its_events_do_not_give_is_found() {
    let shop = Shop::start().await;
    let (altered, gap, sound) = (shop.confirmed().await, shop.shipped().await, shop.confirmed().await);
    shop.audit().await;
    let id = |order: &pb::Order| uuid::Uuid::parse_str(order.name.trim_start_matches("orders/")).unwrap();
    for (sql, order) in [
        ("UPDATE orders SET units = units + 1 WHERE id = $1", &altered),
        ("DELETE FROM order_events WHERE version = 2 AND order_id = $1", &gap),
    ] {
        let sql = Statement::from_sql_and_values(shop.db.backend(), sql, [id(order).into()]);
        shop.db.execute(sql).await.unwrap();
    }
    let mut books = OperationsServiceClient::new(shop.host.as_staff(&["audit.read"]));
    let findings = books.check_invariants(CheckInvariantsRequest {}).await.unwrap().into_inner().findings;
    let found = findings.iter().find(|finding| finding.invariant.contains("replaying")).unwrap();
    assert_eq!(found.checked, 3);
    let mut offenders = found.offenders.clone();
    offenders.sort();
    assert_eq!(offenders, [altered.name, gap.name]);
    assert!(!found.offenders.contains(&sound.name));
}
