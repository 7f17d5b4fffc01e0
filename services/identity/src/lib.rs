//! The identity service: who may come in, and what each may do.
//!
//! It owns users and guests, their credentials, addresses, roles and sessions, and the keys that sign access tokens.
//! It promises that an address is told taken to nobody but its owner; that a password is tried at most five times in a
//! quarter of an hour, wherever; that a forgotten one is replaced by a code that works once, for half an hour; that a
//! session that has ended is refused everywhere within five seconds; and that nothing personal leaves it but by
//! [`GetContact`](contract::identity::v1::GetContactRequest), asked by name.
mod access;
mod books;
mod config;
mod domain;
mod error;
mod grpc;
mod hasher;
mod keys;
mod migration;
mod outbound;
mod service;
mod store;
mod vault;

use chassis::{client, db::Db, host::Host, server::Server};
use contract::{
    identity::v1::identity_service_server::IdentityServiceServer,
    order::v1::order_service_client::OrderServiceClient,
};

pub use config::Config;
pub use error::Error;
pub use migration::Migrator;
pub use service::admin::{Admin, create_admin, create_first_admin};

/// The service, as its RPCs see it.
#[derive(Clone)]
struct Service {
    db: Db,
    vault: vault::Vault,
    hasher: hasher::Hasher,
    sign_in: service::sign_in::SignIn,
    access: access::Access,
    messenger: outbound::Messenger,
    orders: OrderServiceClient<client::Channel>,
}

/// Serves until the host's shutdown.
pub async fn serve(host: Host, config: Config) -> Result<(), chassis::Error> {
    let db = host.db::<Migrator>().await?;
    let vault = vault::Vault::open(&db, config.identity_secrets.as_ref()).await?;
    let hasher = hasher::Hasher::new(&vault).map_err(|error| chassis::Error::Other(error.into()))?;
    let access = access::Access::load(&db, &host, &vault).await?;
    let messenger = outbound::Messenger::new(&db, &vault, host.client("notification")?);
    let service = Service {
        sign_in: service::sign_in::SignIn::new(&db, &vault, &hasher),
        orders: OrderServiceClient::new(host.client("order")?),
        db: db.clone(),
        access: access.clone(),
        messenger: messenger.clone(),
        vault,
        hasher,
    };
    Server::new(&host, &db)
        .grpc(IdentityServiceServer::new(service))
        .background("access", |shutdown| access.follow(shutdown))
        .background("messenger", |shutdown| messenger.run(shutdown))
        .audit(books::Ledger)
        .run()
        .await
}
