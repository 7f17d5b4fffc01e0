//! The catalog: what is for sale, at which price, in which place of the tree, with which pictures, and how it is found.
//!
//! It owns products and their variants, prices with their history, categories, images and the search index. It promises
//! that a SKU names one variant for ever, that a price that orders are made at is what the database says at that moment,
//! and that what was written is found within two seconds.

mod books;
mod config;
mod domain;
mod error;
mod events;
mod grpc;
mod media;
mod migration;
mod prices;
mod pricing;
mod search;
mod service;
mod store;
mod views;

use std::sync::Arc;

use chassis::cache::Redis;
use chassis::db::Db;
use chassis::host::Host;
use chassis::server::Server;
use contract::catalog::v1::catalog_service_server::CatalogServiceServer;
use tokio::sync::Notify;

pub use config::Config;
pub use migration::Migrator;

/// The catalog, as its RPCs and its tasks see it.
#[derive(Clone)]
struct Service {
    db: Db,
    views: views::Views,
    pricing: pricing::Pricing,
    index: search::Index,
    media: media::Media,
    /// Woken when a price was set, which may be for later.
    prices_set: Arc<Notify>,
}

/// Serves the catalog until the host's shutdown.
pub async fn serve(host: Host, config: Config) -> Result<(), chassis::Error> {
    let db = host.db::<Migrator>().await?;
    let data_dir = &host.settings.data_dir;
    let redis = host.settings.redis_url.as_ref().map(|url| Redis::new(url.expose())).transpose()?;
    let generation = db.write(async |tx| store::feed::generation(tx).await).await?;
    let index = search::Index::open(&data_dir.join("search"), generation);
    let service = Service {
        views: views::Views::new(&db, generation, redis),
        pricing: pricing::Pricing::new(&db),
        index: index.map_err(|error| chassis::Error::other(format!("the search index: {error}")))?,
        media: media::Media::open(config.media_url.as_deref(), data_dir)?,
        prices_set: Arc::default(),
        db: db.clone(),
    };
    let feed = search::Feed::new(&db, &service.index);
    let prices = service.clone();
    Server::new(&host, &db)
        .grpc(CatalogServiceServer::new(service))
        .background("search-feed", |shutdown| feed.run(shutdown))
        .background("prices", |shutdown| prices::run(prices, shutdown))
        .audit(books::Books)
        .run()
        .await
}
