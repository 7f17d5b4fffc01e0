//! Promotion owns coupons, their uses, and what is recommended.
//!
//! It promises that a coupon is never used more often than it allows, whoever comes at once, that a discount never goes
//! below zero and adds up over its lines, and that an order uses at most one coupon and gives it back at most once.

mod books;
mod config;
mod domain;
mod error;
mod events;
mod grpc;
mod guesses;
mod migration;
mod service;
mod store;

use chassis::consumer::Consumer;
use chassis::db::Db;
use chassis::host::Host;
use chassis::server::Server;
use contract::order::v1::{OrderCancelled, OrderConfirmed, OrderImported};
use contract::promotion::v1::promotion_service_server::PromotionServiceServer;

pub use config::Config;
pub use migration::Migrator;

use guesses::Guesses;

/// The service, as each call and each event finds it.
#[derive(Clone)]
pub(crate) struct Service {
    db: Db,
    guesses: Guesses,
}

/// Serves until the host's shutdown.
pub async fn serve(host: Host, config: Config) -> Result<(), chassis::Error> {
    let db = host.db::<Migrator>().await?;
    let service =
        Service { db: db.clone(), guesses: Guesses::new(config.promotion_unknown_codes_per_minute) };
    let consumer = Consumer::new(&db, host.noun)
        .on::<OrderConfirmed>(service.clone())
        .on::<OrderImported>(service.clone())
        .on::<OrderCancelled>(service.clone());
    Server::new(&host, &db)
        .grpc(PromotionServiceServer::new(service))
        .consume(consumer)
        .audit(books::Coupons)
        .run()
        .await
}
