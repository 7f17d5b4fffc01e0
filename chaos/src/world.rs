//! The shop under test, and how it is reached.
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use contract::Money;
use contract::catalog::v1::{
    BatchCreateProductsRequest, BatchGetVariantsRequest, CreateProductRequest, Product, Variant, product,
};
use contract::inventory::v1::{BatchReceiveStockRequest, ReceiveStockRequest};
use contract::promotion::v1::{Coupon, CreateCouponRequest};
use e2e::{Installation, Person};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use tokio::process::Command;
use tokio::sync::{Mutex, MutexGuard};

use crate::mutation::Mutation;

/// Goods that are scarce on purpose: the supplier brings a few at a time.
pub(crate) const SKUS: [&str; 6] = ["CHAOS-0", "CHAOS-1", "CHAOS-2", "CHAOS-3", "CHAOS-4", "CHAOS-5"];
/// A coupon that runs out.
pub(crate) const COUPON: &str = "CHAOS20";
/// How often it can be used, by all together.
const COUPON_USES: i64 = 150;

/// The shop and its surroundings.
pub(crate) struct World {
    shop: Mutex<Installation>,
    pub(crate) edge: String,
    /// Units of each SKU at first.
    pub(crate) units: i64,
    /// The variant of each SKU.
    pub(crate) variants: Vec<String>,
    orders: DatabaseConnection,
    servers: PathBuf,
    /// Calls that place an order and have not been answered.
    pub(crate) placing: AtomicU64,
}

impl World {
    /// Starts a shop with a proxy on every way, and fills it.
    pub(crate) async fn open(units: i64, mutation: Option<Mutation>) -> anyhow::Result<Option<World>> {
        ensure!(
            mutation.is_none() || cfg!(debug_assertions),
            "no guard can be taken away in a release build"
        );
        let settings = [
            ("LOG", "info,sqlx=warn,lapin=error"),
            ("MUTATION", mutation.map_or("", Mutation::name)),
            ("FAILPOINTS", mutation.map_or("", Mutation::provoked_by)),
        ];
        let Some(shop) = Installation::start_proxied(&settings).await? else { return Ok(None) };
        shop.fill().await?;
        let admin = Person::admin(shop.edge()).await?;
        let variants = stock_up(&admin, units).await?;
        coupon(&admin).await?;
        let orders =
            Database::connect(format!("{}/{}", setting("TEST_DATABASE_URL")?, shop.database("order")?))
                .await?;
        let servers = PathBuf::from(setting("TEST_SERVERS_DIR")?);
        let edge = shop.edge().to_owned();
        Ok(Some(World {
            shop: Mutex::new(shop),
            edge,
            units,
            variants,
            orders,
            servers,
            placing: AtomicU64::new(0),
        }))
    }

    /// The programs and the ways between them.
    pub(crate) async fn shop(&self) -> MutexGuard<'_, Installation> {
        self.shop.lock().await
    }

    /// Checkouts under way: sagas that have not ended, or, where the database does not say, calls not answered.
    pub(crate) async fn live(&self) -> u64 {
        let sql = "SELECT COUNT(*) FROM saga WHERE state IN ('RUNNING', 'COMPENSATING')";
        let counted = async {
            let row = self
                .orders
                .query_one_raw(Statement::from_string(self.orders.get_database_backend(), sql))
                .await
                .ok()??;
            u64::try_from(row.try_get_by_index::<i64>(0).ok()?).ok()
        };
        match tokio::time::timeout(Duration::from_secs(1), counted).await {
            Ok(Some(count)) => count,
            Ok(None) | Err(_) => self.placing.load(Ordering::Relaxed),
        }
    }

    /// Has a server do something: `postgres crash`, `rabbitmq stop` and the like.
    pub(crate) async fn server(&self, server: &str, command: &str) -> anyhow::Result<()> {
        let done = Command::new(self.servers.join(server)).arg(command).output().await?;
        let said = String::from_utf8_lossy(&done.stderr);
        ensure!(done.status.success(), "{server} could not {command}: {said}");
        Ok(())
    }

    /// The process number of a server.
    pub(crate) fn server_process(&self, server: &str) -> anyhow::Result<u32> {
        let file = match server {
            "postgres" => "pg/data/postmaster.pid",
            "rabbitmq" => "rabbit/pid",
            _ => "redis.pid",
        };
        let text = std::fs::read_to_string(self.servers.join(file))?;
        Ok(text.lines().next().context("an empty file")?.trim().parse()?)
    }

    /// Ends every connection to the databases but our own, as a failing server does.
    pub(crate) async fn cut_connections(&self) {
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()";
        // Where the database is away, there is nothing to cut.
        let _ = self.orders.execute_unprepared(sql).await;
    }

    /// The last lines of every program's log.
    pub(crate) async fn logs(&self) -> String {
        self.shop.lock().await.logs()
    }
}

async fn stock_up(admin: &Person, units: i64) -> anyhow::Result<Vec<String>> {
    let goods = SKUS.map(|sku| CreateProductRequest {
        product: Some(Product {
            title: format!("Scarce good {sku}"),
            state: product::State::Active.into(),
            kind: product::Kind::Goods.into(),
            ..Product::default()
        }),
        variants: vec![Variant {
            sku: sku.into(),
            price: Some(Money { currency_code: "GBP".into(), units: 9, nanos: 990_000_000 }),
            weight_grams: 200,
            ..Variant::default()
        }],
        request_id: String::new(),
    });
    let request =
        BatchCreateProductsRequest { requests: goods.into(), request_id: e2e::scene::new_request_id() };
    let made = admin.catalog().batch_create_products(request).await?.into_inner();
    ensure!(made.errors.is_empty(), "goods could not be made: {:?}", made.errors.first());
    let requests = SKUS.map(|sku| ReceiveStockRequest {
        sku: sku.into(),
        quantity: units,
        reason: "first delivery".into(),
        ..ReceiveStockRequest::default()
    });
    let request =
        BatchReceiveStockRequest { requests: requests.into(), request_id: e2e::scene::new_request_id() };
    admin.inventory().batch_receive_stock(request).await?;
    let mut variants = Vec::new();
    for sku in SKUS {
        let request = BatchGetVariantsRequest { names: Vec::new(), skus: vec![sku.into()] };
        let found = admin.catalog().batch_get_variants(request).await?.into_inner().variants;
        variants.push(found.into_iter().next().with_context(|| format!("{sku} is not sold"))?.name);
    }
    Ok(variants)
}

async fn coupon(admin: &Person) -> anyhow::Result<()> {
    let coupon = Coupon {
        code: COUPON.into(),
        title: "Twenty percent, while it lasts".into(),
        percent_off_basis_points: 2_000,
        redemption_limit: COUPON_USES,
        ..Coupon::default()
    };
    let request = CreateCouponRequest { coupon: Some(coupon), request_id: e2e::scene::new_request_id() };
    admin.promotions().create_coupon(request).await?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the script that starts the servers tells where they are")]
fn setting(name: &str) -> anyhow::Result<String> {
    std::env::var(name).with_context(|| format!("{name} is not set: run it by `just chaos`"))
}
