//! Orders: what was bought, at which price, and what became of it.
//!
//! An order is its events: they are appended with the version they follow, so that of two who change an order at once
//! one is told `ABORTED`, and the row in `orders` is what they amount to, written in the same transaction. Placing an
//! order accepts it and starts its checkout (`checkout.rs`) in one transaction: from then on coupon, stock and payment are
//! secured and the order is confirmed, or everything is given back and it is cancelled, whatever crashes when. What
//! follows, from capture to delivery, is heard as events. Where an order goes and what people wrote about it is kept apart
//! (`order_private`), so that it can be erased while the books stay.
//!
//! Prices include tax. `TAX_BASIS_POINTS` says how much they contain; the tax of an order is what each line and its
//! shipping contain at that rate, each rounded half to even.

mod accept;
mod announce;
mod books;
mod checkout;
mod claims;
mod config;
mod domain;
mod error;
mod events;
mod grpc;
mod migration;
mod peers;
mod place;
mod quote;
mod service;
mod store;
mod watch;

use std::sync::Arc;

use chassis::consumer::Consumer;
use chassis::db::Db;
use chassis::host::Host;
use chassis::saga::{self, Runner};
use chassis::server::Server;
use chassis::together::Together;
use contract::identity::v1::UserErased;
use contract::order::v1::order_service_server::OrderServiceServer;
use contract::payment::v1::{PaymentCaptured, PaymentFailed, PaymentRefunded, PaymentVoided};
use contract::shipping::v1::{ShipmentDelivered, ShipmentDispatched};

pub use config::{Config, CountryTax};
pub use migration::Migrator;

use accept::Accepting;
use books::Books;
use checkout::Checkout;
use claims::Claims;
use peers::Peers;
use watch::Watchers;

/// What every call finds. Clones share everything.
#[derive(Clone)]
pub(crate) struct Service {
    db: Db,
    peers: Peers,
    config: Arc<Config>,
    runner: Runner<Checkout>,
    accepting: Together<Accepting>,
    claims: Claims,
    watchers: Watchers,
}

impl Service {
    fn new(db: &Db, peers: Peers, claims: Claims, config: Config, patience: saga::Settings) -> Service {
        let runner = checkout::runner(db, &peers, patience);
        let accepting = {
            let (db, runner) = (db.clone(), runner.clone());
            Together::new(move |asked| {
                let (db, runner) = (db.clone(), runner.clone());
                async move { accept::accept(&db, &runner, asked).await }
            })
        };
        Service {
            db: db.clone(),
            peers,
            config: Arc::new(config),
            runner,
            accepting,
            claims,
            watchers: Watchers::new(db),
        }
    }
}

/// Serves orders until the host's shutdown.
pub async fn serve(host: Host, config: Config) -> Result<(), chassis::Error> {
    let db = host.db::<Migrator>().await?;
    let peers = Peers::of(&host)?;
    let claims = Claims::open(&db, &peers).await?;
    let service = Service::new(&db, peers, claims.clone(), config, saga::Settings::default());
    let consumer = Consumer::new(&db, "order")
        .on::<PaymentCaptured>(service.clone())
        .on::<PaymentVoided>(service.clone())
        .on::<PaymentRefunded>(service.clone())
        .on::<PaymentFailed>(service.clone())
        .on::<ShipmentDispatched>(service.clone())
        .on::<ShipmentDelivered>(service.clone())
        .on::<UserErased>(service.clone());
    let (runner, watchers, shutdown) =
        (service.runner.clone(), service.watchers.clone(), host.shutdown.clone());
    Server::new(&host, &db)
        .grpc(OrderServiceServer::new(service))
        .consume(consumer)
        .background("sagas", async move |stop| runner.recover(stop).await)
        .background("claims", async move |stop| claims.run(stop).await)
        // Streams end as soon as the server is asked to stop: it waits for them.
        .background("watchers", async move |_| watchers.run(shutdown.cancelled_owned()).await)
        .audit(Books)
        .run()
        .await
}
