//! The shop that is measured: ten services and the edge, goods without end, and customers who have signed in.
use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use contract::Money;
use contract::catalog::v1::{BatchCreateProductsRequest, CreateProductRequest, Product, Variant, product};
use contract::inventory::v1::{BatchReceiveStockRequest, ReceiveStockRequest};
use e2e::{Installation, Person, Scene, Setting, Transport};
use tokio_postgres::NoTls;
use tonic::transport::{Channel, Endpoint};

use crate::usage::{self, Processes};

/// How many goods there are. A batch makes at most 500.
const GOODS: usize = 400;
/// Units of each: more than any run sells.
const UNITS: i64 = 500_000_000;
/// How long the events after the last order may take to be applied.
const SETTLED_WITHIN: Duration = Duration::from_secs(900);

/// The shop, ready to be measured.
pub(crate) struct Shop {
    scene: Scene,
    /// Products, in no order.
    pub(crate) products: Vec<String>,
    /// The variant of each product.
    pub(crate) variants: Vec<String>,
    customers: Vec<Person>,
    databases: BTreeMap<&'static str, tokio_postgres::Client>,
}

impl Shop {
    /// Starts and fills it, with as many customers as there will be clients at once.
    pub(crate) async fn open(customers: u16) -> anyhow::Result<Option<Shop>> {
        // The services' own audits read whole tables every quarter of an hour: whichever stage one met would bear it all.
        let settings = [("LOG", "warn"), ("REFLECTION", "false"), ("AUDIT_MINUTES", "0")];
        let Some(shop) = Installation::start_with(Setting::Separate, &settings).await? else {
            return Ok(None);
        };
        shop.fill().await?;
        let admin = Person::admin(shop.edge()).await?;
        let scene = Scene { shop, admin };
        let (products, variants) = stock_up(&scene.admin).await?;
        let mut databases = BTreeMap::new();
        for noun in chassis::config::NOUNS {
            let (client, connection) =
                tokio_postgres::connect(&format!("{}/{}", postgres()?, scene.shop.database(noun)?), NoTls)
                    .await?;
            tokio::spawn(connection);
            databases.insert(noun, client);
        }
        eprintln!("{customers} customers register");
        let mut known = Vec::new();
        for _ in 0..customers {
            known.push(scene.customer(Transport::Grpc).await?);
        }
        Ok(Some(Shop { scene, products, variants, customers: known, databases }))
    }

    /// The first customers, signed in anew: tokens last for ten minutes.
    pub(crate) async fn customers(&mut self, count: u16) -> anyhow::Result<Vec<Person>> {
        let customers = &mut self.customers[..usize::from(count)];
        for customer in customers.iter_mut() {
            let email = customer.email.clone();
            customer.sign_in(&email, e2e::client::PASSWORD).await?;
        }
        Ok(customers.to_vec())
    }

    /// A connection to a service.
    pub(crate) async fn service(&self, noun: &str) -> anyhow::Result<Channel> {
        Ok(Endpoint::from_shared(self.scene.shop.service(noun).to_owned())?.connect().await?)
    }

    /// A connection to the edge.
    pub(crate) async fn edge(&self) -> anyhow::Result<Channel> {
        Ok(Endpoint::from_shared(self.scene.shop.edge().to_owned())?.connect().await?)
    }

    /// The database of a service.
    pub(crate) fn database(&self, noun: &str) -> &tokio_postgres::Client {
        &self.databases[noun]
    }

    /// Every process that has a part in an order.
    pub(crate) fn processes(&self) -> anyhow::Result<Processes> {
        let own = self.scene.shop.processes().into_iter().map(|(name, pid)| (name.to_owned(), vec![pid]));
        Ok(servers()?.into_iter().chain(own).collect())
    }

    /// Resident memory of every process, in MiB.
    pub(crate) fn memory(&self) -> BTreeMap<String, f64> {
        self.processes().map(|processes| usage::memory(&processes)).unwrap_or_default()
    }

    /// Orders stored.
    pub(crate) async fn orders(&self) -> anyhow::Result<i64> {
        self.count("order", "SELECT COUNT(*) FROM orders").await
    }

    /// Waits until everything that follows the orders has happened: all events are out, and every confirmed order is
    /// paid, sold, on its way to be packed and in the sales report.
    pub(crate) async fn settle(&self) -> anyhow::Result<Duration> {
        let started = Instant::now();
        loop {
            let confirmed = self
                .count("order", "SELECT COUNT(*) FROM orders WHERE state NOT IN ('PLACED', 'CANCELLED')")
                .await?;
            let mut left = 0;
            for noun in chassis::config::NOUNS {
                left += self.count(noun, "SELECT COUNT(*) FROM outbox WHERE published_at IS NULL").await?;
            }
            let effects = futures::try_join!(
                self.count("payment", "SELECT COUNT(*) FROM payments WHERE state = 'CAPTURED'"),
                self.count("inventory", "SELECT COUNT(*) FROM reservations WHERE state = 'COMMITTED'"),
                self.count("shipping", "SELECT COUNT(*) FROM shipments"),
                self.count("analytics", "SELECT COUNT(*) FROM sales"),
            )?;
            let (paid, sold, packed, reported) = effects;
            left += [paid, sold, packed, reported].iter().map(|done| (confirmed - done).max(0)).sum::<i64>();
            if left == 0 {
                return Ok(started.elapsed());
            }
            ensure!(
                started.elapsed() < SETTLED_WITHIN,
                "of {confirmed} orders {paid} are paid, {sold} sold, {packed} packed, {reported} reported"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn count(&self, noun: &str, sql: &str) -> anyhow::Result<i64> {
        let row = self.database(noun).query_one(sql, &[]).await.with_context(|| format!("{noun}: {sql}"))?;
        Ok(row.get(0))
    }

    /// Fails unless the books balance.
    pub(crate) async fn audit(&self) -> anyhow::Result<()> {
        self.scene.shop.audit().await.map(drop)
    }
}

async fn stock_up(admin: &Person) -> anyhow::Result<(Vec<String>, Vec<String>)> {
    let goods: Vec<CreateProductRequest> = (0..GOODS)
        .map(|number| CreateProductRequest {
            product: Some(Product {
                title: format!("{} {number}", ["Lantern", "Teapot", "Blanket", "Notebook"][number % 4]),
                description: "Made to be bought again and again.".into(),
                state: product::State::Active.into(),
                kind: product::Kind::Goods.into(),
                ..Product::default()
            }),
            variants: vec![Variant {
                sku: format!("BENCH-{number}"),
                price: Some(Money { currency_code: "GBP".into(), units: 4, nanos: 950_000_000 }),
                weight_grams: 300,
                ..Variant::default()
            }],
            request_id: String::new(),
        })
        .collect();
    let request = BatchCreateProductsRequest { requests: goods, request_id: e2e::scene::new_request_id() };
    let made = admin.catalog().batch_create_products(request).await?.into_inner();
    ensure!(made.errors.is_empty(), "goods could not be made: {:?}", made.errors.first());
    let requests = (0..GOODS)
        .map(|number| ReceiveStockRequest {
            sku: format!("BENCH-{number}"),
            quantity: UNITS,
            reason: "goods without end".into(),
            ..ReceiveStockRequest::default()
        })
        .collect();
    let request = BatchReceiveStockRequest { requests, request_id: e2e::scene::new_request_id() };
    admin.inventory().batch_receive_stock(request).await?;
    let products: Vec<String> = made.products.iter().map(|product| product.name.clone()).collect();
    let skus = (0..GOODS).map(|number| format!("BENCH-{number}")).collect::<Vec<_>>();
    let mut variants = Vec::new();
    for skus in skus.chunks(100) {
        let request =
            contract::catalog::v1::BatchGetVariantsRequest { names: Vec::new(), skus: skus.to_vec() };
        let found = admin.catalog().batch_get_variants(request).await?.into_inner().variants;
        variants.extend(found.into_iter().map(|variant| variant.name));
    }
    ensure!(variants.len() == GOODS, "{} of {GOODS} goods are sold", variants.len());
    Ok((products, variants))
}

/// The PostgreSQL server that `scripts/with-servers` has started.
pub(crate) fn postgres() -> anyhow::Result<String> {
    environment("TEST_DATABASE_URL")
}

/// The processes of the servers that `scripts/with-servers` has started.
pub(crate) fn servers() -> anyhow::Result<Processes> {
    let folder = environment("TEST_SERVERS_DIR")?;
    let read = |name: &str, file: &str| {
        let text = fs::read_to_string(format!("{folder}/{file}")).ok()?;
        Some((name.to_owned(), usage::family(text.lines().next()?.trim().parse().ok()?)))
    };
    let servers =
        [("postgres", "pg/data/postmaster.pid"), ("rabbitmq", "rabbit/pid"), ("redis", "redis.pid")];
    Ok(servers.into_iter().filter_map(|(name, file)| read(name, file)).collect())
}

#[expect(clippy::disallowed_methods, reason = "the script that starts the servers tells where they are")]
fn environment(name: &str) -> anyhow::Result<String> {
    std::env::var(name).with_context(|| format!("{name} is not set: run it by `just bench`"))
}
