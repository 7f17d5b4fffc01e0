//! Whether the promise held: what customers were told, against what the shop knows, against what was sold.
use std::collections::{BTreeMap, BTreeSet};

use contract::inventory::v1::BatchGetStockRequest;
use contract::order::v1::order::State;
use contract::order::v1::{ListOrdersRequest, Order};
use e2e::Person;

use crate::buyer::{Outcome, Told};
use crate::world::{SKUS, World};

/// What was found wrong; nothing is what is hoped for.
pub(crate) async fn reach(
    world: &World,
    told: &[Told],
    supplied: &[(String, i64)],
    settle_seconds: u32,
) -> Vec<String> {
    let mut wrong = Vec::new();
    // The audit waits for everything to come to rest, so it is first.
    if let Err(error) = world.shop().await.audit_within(settle_seconds).await {
        wrong.push(format!("audit: {error}"));
    }
    match compare(world, told, supplied).await {
        Ok(more) => wrong.extend(more),
        Err(error) => wrong.push(format!("the shop could not be asked: {error:#}")),
    }
    wrong
}

async fn compare(world: &World, told: &[Told], supplied: &[(String, i64)]) -> anyhow::Result<Vec<String>> {
    let admin = Person::admin(&world.edge).await?;
    let orders = all_orders(&admin).await?;
    let mut wrong = against_the_customers(told, &orders);
    let mut sold: BTreeMap<&str, i64> = BTreeMap::new();
    for line in
        orders.values().filter(|order| order.state() != State::Cancelled).flat_map(|order| &order.lines)
    {
        *sold.entry(line.sku.as_str()).or_default() += line.quantity;
    }
    let request = BatchGetStockRequest { skus: SKUS.map(String::from).into() };
    for stock in admin.inventory().batch_get_stock(request).await?.into_inner().stock {
        let received: i64 =
            supplied.iter().filter(|(sku, _)| *sku == stock.sku).map(|(_, quantity)| quantity).sum();
        let sold = sold.get(stock.sku.as_str()).copied().unwrap_or_default();
        let first = world.units;
        if first + received - sold != stock.on_hand || stock.reserved != 0 {
            wrong.push(format!(
                "of {} {first} + {received} were received and {sold} sold, but {} are on hand and {} reserved",
                stock.sku, stock.on_hand, stock.reserved
            ));
        }
    }
    Ok(wrong)
}

/// Every order a customer was told of is there, in that state; and no other is there.
fn against_the_customers(told: &[Told], orders: &BTreeMap<String, Order>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut known = BTreeSet::new();
    for Told { request, outcome, cancelled, .. } in told {
        let id = &request.request_id;
        match outcome {
            Outcome::Unknown(why) => wrong.push(format!("request {id} was never answered: {why}")),
            Outcome::Refused(_) => {}
            Outcome::Order(seen) => {
                if !known.insert(seen.name.clone()) {
                    wrong.push(format!("{} is the answer to two requests, one of them {id}", seen.name));
                }
                let Some(order) = orders.get(&seen.name) else {
                    wrong.push(format!("{} was acknowledged as {:?} and is lost", seen.name, seen.state()));
                    continue;
                };
                let ends_cancelled = *cancelled || seen.state() == State::Cancelled;
                let held = seen.state() != State::Placed
                    && order.state() != State::Placed
                    && ends_cancelled == (order.state() == State::Cancelled);
                if !held {
                    wrong.push(format!(
                        "{} was told as {:?}{}, and is {:?}",
                        seen.name,
                        seen.state(),
                        if *cancelled { " and cancelled" } else { "" },
                        order.state()
                    ));
                }
            }
        }
    }
    let unknown = orders.keys().filter(|name| !known.contains(*name));
    wrong.extend(unknown.map(|name| format!("{name} is an order that nobody was told of")));
    wrong
}

async fn all_orders(admin: &Person) -> anyhow::Result<BTreeMap<String, Order>> {
    let mut orders = BTreeMap::new();
    let mut page_token = String::new();
    loop {
        let request = ListOrdersRequest {
            page_size: 500,
            page_token,
            customer: "customers/-".into(),
            ..ListOrdersRequest::default()
        };
        let page = admin.orders().list_orders(request).await?.into_inner();
        orders.extend(page.orders.into_iter().map(|order| (order.name.clone(), order)));
        if page.next_page_token.is_empty() {
            return Ok(orders);
        }
        page_token = page.next_page_token;
    }
}
