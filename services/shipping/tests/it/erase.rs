//! Forgetting people.
use chassis::testing::eventually;
use contract::identity::v1::UserErased;
use contract::order::v1::Order;
use contract::shipping::v1 as pb;
use contract::shipping::v1::shipment::State;
use sea_orm::{ConnectionTrait, Statement};

use super::support::{Depot, STREET, a_paid_order, a_request, by_hand, record};

impl Depot {
    /// How often somebody's street is found in the replies that are kept for repeated requests.
    async fn streets_in_replies(&self) -> usize {
        let statement =
            Statement::from_string(self.db.backend(), "SELECT reply FROM requests WHERE reply IS NOT NULL");
        let rows = self.db.writer().query_all_raw(statement).await.expect("replies");
        let replies = rows.iter().map(|row| row.try_get_by_index::<Vec<u8>>(0).expect("a reply"));
        replies.filter(|reply| reply.windows(STREET.len()).any(|window| window == STREET.as_bytes())).count()
    }
}

#[tokio::test]
async fn an_erased_customer_leaves_no_address_behind() {
    let depot = Depot::open().await;
    let order = a_paid_order();
    depot.book.enter(order.clone());
    let request = pb::CreateShipmentRequest { request_id: a_request(), ..by_hand(&order.name, &[]) };
    let shipment = depot.clerk().create_shipment(request.clone()).await.unwrap().into_inner();
    let news =
        pb::RecordTrackingRequest { request_id: a_request(), ..record(&shipment.name, State::Dispatched) };
    assert!(depot.clerk().record_tracking(news).await.unwrap().into_inner().address.is_some());
    let bystander = depot.shipment_of(&a_paid_order()).await;

    let event = UserErased { user: order.customer.clone() };
    let event = depot.announce(&order.customer, &event).await;
    depot.announce_again(event).await;
    eventually(async || depot.shipment(&shipment.name).await.address.is_none().then_some(())).await;
    assert!(depot.shipment(&bystander.name).await.address.is_some());
    assert_eq!(depot.streets_in_replies().await, 0);
    // A repeated request gets its answer, without the address.
    let repeated = depot.clerk().create_shipment(request).await.unwrap().into_inner();
    assert_eq!(repeated, pb::Shipment { address: None, ..shipment });

    // News of an order of theirs may come late.
    let late = depot.shipment_of(&Order { customer: order.customer, ..a_paid_order() }).await;
    assert_eq!(late.address, None);
    depot.balances().await;
}
