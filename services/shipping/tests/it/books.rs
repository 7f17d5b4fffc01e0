//! The books: what shipping states, and that it notices when they do not balance.
use contract::shipping::v1::shipment::State;

use super::support::{Depot, an_order};

#[tokio::test]
async fn the_books_tell_what_was_sent() {
    let depot = Depot::open().await;
    let (sent, packed) = (an_order(), an_order());
    let shipment = depot.shipment_of(&sent).await;
    depot.shipment_of(&packed).await;
    depot.record(&shipment.name, State::InTransit).await.unwrap();
    let facts = depot.facts("shipping.sent").await;
    assert_eq!(
        facts.iter().map(|fact| (&fact.subject, fact.quantity)).collect::<Vec<_>>(),
        [(&sent.name, 3)]
    );
    depot.balances().await;
}

#[tokio::test]
async fn what_cannot_be_is_found() {
    let depot = Depot::open().await;
    let shipment = depot.shipment_of(&an_order()).await;
    let order = shipment.order.as_str();
    let table = [
        (
            "no more of a SKU is sent for an order than it bought",
            order,
            "UPDATE shipment_lines SET quantity = 3 WHERE sku = 'HAT'",
        ),
        (
            "a shipment is as far as the furthest it was seen",
            shipment.tracking_number.as_str(),
            "UPDATE shipments SET state = 'DELIVERED'",
        ),
        (
            "nothing of a cancelled order is to be packed",
            order,
            "UPDATE fulfillments SET progress = 'CANCELLED'",
        ),
        (
            "a paid order has its shipment within fifteen minutes",
            order,
            "UPDATE fulfillments SET progress = 'WAITING', next_check_at = 9000000000000000, create_time = 0 WHERE progress = 'CANCELLED'",
        ),
        ("a shipment has something in it", shipment.tracking_number.as_str(), "DELETE FROM shipment_lines"),
    ];
    for (invariant, offender, damage) in table {
        if damage.contains("fulfillments SET progress = 'CANCELLED'") {
            depot.damage("UPDATE shipments SET state = 'PENDING'").await;
        }
        depot.damage(damage).await;
        let findings = depot.findings().await;
        let finding = findings.iter().find(|finding| finding.invariant == invariant).unwrap();
        assert_eq!(finding.offenders, [offender], "{invariant}");
    }
}
