//! Orders, placed with the order service until they are confirmed.
use std::sync::Arc;

use contract::order::v1::order::State;
use contract::order::v1::order_service_client::OrderServiceClient;
use contract::order::v1::{LineRequest, PlaceOrderRequest};
use e2e::Person;
use rand::seq::index;
use tonic::transport::Channel;
use tonic::{Request, metadata::AsciiMetadataValue};

use crate::load::{AsyncAsk, Load};
use crate::report::{Report, Row};
use crate::shop::Shop;
use crate::usage;

/// Lines of an order of many goods.
const LINES: usize = 3;

/// A customer who knows the order service directly.
struct Buyer {
    orders: OrderServiceClient<Channel>,
    token: AsciiMetadataValue,
    person: Person,
}

#[derive(Clone)]
struct Buy {
    variants: Arc<Vec<String>>,
    lines: usize,
}

impl AsyncAsk<Buyer> for Buy {
    async fn ask(&self, buyer: &mut Buyer) -> Result<(), String> {
        let chosen = index::sample(&mut rand::rng(), self.variants.len(), self.lines);
        let lines =
            chosen.iter().map(|at| LineRequest { variant: self.variants[at].clone(), quantity: 1 }).collect();
        let order = PlaceOrderRequest { lines, ..buyer.person.order_of("", 1, "tok_visa") };
        let mut request = Request::new(order);
        request.metadata_mut().insert("authorization", buyer.token.clone());
        match buyer.orders.place_order(request).await {
            Ok(order) => match order.into_inner() {
                order if order.state() == State::Confirmed => Ok(()),
                order => Err(format!("{:?} {}", order.state(), order.cancel_reason)),
            },
            Err(refusal) => {
                let reason = chassis::status::reason(&refusal).unwrap_or_default();
                Err(format!("{:?} {reason}", refusal.code()))
            }
        }
    }
}

/// Measures orders of three goods with each number of clients.
pub(crate) async fn measure(
    load: &Load,
    shop: &mut Shop,
    clients: &[u16],
    report: &mut Report,
) -> anyhow::Result<()> {
    let buy = Buy { variants: Arc::new(shop.variants.clone()), lines: LINES };
    // What is measured is the shop that runs, not the one that starts.
    orders("warm up", load, shop, 8, &buy).await?;
    for &count in clients {
        report.add(orders("orders of 3 goods", load, shop, count, &buy).await?);
    }
    shop.audit().await
}

/// Measures orders of one SKU, the same for all.
pub(crate) async fn flash(
    load: &Load,
    shop: &mut Shop,
    clients: &[u16],
    report: &mut Report,
) -> anyhow::Result<()> {
    let one = shop.variants.first().cloned().into_iter().collect();
    let buy = Buy { variants: Arc::new(one), lines: 1 };
    for &count in clients {
        report.add(orders("orders of one SKU", load, shop, count, &buy).await?);
    }
    shop.audit().await
}

/// Orders of three goods by so many clients, under a name of its own.
pub(crate) async fn once(name: &str, load: &Load, shop: &mut Shop, clients: u16) -> anyhow::Result<Row> {
    let buy = Buy { variants: Arc::new(shop.variants.clone()), lines: LINES };
    orders(name, load, shop, clients, &buy).await
}

async fn orders(name: &str, load: &Load, shop: &mut Shop, clients: u16, buy: &Buy) -> anyhow::Result<Row> {
    eprintln!("{name}: {clients} clients");
    let mut buyers = Vec::new();
    for person in shop.customers(clients).await? {
        let token = format!("Bearer {}", person.access_token).parse()?;
        buyers.push(Buyer { orders: OrderServiceClient::new(shop.service("order").await?), token, person });
    }
    let processes = shop.processes()?;
    let before = usage::cpu(&processes);
    let outcome = load.run(buyers, buy.clone()).await;
    let settling = shop.settle().await?;
    let mut row = Row::of(name, clients, &outcome, &before, &usage::cpu(&processes));
    row.settled_rate = Some(row.calls as f64 / (outcome.took + settling).as_secs_f64());
    Ok(row)
}
