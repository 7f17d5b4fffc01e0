//! Customers who put goods into their cart, buy what is in it, and go on putting in meanwhile: nothing of that is lost.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use chassis::Caller;
use chassis::client::{Channel, as_subject};
use contract::cart::v1::cart_service_client::CartServiceClient;
use contract::cart::v1::{AddItemRequest, GetCartRequest};
use contract::order::v1::Order;
use contract::order::v1::order::State;

use crate::catalog;
use crate::chance::Chance;
use crate::customers::{Told, is_final, uuid};
use crate::shop::Shop;

/// The cart a customer is filling.
pub(crate) const CURRENT: &str = "carts/current";

/// Something to put into the cart.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    sku: &'static str,
    quantity: i64,
    request_id: String,
}

impl Item {
    pub(crate) fn new(sku: &'static str, quantity: i64, chance: &mut Chance) -> Item {
        Item { sku, quantity, request_id: uuid(chance) }
    }
}

/// How many of each good somebody has.
pub(crate) type Goods = BTreeMap<String, i64>;

/// Puts items in, one after the other, each as often as it takes to know. Answers what is in.
pub(crate) async fn put_in(
    mut carts: CartServiceClient<Channel>,
    caller: &Caller,
    items: &[Item],
    patience: Duration,
) -> Goods {
    let mut goods = Goods::new();
    for item in items {
        let request = AddItemRequest {
            cart: CURRENT.into(),
            variant: catalog::name(item.sku),
            quantity: item.quantity,
            request_id: item.request_id.clone(),
        };
        loop {
            match carts.add_item(as_subject(caller, request.clone())).await {
                Ok(_) => {
                    *goods.entry(item.sku.to_owned()).or_default() += item.quantity;
                    break;
                }
                Err(refusal) if is_final(&refusal) => break,
                Err(_) => tokio::time::sleep(patience).await,
            }
        }
    }
    goods
}

/// Who has put something into their cart that is neither in an order nor in the cart now, or twice.
pub(crate) async fn lost(
    mut carts: CartServiceClient<Channel>,
    told: &[Told],
    orders: &[Order],
) -> anyhow::Result<Vec<String>> {
    let mut put_in = BTreeMap::<&str, Goods>::new();
    for told in told {
        add(put_in.entry(&told.wish.customer).or_default(), told.put_in.clone());
    }
    let mut lies = Vec::new();
    for (customer, put_in) in put_in {
        let caller = Caller::person(customer.to_owned(), None, []);
        let request = as_subject(&caller, GetCartRequest { name: CURRENT.into() });
        let cart = carts.get_cart(request).await.with_context(|| format!("the cart of {customer}"))?;
        let mut has = Goods::new();
        add(&mut has, cart.into_inner().lines.into_iter().map(|line| (line.sku, line.quantity)));
        for order in orders.iter().filter(|order| order.customer == customer && took_its_cart(order)) {
            add(&mut has, order.lines.iter().map(|line| (line.sku.clone(), line.quantity)));
        }
        for (sku, quantity) in put_in {
            let has = has.get(&sku).copied().unwrap_or_default();
            if has != quantity {
                lies.push(format!(
                    "{customer} has put in {quantity} {sku}, and finds {has} in orders and cart"
                ));
            }
        }
    }
    Ok(lies)
}

/// An order that came to nothing before it was confirmed gives its cart back.
fn took_its_cart(order: &Order) -> bool {
    !order.cart.is_empty() && order.history.iter().any(|entry| entry.state() == State::Confirmed)
}

/// Adds goods to goods.
pub(crate) fn add(to: &mut Goods, these: impl IntoIterator<Item = (String, i64)>) {
    for (sku, quantity) in these {
        *to.entry(sku).or_default() += quantity;
    }
}

/// The carts, as customers reach them.
pub(crate) fn of(shop: &Shop) -> CartServiceClient<Channel> {
    CartServiceClient::new(shop.channel("gateway", "cart"))
}
