//! Orders, as the order service tells them: in shipping's own words.

use chassis::client::Channel;
use chassis::host::Host;
use contract::order::v1 as pb;
use contract::order::v1::order::{PaymentState, State};
use contract::order::v1::order_service_client::OrderServiceClient;
use tonic::{Code, Status};

use crate::domain::fulfillment::Stage;
use crate::domain::{Address, Order, Payment, sum};
use crate::error::Error;

/// Asks about orders, as shipping itself.
#[derive(Clone, Debug)]
pub(crate) struct Orders(OrderServiceClient<Channel>);

/// Why an order could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unread {
    #[error("there is no such order")]
    NotFound,
    #[error("order does not answer")]
    Away(#[source] Box<Status>),
    #[error("order's answer has no sound {0}")]
    Damaged(&'static str),
}

impl From<Unread> for Error {
    fn from(unread: Unread) -> Error {
        match unread {
            Unread::NotFound => Error::OrderNotFound,
            Unread::Away(_) | Unread::Damaged(_) => {
                tracing::warn!(error = chassis::status::chain(&unread), "an order could not be read");
                Error::OrderUnread
            }
        }
    }
}

impl Orders {
    pub(crate) fn of(host: &Host) -> Result<Self, chassis::Error> {
        Ok(Self(OrderServiceClient::new(host.client("order")?)))
    }

    /// Reads an order.
    pub(crate) async fn get(&self, name: &str) -> Result<Order, Unread> {
        let request = pb::GetOrderRequest { name: name.to_owned(), ..Default::default() };
        match self.0.clone().get_order(request).await {
            Ok(order) if order.get_ref().name != name => Err(Unread::Damaged("name")),
            Ok(order) => Order::try_from(order.into_inner()),
            Err(status) if status.code() == Code::NotFound => Err(Unread::NotFound),
            Err(status) => Err(Unread::Away(Box::new(status))),
        }
    }
}

impl TryFrom<pb::Order> for Order {
    type Error = Unread;

    fn try_from(order: pb::Order) -> Result<Self, Unread> {
        let (stage, payment) = (stage(&order)?, payment(&order));
        let stocked = order.lines.into_iter().filter(|line| line.stocked);
        let lines = sum(stocked.map(|line| (line.sku, line.quantity)));
        if lines.iter().any(|(sku, quantity)| sku.is_empty() || *quantity < 1) {
            return Err(Unread::Damaged("lines"));
        }
        Ok(Order {
            name: order.name,
            customer: order.customer,
            stage,
            payment,
            lines,
            address: order.shipping_address.map(Address::from),
            rate: order.shipping_rate,
        })
    }
}

fn stage(order: &pb::Order) -> Result<Stage, Unread> {
    match order.state() {
        State::Unspecified => Err(Unread::Damaged("state")),
        State::Placed => Ok(Stage::Placed),
        State::Cancelled => Ok(Stage::Cancelled),
        State::Returned => Ok(Stage::Settled),
        // What was imported was sent where it comes from.
        State::Confirmed | State::Shipped | State::Delivered if !order.external_id.is_empty() => {
            Ok(Stage::Settled)
        }
        // An order may be sent in parts: it is shipped once the first has left.
        State::Confirmed | State::Shipped | State::Delivered => Ok(Stage::Confirmed),
    }
}

fn payment(order: &pb::Order) -> Payment {
    let free = order.total.as_ref().is_some_and(|total| total.units == 0 && total.nanos == 0);
    match order.payment_state() {
        PaymentState::Captured | PaymentState::PartiallyRefunded => Payment::Taken,
        PaymentState::Refunded => Payment::Returned,
        PaymentState::Unspecified
        | PaymentState::Pending
        | PaymentState::Authorized
        | PaymentState::Voided
            if free =>
        {
            Payment::Taken
        }
        PaymentState::Unspecified | PaymentState::Pending | PaymentState::Authorized => Payment::Open,
        PaymentState::Voided => Payment::Returned,
    }
}
