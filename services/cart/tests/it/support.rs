//! Cart on a database of its own, peers that sell two things, and a service elsewhere that announces.

use std::sync::Arc;

use chassis::config::Settings;
use chassis::db::Db;
use chassis::event::Event;
use chassis::migration::Nothing;
use chassis::outbox;
use chassis::server::Server;
use chassis::testing::{Client, TestHost, TestProcess, eventually};
use contract::cart::v1 as pb;
use contract::cart::v1::cart_service_client::CartServiceClient;
use contract::catalog::v1 as catalog;
use contract::identity::v1::UserErased;
use contract::operations::v1::CheckInvariantsRequest;
use contract::operations::v1::operations_service_client::OperationsServiceClient;
use sea_orm::{ConnectionTrait, Statement};
use tonic::Status;
use uuid::Uuid;

use super::peers::Peers;
pub(crate) use super::peers::gbp;

pub(crate) const HAT: &str = "products/1/variants/hat";
pub(crate) const BAG: &str = "products/2/variants/bag";
pub(crate) const CURRENT: &str = "carts/current";

pub(crate) struct Shop {
    pub(crate) host: TestHost,
    pub(crate) peers: Peers,
    /// Cart's database, to look at what is not told.
    pub(crate) db: Db,
    /// Another service's database: what is put in its outbox is announced.
    elsewhere: Db,
}

impl Shop {
    /// A shop where nothing is remembered, so that a test sees what it has just told the peers.
    pub(crate) async fn open() -> Self {
        Self::with(cart::Config { cart_preview_ms: 0, ..cart::Config::default() }).await
    }

    pub(crate) async fn with(config: cart::Config) -> Self {
        let process = TestProcess::new().await;
        let (host, order) = (process.host("cart"), process.host("order"));
        let peers = Peers::default();
        peers.open(&process);
        let elsewhere = order.db::<Nothing>().await.expect("a database elsewhere");
        let db = host.db::<cart::Migrator>().await.expect("a database for cart");
        order.serve(Server::new(&order, &elsewhere).run());
        let mut alone = host.host();
        // Tests sell the same things at different prices: a Redis that they share would mix them up.
        alone.settings = Arc::new(Settings { redis_url: None, ..(*alone.settings).clone() });
        host.serve(cart::serve(alone, config));
        let shop = Self { host, peers, db, elsewhere };
        shop.sell(variant(HAT, 1250), 10);
        shop.sell(variant(BAG, 4000), 10);
        // An event sent before cart listens would pass it by: news of nobody is sent until one arrives.
        eventually(async || {
            shop.announce("users/none", &UserErased { user: "users/none".into() }).await;
            let heard = Statement::from_string(shop.db.backend(), "SELECT 1 FROM inbox");
            shop.db.writer().query_one_raw(heard).await.expect("the inbox")
        })
        .await;
        shop
    }

    /// Puts a variant on sale, with so many in stock.
    pub(crate) fn sell(&self, variant: catalog::Variant, available: i64) {
        let mut facts = self.peers.facts();
        facts.stock.insert(variant.sku.clone(), available);
        facts.variants.insert(variant.name.clone(), variant);
    }

    pub(crate) fn shopper(&self, subject: &str) -> Shopper {
        Shopper(CartServiceClient::new(self.host.as_customer(subject)))
    }

    /// Announces an event as another service does, and waits until it is sent.
    pub(crate) async fn announce<E: Event>(&self, key: &str, event: &E) -> Uuid {
        let id =
            self.elsewhere.write(async |tx| outbox::append(tx, key, event).await).await.expect("announced");
        self.sent(id).await;
        id
    }

    /// Has an event delivered a second time.
    pub(crate) async fn announce_again(&self, id: Uuid) {
        let again = "UPDATE outbox SET published_at = NULL WHERE id = $1";
        let again = Statement::from_sql_and_values(self.elsewhere.backend(), again, [id.into()]);
        self.elsewhere.execute(again).await.expect("to be sent again");
        self.sent(id).await;
    }

    async fn sent(&self, id: Uuid) {
        eventually(async || {
            let sent = "SELECT 1 FROM outbox WHERE id = $1 AND published_at IS NOT NULL";
            let sent = Statement::from_sql_and_values(self.elsewhere.backend(), sent, [id.into()]);
            self.elsewhere.writer().query_one_raw(sent).await.expect("the outbox")
        })
        .await;
    }

    /// The events of a kind that cart announced, oldest first.
    pub(crate) async fn announced<E: Event>(&self) -> Vec<E> {
        let sql = "SELECT payload FROM outbox WHERE kind = $1 ORDER BY seq";
        let sql = Statement::from_sql_and_values(self.db.backend(), sql, [E::full_name().into()]);
        let rows = self.db.writer().query_all_raw(sql).await.expect("the outbox");
        let payload = |row: &sea_orm::QueryResult| row.try_get_by_index::<Vec<u8>>(0).expect("a payload");
        rows.iter().map(|row| E::decode(payload(row).as_slice()).expect("an event")).collect()
    }

    /// Order has the cart of an order given back.
    pub(crate) async fn reopen(&self, order: &str) -> Result<pb::ReopenCartResponse, Status> {
        let mut carts = CartServiceClient::new(self.host.as_service("order"));
        let request = pb::ReopenCartRequest { order: order.to_owned() };
        Ok(carts.reopen_cart(request).await?.into_inner())
    }

    /// Everything cart's own tables must hold.
    pub(crate) async fn balances(&self) {
        let mut books = OperationsServiceClient::new(self.host.as_staff(&["audit.read"]));
        let findings =
            books.check_invariants(CheckInvariantsRequest {}).await.expect("checked").into_inner().findings;
        assert!(findings.iter().all(|finding| finding.offenders.is_empty()), "{findings:?}");
    }
}

/// Somebody with a cart.
#[derive(Clone)]
pub(crate) struct Shopper(pub(crate) CartServiceClient<Client>);

impl Shopper {
    pub(crate) async fn get(&self, name: &str) -> Result<pb::Cart, Status> {
        Ok(self.0.clone().get_cart(pb::GetCartRequest { name: name.to_owned() }).await?.into_inner())
    }

    pub(crate) async fn cart(&self) -> pb::Cart {
        self.get(CURRENT).await.expect("a cart")
    }

    pub(crate) async fn add(&self, variant: &str, quantity: i64) -> Result<pb::Cart, Status> {
        Ok(self.0.clone().add_item(add(variant, quantity)).await?.into_inner())
    }

    pub(crate) async fn set(&self, variant: &str, quantity: i64) -> Result<pb::Cart, Status> {
        let request = pb::UpdateItemRequest {
            cart: CURRENT.to_owned(),
            variant: variant.to_owned(),
            quantity,
            ..Default::default()
        };
        Ok(self.0.clone().update_item(request).await?.into_inner())
    }

    pub(crate) async fn apply(&self, code: &str) -> Result<pb::Cart, Status> {
        let request =
            pb::ApplyCouponRequest { cart: CURRENT.to_owned(), code: code.to_owned(), ..Default::default() };
        Ok(self.0.clone().apply_coupon(request).await?.into_inner())
    }

    pub(crate) async fn merge(&self, guest_access_token: &str) -> Result<pb::Cart, Status> {
        let request =
            pb::MergeCartRequest { guest_access_token: guest_access_token.to_owned(), ..Default::default() };
        Ok(self.0.clone().merge_cart(request).await?.into_inner())
    }
}

pub(crate) fn add(variant: &str, quantity: i64) -> pb::AddItemRequest {
    pb::AddItemRequest {
        cart: CURRENT.to_owned(),
        variant: variant.to_owned(),
        quantity,
        request_id: Uuid::now_v7().to_string(),
    }
}

/// A variant on sale, its SKU the last part of its name.
pub(crate) fn variant(name: &str, price: i64) -> catalog::Variant {
    let sku = name.rsplit('/').next().unwrap_or_default().to_uppercase();
    catalog::Variant {
        name: name.to_owned(),
        product_title: format!("A {sku}"),
        sku,
        price: Some(gbp(price)),
        state: catalog::variant::State::Active.into(),
        product_state: catalog::product::State::Active.into(),
        stocked: true,
        ..Default::default()
    }
}

/// What is in a cart: SKU and quantity.
pub(crate) fn content(cart: &pb::Cart) -> Vec<(&str, i64)> {
    cart.lines.iter().map(|line| (line.sku.as_str(), line.quantity)).collect()
}

/// What stands in the way.
pub(crate) fn problems(cart: &pb::Cart) -> Vec<pb::cart_problem::Kind> {
    cart.problems.iter().map(pb::CartProblem::kind).collect()
}
