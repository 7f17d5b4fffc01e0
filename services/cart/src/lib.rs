//! What shoppers intend to buy. Cart owns the carts of users and guests, and shows them at prices and stock of now. It
//! promises that a cart is seen by its owner only, and decides nothing: an order prices everything again.
mod abandoned;
mod books;
mod config;
mod domain;
mod error;
mod events;
mod grpc;
mod migration;
mod preview;
mod service;
mod store;

use chassis::auth::Verifier;
use chassis::consumer::Consumer;
use chassis::db::Db;
use chassis::host::Host;
use chassis::server::Server;
use contract::cart::v1::cart_service_server::CartServiceServer;
use contract::catalog::v1::{PriceChanged, ProductChanged};
use contract::identity::v1::UserErased;
use contract::order::v1::{OrderCancelled, OrderPlaced};

pub use config::Config;
pub use migration::Migrator;

/// The cart service. Clones share everything.
#[derive(Clone)]
struct Service {
    db: Db,
    preview: preview::Preview,
    /// Reads the tokens with which guests prove that a cart is theirs.
    verifier: Verifier,
}

/// Serves until the host's shutdown.
pub async fn serve(host: Host, config: Config) -> Result<(), chassis::Error> {
    let db = host.db::<Migrator>().await?;
    let preview = preview::Preview::new(&host, &config)?;
    let verifier = Verifier::new(host.keys.clone(), host.access.clone());
    let service = Service { db: db.clone(), preview, verifier };
    let consumer = Consumer::new(&db, "cart")
        .on::<OrderPlaced>(service.clone())
        .on::<OrderCancelled>(service.clone())
        .on::<UserErased>(service.clone())
        .on::<ProductChanged>(service.clone())
        .on::<PriceChanged>(service.clone());
    let (at_rest, days) = (db.clone(), host.settings.history_days);
    Server::new(&host, &db)
        .grpc(CartServiceServer::new(service))
        .consume(consumer)
        .background("abandoned", async move |shutdown| abandoned::run(&at_rest, config, days, shutdown).await)
        .audit(books::CartBooks)
        .run()
        .await
}
