//! Money that is held or kept for nobody.
use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use chassis::status;
use chassis::testing::eventually;
use contract::codec::Codec;
use contract::order::v1 as order;
use contract::order::v1::order::State as OrderState;
use contract::payment::v1::payment::State;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Code, Request, Response, Status};

use super::support::{Shop, an_order, pay};

/// An order service that knows only in which state orders are.
#[derive(Clone, Default)]
pub(crate) struct Orders(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    states: HashMap<String, OrderState>,
    /// Those in a form that only a newer release knows.
    unreadable: HashSet<String>,
    is_closed: bool,
    asked: usize,
}

impl Orders {
    fn set(&self, order: &str, state: OrderState) {
        let mut known = self.0.lock().expect("the orders");
        known.unreadable.remove(order);
        known.states.insert(order.to_owned(), state);
    }

    fn make_unreadable(&self, order: &str) {
        self.0.lock().expect("the orders").unreadable.insert(order.to_owned());
    }

    fn close(&self, is_closed: bool) {
        self.0.lock().expect("the orders").is_closed = is_closed;
    }

    /// Waits until it was asked so often.
    async fn asked(&self, times: usize) {
        eventually(async || (self.0.lock().expect("the orders").asked >= times).then_some(())).await;
    }
}

impl NamedService for Orders {
    const NAME: &'static str = "cartwright.order.v1.OrderService";
}

impl UnaryService<order::GetOrderRequest> for Orders {
    type Response = order::Order;
    type Future = std::future::Ready<Result<Response<order::Order>, Status>>;

    fn call(&mut self, request: Request<order::GetOrderRequest>) -> Self::Future {
        let name = request.into_inner().name;
        let mut known = self.0.lock().expect("the orders");
        known.asked += 1;
        if known.is_closed {
            return std::future::ready(Err(Status::unavailable("closed")));
        }
        if known.unreadable.contains(&name) {
            let newer = Status::unavailable("the order is in a form that is not known here");
            let refusal =
                status::refusal(Code::Unavailable, "ORDER_FORM_UNKNOWN", "order.cartwright", &newer);
            return std::future::ready(Err(refusal));
        }
        let state = known.states.get(&name).copied();
        let order = state.map(|state| order::Order { name, state: state.into(), ..Default::default() });
        std::future::ready(
            order.map(Response::new).ok_or_else(|| Status::not_found("there is no such order")),
        )
    }
}

impl Service<http::Request<Body>> for Orders {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let orders = self.clone();
        Box::pin(async move { Ok(Grpc::new(Codec::default()).unary(orders, request).await) })
    }
}

#[tokio::test]
async fn what_is_held_for_no_order_or_a_cancelled_one_is_given_back() {
    let (orders, config) =
        (Orders::default(), payment::Config { payment_orphan_seconds: 1, ..Default::default() });
    let shop = Shop::beside(config, orders.clone()).await;
    let (nobodys, cancelled) = (shop.authorized("tok_visa").await, shop.authorized("tok_visa").await);
    let (placed, confirmed) = (shop.authorized("tok_visa").await, shop.authorized("tok_visa").await);
    orders.set(&cancelled.order, OrderState::Cancelled);
    orders.set(&placed.order, OrderState::Placed);
    orders.set(&confirmed.order, OrderState::Confirmed);
    shop.until(&nobodys, State::Voided).await;
    shop.until(&cancelled, State::Voided).await;
    assert_eq!(shop.get(&placed).await.state(), State::Authorized);
    // It is asked again as long as the order is not decided.
    orders.set(&placed.order, OrderState::Cancelled);
    shop.until(&placed, State::Voided).await;
    assert_eq!(shop.get(&confirmed).await.state(), State::Authorized);
    shop.balances().await;
}

#[tokio::test]
async fn what_was_taken_for_a_cancelled_order_is_refunded() {
    let (orders, config) =
        (Orders::default(), payment::Config { payment_orphan_seconds: 3, ..Default::default() });
    let shop = Shop::beside(config, orders.clone()).await;
    let (cancelled, delivered) = (shop.captured("tok_visa").await, shop.captured("tok_visa").await);
    orders.set(&cancelled.order, OrderState::Cancelled);
    orders.set(&delivered.order, OrderState::Delivered);
    shop.until(&cancelled, State::Refunded).await;
    assert_eq!(shop.refunds(&cancelled).await[0].reason, "the order was cancelled");
    eventually(async || {
        shop.row("SELECT 1 FROM payments WHERE order_check_at IS NOT NULL").await.is_none().then_some(())
    })
    .await;
    assert_eq!(shop.get(&delivered).await.state(), State::Captured);
    shop.balances().await;
}

#[tokio::test]
async fn nothing_is_given_back_while_order_does_not_answer() {
    let (orders, config) =
        (Orders::default(), payment::Config { payment_orphan_seconds: 1, ..Default::default() });
    orders.close(true);
    let shop = Shop::beside(config, orders.clone()).await;
    let payment = shop.authorized("tok_visa").await;
    orders.asked(3).await;
    assert_eq!(shop.get(&payment).await.state(), State::Authorized);
    orders.close(false);
    shop.until(&payment, State::Voided).await;
}

#[tokio::test]
async fn an_order_that_cannot_be_read_does_not_keep_others_from_their_money() {
    let (orders, config) =
        (Orders::default(), payment::Config { payment_orphan_seconds: 1, ..Default::default() });
    let shop = Shop::beside(config, orders.clone()).await;
    let order = an_order();
    orders.make_unreadable(&order);
    let unreadable = shop.order().authorize_payment(pay(&order, "tok_visa")).await.unwrap().into_inner();
    let nobodys = shop.authorized("tok_visa").await;
    shop.until(&nobodys, State::Voided).await;
    assert_eq!(shop.get(&unreadable).await.state(), State::Authorized);
    // It is asked again until somebody can tell.
    orders.set(&order, OrderState::Cancelled);
    shop.until(&unreadable, State::Voided).await;
    shop.balances().await;
}
