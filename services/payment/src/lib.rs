//! Payment owns the money of orders: it has channels promise, take and give it back, and keeps the ledger.
//!
//! It promises that an order is paid at most once, that no more is refunded than was taken, that each entry of the
//! ledger sums to zero, and that nothing is guessed: a channel that did not answer is asked until it says what it did.

mod books;
mod channel;
mod config;
mod domain;
mod error;
mod events;
mod grpc;
mod migration;
mod orphans;
mod reconcile;
mod risk;
mod service;
mod store;
mod till;
mod webhook;

use std::time::Duration;

use chassis::consumer::Consumer;
use chassis::db::Db;
use chassis::host::Host;
use chassis::server::Server;
use chassis::together::Together;
use contract::order::v1::{OrderCancelled, OrderClaimed, OrderConfirmed, OrderImported, OrderReturned};
use contract::payment::v1::payment_service_server::PaymentServiceServer;
use contract::payment::v1::reconciliation_service_server::ReconciliationServiceServer;
use contract::payment::v1::risk_service_server::RiskServiceServer;

pub use config::Config;
pub use migration::Migrator;

use channel::Channels;
use orphans::Orphans;
use reconcile::Reconciler;
use service::{Asked, Intents};
use till::Till;

/// The service, as each call and each event finds it.
#[derive(Clone)]
pub(crate) struct Service {
    db: Db,
    channels: Channels,
    till: Till,
    intents: Together<Asked>,
    reconciler: Reconciler,
    refund_limit: i64,
}

/// Serves until the host's shutdown.
pub async fn serve(host: Host, config: Config) -> Result<(), chassis::Error> {
    let db = host.db::<Migrator>().await?;
    if host.is_alone_in(&db) {
        store::abandon_all(&db).await?;
    }
    let channels = Channels::open(&config, &db, host.world.as_ref())?;
    let attention_after = Duration::from_secs(config.payment_attention_seconds);
    let till = Till::new(&db, &channels, attention_after);
    let reconciler = Reconciler::new(&db, &channels, &config);
    let orphaned_after = Duration::from_secs(config.payment_orphan_seconds);
    let intents = Intents { db: db.clone(), lease_span: till.lease_span(), orphaned_after }.open();
    let orphans = Orphans::new(&db, host.client("order")?, orphaned_after);
    let service = Service {
        db: db.clone(),
        channels,
        till: till.clone(),
        intents,
        reconciler: reconciler.clone(),
        refund_limit: config.payment_refund_limit,
    };
    let (listening, listened) = (till.clone(), db.clone());
    let consumer = Consumer::new(&db, host.noun)
        .on::<OrderConfirmed>(service.clone())
        .on::<OrderCancelled>(service.clone())
        .on::<OrderReturned>(service.clone())
        .on::<OrderImported>(service.clone())
        .on::<OrderClaimed>(service.clone());
    Server::new(&host, &db)
        .grpc(PaymentServiceServer::new(service.clone()))
        .grpc(RiskServiceServer::new(service.clone()))
        .grpc(ReconciliationServiceServer::new(service))
        .consume(consumer)
        .background("till", async move |stop| till.run(stop).await)
        .background("webhooks", async move |stop| listening.listen(listened, stop.cancelled()).await)
        .background("orphans", async move |stop| orphans.run(stop.cancelled()).await)
        .background("reconciler", async move |stop| reconciler.keep(stop.cancelled()).await)
        .audit(books::Ledger)
        .run()
        .await
}
