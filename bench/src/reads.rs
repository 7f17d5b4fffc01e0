//! Reads: a product and a search, directly and through the edge, beside a bare echo.
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use contract::catalog::v1::catalog_service_client::CatalogServiceClient;
use contract::catalog::v1::{GetProductRequest, SearchProductsRequest};
use rand::Rng;
use tonic::transport::{Channel, Endpoint};

use crate::echo;
use crate::load::{AsyncAsk, Load};
use crate::report::{Report, Row};
use crate::shop::Shop;
use crate::usage::{self, Processes};

const CLIENTS: u16 = 32;

#[derive(Clone)]
enum Read {
    Echo,
    Product(Arc<Vec<String>>),
    Search,
}

impl AsyncAsk<Channel> for Read {
    async fn ask(&self, channel: &mut Channel) -> Result<(), String> {
        let answer = match self {
            Read::Echo => echo::say(channel, "Is anybody there?").await,
            Read::Product(products) => {
                let name = products[rand::rng().random_range(0..products.len())].clone();
                let request = GetProductRequest { name };
                CatalogServiceClient::new(channel.clone()).get_product(request).await.map(drop)
            }
            Read::Search => {
                let query =
                    ["lantern", "teapot", "blanket", "notebook"][rand::rng().random_range(0..4)].to_owned();
                let request =
                    SearchProductsRequest { query, page_size: 20, ..SearchProductsRequest::default() };
                CatalogServiceClient::new(channel.clone()).search_products(request).await.map(drop)
            }
        };
        answer.map_err(|refusal| format!("{:?} {}", refusal.code(), refusal.message()))
    }
}

/// Measures the echo and the reads.
pub(crate) async fn measure(load: &Load, shop: &Shop, report: &mut Report) -> anyhow::Result<()> {
    let address = (Ipv4Addr::LOCALHOST, TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port());
    let url = format!("http://{}:{}", address.0, address.1);
    let mut server = tokio::process::Command::new(std::env::current_exe()?)
        .args(["--echo", &format!("{}:{}", address.0, address.1)])
        .kill_on_drop(true)
        .spawn()?;
    let echo = until_it_listens(&url).await?;
    let of_echo = Processes::from([("echo".into(), server.id().into_iter().collect())]);
    report.add(read("bare echo", load, &echo, Read::Echo, &of_echo).await?);
    server.kill().await?;

    let processes = shop.processes()?;
    let (catalog, edge) = (shop.service("catalog").await?, shop.edge().await?);
    let product = Read::Product(Arc::new(shop.products.clone()));
    for (name, channel, read_as) in [
        ("product, directly", &catalog, product.clone()),
        ("product, through the edge", &edge, product),
        ("search, directly", &catalog, Read::Search),
        ("search, through the edge", &edge, Read::Search),
    ] {
        report.add(read(name, load, channel, read_as, &processes).await?);
    }
    Ok(())
}

/// All clients share one connection, as the callers in one process do.
async fn read(
    name: &str,
    load: &Load,
    channel: &Channel,
    read: Read,
    processes: &Processes,
) -> anyhow::Result<Row> {
    eprintln!("{name}: {CLIENTS} clients");
    let before = usage::cpu(processes);
    let outcome = load.run(vec![channel.clone(); CLIENTS.into()], read).await;
    Ok(Row::of(name, CLIENTS, &outcome, &before, &usage::cpu(processes)))
}

async fn until_it_listens(url: &str) -> anyhow::Result<Channel> {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        match Endpoint::from_shared(url.to_owned())?.connect().await {
            Ok(channel) => return Ok(channel),
            Err(error) => ensure!(Instant::now() < until, "the echo does not start: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
