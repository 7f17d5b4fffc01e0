//! The notification service: tells people what happened, once for each event and channel.
//!
//! It owns templates, preferences and the record of every message. It promises that a message asked for in a transaction
//! is sent although the process ends in between, that an event which arrives twice tells once, and that values are put
//! into a text as they are. Where to and in which language it asks identity at sending time, what about it asks order.
//! Without a mail server mail goes to a development inbox.
mod books;
mod config;
mod domain;
mod error;
mod events;
mod grpc;
mod mail;
mod migration;
mod sender;
mod service;
mod store;
mod watch;

use std::time::Duration;

use chassis::{consumer::Consumer, db::Db, host::Host, server::Server};
use contract::{
    identity::v1::{UserErased, UserVerified, identity_service_client::IdentityServiceClient},
    inventory::v1::StockLow,
    notification::v1::notification_service_server::NotificationServiceServer,
    order::v1::{
        OrderCancelled, OrderConfirmed, OrderDelivered, OrderImported, OrderReturned, OrderShipped,
        order_service_client::OrderServiceClient,
    },
};
use tokio_util::sync::CancellationToken;

pub use config::Config;
pub use error::Error;
pub use migration::Migrator;

/// The service, as its RPCs and events see it.
#[derive(Clone)]
struct Service {
    db: Db,
    mail_is_caught: bool,
    arrived: tokio::sync::watch::Sender<u64>,
    shutdown: CancellationToken,
}

/// Serves until the host's shutdown.
pub async fn serve(host: Host, config: Config) -> Result<(), chassis::Error> {
    let db = host.db::<Migrator>().await?;
    if host.is_alone_in(&db) {
        store::due::abandon_all(&db).await?;
    }
    let mail = mail::Mail::new(config.smtp_url.as_ref(), &config.mail_from)?;
    let service = Service {
        db: db.clone(),
        mail_is_caught: mail.is_caught(),
        arrived: tokio::sync::watch::Sender::new(0),
        shutdown: host.shutdown.clone(),
    };
    let sender = sender::Sender {
        db: db.clone(),
        identity: IdentityServiceClient::new(host.client("identity")?),
        orders: OrderServiceClient::new(host.client("order")?),
        mail,
        retry: Duration::from_millis(config.mail_retry_ms),
        arrived: service.arrived.clone(),
    };
    let consumer = Consumer::new(&db, "notification")
        .on::<OrderConfirmed>(service.clone())
        .on::<OrderCancelled>(service.clone())
        .on::<OrderShipped>(service.clone())
        .on::<OrderDelivered>(service.clone())
        .on::<OrderReturned>(service.clone())
        .on::<OrderImported>(service.clone())
        .on::<UserVerified>(service.clone())
        .on::<UserErased>(service.clone())
        .on::<StockLow>(service.clone());
    Server::new(&host, &db)
        .grpc(NotificationServiceServer::new(service))
        .consume(consumer)
        .background("sender", |shutdown| sender.run(shutdown))
        .audit(books::Ledger)
        .run()
        .await
}
