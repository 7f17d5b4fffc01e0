//! What there is to sell. Inventory owns stock by SKU and location, what is held of it for orders, and the journal of
//! every movement. It promises that what is not there is never sold: each change is a conditional statement on the row
//! of the SKU, in one transaction with its journal and its event.
mod books;
mod config;
mod domain;
mod error;
mod events;
mod expiry;
mod grpc;
mod holding;
mod migration;
mod service;
mod store;
mod watch;

use chassis::consumer::Consumer;
use chassis::db::Db;
use chassis::host::Host;
use chassis::server::Server;
use chassis::together::Together;
use contract::inventory::v1::inventory_service_server::InventoryServiceServer;
use contract::order::v1::{OrderCancelled, OrderConfirmed, OrderImported, OrderReturned};

use crate::service::reservations::Wish;

pub use config::Config;
pub use migration::Migrator;

/// The inventory service. Clones share everything.
#[derive(Clone)]
struct Service {
    db: Db,
    watch: watch::Watch,
    holding: Together<Wish>,
}

/// Serves until the host's shutdown.
pub async fn serve(host: Host, config: Config) -> Result<(), chassis::Error> {
    let db = host.db::<Migrator>().await?;
    let service = Service { db: db.clone(), watch: watch::Watch::default(), holding: holding::of(&db) };
    let consumer = Consumer::new(&db, "inventory")
        .on::<OrderConfirmed>(service.clone())
        .on::<OrderCancelled>(service.clone())
        .on::<OrderReturned>(service.clone())
        .on::<OrderImported>(service.clone());
    let (watch, expiring) = (service.watch.clone(), db.clone());
    Server::new(&host, &db)
        .grpc(InventoryServiceServer::new(service))
        .consume(consumer)
        .background("watch", async move |shutdown| watch.run(&db, shutdown).await)
        .background("expiry", async move |shutdown| expiry::run(&expiring, config, shutdown).await)
        .audit(books::InventoryBooks)
        .run()
        .await
}
