//! Sending goods. Shipping owns zones and their rates, shipments, and where those have been.
//!
//! It promises that a paid order has its shipment made once, that nothing of a cancelled order is packed whatever news
//! comes first, that no more is sent than was bought, and that a shipment only ever goes forward.
mod books;
mod config;
mod domain;
mod error;
mod events;
mod grpc;
mod migration;
mod orders;
mod packing;
mod service;
mod store;
mod tariffs;
mod watch;

use std::time::Duration;

use chassis::consumer::Consumer;
use chassis::db::Db;
use chassis::host::Host;
use chassis::server::Server;
use contract::identity::v1::UserErased;
use contract::order::v1::{OrderCancelled, OrderClaimed, OrderConfirmed};
use contract::payment::v1::PaymentCaptured;
use contract::shipping::v1::shipping_service_server::ShippingServiceServer;

pub use config::Config;
pub use migration::Migrator;

/// The shipping service. Clones share everything.
#[derive(Clone)]
struct Service {
    db: Db,
    orders: orders::Orders,
    watch: watch::Watch,
    tariffs: tariffs::Tariffs,
}

/// Serves until the host's shutdown.
pub async fn serve(host: Host, config: Config) -> Result<(), chassis::Error> {
    let db = host.db::<Migrator>().await?;
    let orders = orders::Orders::of(&host)?;
    let service = Service {
        db: db.clone(),
        orders: orders.clone(),
        watch: watch::Watch::default(),
        tariffs: tariffs::Tariffs::new(&db),
    };
    let consumer = Consumer::new(&db, host.noun)
        .on::<PaymentCaptured>(service.clone())
        .on::<OrderConfirmed>(service.clone())
        .on::<OrderCancelled>(service.clone())
        .on::<OrderClaimed>(service.clone())
        .on::<UserErased>(service.clone());
    let every = Duration::from_millis(config.shipping_pack_every_ms);
    let packing = packing::Packing { db: db.clone(), orders, every };
    let (watch, watched) = (service.watch.clone(), db.clone());
    Server::new(&host, &db)
        .grpc(ShippingServiceServer::new(service))
        .consume(consumer)
        .background("packing", async move |shutdown| packing.run(shutdown).await)
        .background("watch", async move |shutdown| watch.run(&watched, shutdown).await)
        .audit(books::ShippingBooks)
        .run()
        .await
}
