//! Whether customers were told the truth, and whether the provider's book says the same about money.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use chassis::client::as_subject;
use chassis::host::OPERATOR;
use contract::order::v1::order::State;
use contract::order::v1::order_service_client::OrderServiceClient;
use contract::order::v1::{GetOrderRequest, ListOrdersRequest, Order};
use futures::future::BoxFuture;
use provider_simulator::{Kind, Status};

use crate::carts;
use crate::customers::Told;
use crate::provider;
use crate::shop::Shop;

/// What is not so, and how many orders were confirmed, cancelled and refused.
pub(crate) type Lies = (Vec<String>, [u64; 3]);

/// Compares what customers were told with what the shop and the provider say in the end.
pub(crate) fn look(shop: &Shop, told: Vec<Told>) -> BoxFuture<'static, anyhow::Result<Lies>> {
    let mut orders = OrderServiceClient::new(shop.channel(OPERATOR, "order"));
    let carts = carts::of(shop);
    let operator = cartwright::simulated::operator();
    let money = taken(shop);
    Box::pin(async move {
        let (mut lies, mut counts, mut known) = (Vec::new(), [0; 3], BTreeSet::new());
        for told in &told {
            let order = match &told.answer {
                Ok(order) => order,
                Err(_) => {
                    counts[2] += 1;
                    continue;
                }
            };
            if !known.insert(order.name.clone()) {
                lies.push(format!("{} is the answer to two requests", order.name));
            }
            let request = GetOrderRequest { name: order.name.clone(), ..GetOrderRequest::default() };
            let now = orders.get_order(as_subject(&operator, request)).await;
            let now = now.with_context(|| order.name.clone())?.into_inner();
            counts[usize::from(now.state() == State::Cancelled)] += 1;
            lies.extend(lie(told, order, &now));
            let held = money.get(&now.name).copied().unwrap_or_default();
            if held != due(&now) {
                lies.push(format!("{} is {:?}, and the provider has {held} of it", now.name, now.state()));
            }
        }
        let request = ListOrdersRequest {
            page_size: 1000,
            customer: "customers/-".into(),
            ..ListOrdersRequest::default()
        };
        let all =
            orders.list_orders(as_subject(&operator, request)).await.context("all orders")?.into_inner();
        let listed: BTreeSet<&str> = all.orders.iter().map(|order| order.name.as_str()).collect();
        let unlisted = known.iter().filter(|order| !listed.contains(order.as_str()));
        lies.extend(unlisted.map(|order| format!("{order} is on no list")));
        let untold = all.orders.iter().filter(|order| !known.contains(&order.name));
        // A refusal may come after an order was made and turned back; nobody pays for that.
        let untold = untold.filter(|order| order.state() != State::Cancelled);
        lies.extend(untold.map(|order| format!("nobody was told of {} ({:?})", order.name, order.state())));
        for (order, held) in &money {
            if *held != 0 && !known.contains(order) {
                lies.push(format!("the provider has {held} of {order}, of which nobody was told"));
            }
        }
        lies.extend(carts::lost(carts, &told, &all.orders).await?);
        Ok((lies, counts))
    })
}

fn lie(told: &Told, then: &Order, now: &Order) -> Option<String> {
    let (said, is) = (then.state(), now.state());
    let true_then = match said {
        State::Confirmed | State::Shipped | State::Delivered => {
            if told.cancelled {
                is == State::Cancelled
            } else {
                matches!(is, State::Confirmed | State::Shipped | State::Delivered)
            }
        }
        State::Unspecified | State::Placed | State::Cancelled | State::Returned => is == said,
    };
    (!true_then)
        .then(|| format!("{} was told {said:?} of {}, which is {is:?}", told.wish.customer, then.name))
}

/// What an order's customer has to have paid, in minor units.
fn due(order: &Order) -> i64 {
    if order.state() == State::Cancelled {
        return 0;
    }
    order.total.as_ref().map_or(0, |total| total.units * 100 + i64::from(total.nanos / 10_000_000))
}

/// What the provider has taken for each order and not given back, in minor units.
fn taken(shop: &Shop) -> BTreeMap<String, i64> {
    let provider = provider::lock(&shop.provider);
    let mut taken = BTreeMap::new();
    for done in provider.operations().filter(|done| done.status == Status::Succeeded) {
        let by = match done.kind {
            Kind::Capture => done.amount_minor,
            Kind::Refund => -done.amount_minor,
            Kind::Authorize | Kind::Void => continue,
        };
        *taken.entry(done.order.clone()).or_default() += by;
    }
    taken
}
