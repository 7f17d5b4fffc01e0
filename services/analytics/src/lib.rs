//! Analytics: what happened, counted.
//!
//! It owns a fact for each order that was confirmed or imported, with what was given back of it, and what visitors did.
//! It promises that a report's sums are exact and equal the orders they are of, whatever is told twice or late, and that
//! whoever asks to be forgotten is.

mod books;
mod config;
mod domain;
mod error;
mod events;
mod grpc;
mod migration;
mod retention;
mod service;
mod store;

use chassis::consumer::Consumer;
use chassis::db::Db;
use chassis::host::Host;
use chassis::server::Server;
use contract::analytics::v1::analytics_service_server::AnalyticsServiceServer;
use contract::identity::v1::UserErased;
use contract::order::v1::{OrderCancelled, OrderClaimed, OrderConfirmed, OrderImported, OrderReturned};

pub use config::Config;
pub use migration::Migrator;

/// Analytics, as its RPCs and its consumer see it.
#[derive(Clone, Debug)]
struct Service {
    db: Db,
}

/// Serves analytics until the host's shutdown.
pub async fn serve(host: Host, config: Config) -> Result<(), chassis::Error> {
    let db = host.db::<Migrator>().await?;
    let service = Service { db: db.clone() };
    let consumer = Consumer::new(&db, "analytics")
        .on::<OrderConfirmed>(service.clone())
        .on::<OrderImported>(service.clone())
        .on::<OrderCancelled>(service.clone())
        .on::<OrderReturned>(service.clone())
        .on::<OrderClaimed>(service.clone())
        .on::<UserErased>(service.clone());
    let retained = db.clone();
    Server::new(&host, &db)
        .grpc(AnalyticsServiceServer::new(service))
        .consume(consumer)
        .background("retention", move |shutdown| retention::run(retained, config.behaviour_days, shutdown))
        .audit(books::Books)
        .run()
        .await
}
