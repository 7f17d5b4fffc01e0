//! The shell around every service: one listener, the layers each call passes, health, background work, and the end.
use std::{convert::Infallible, future::Future, sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use tokio_util::sync::CancellationToken;
use tonic::{body::Body, server::NamedService, service::RoutesBuilder};
use tower::{Service, util::BoxCloneService};

use crate::{
    Error,
    auth::{Verifier, layer::Auth},
    bus::Bus,
    consumer::Consumer,
    db::Db,
    health, history,
    host::Host,
    operations::{self, Books, Operations},
    outbox::Relay,
    task, telemetry,
};

pub(crate) mod around;
mod content_type;
mod deadline;
mod detached;
mod framing;
mod limit;
mod listen;
mod observe;
mod offered;

use around::Wrap;

/// How long background work may take to notice that the server has stopped.
const BACKGROUND_PATIENCE: Duration = Duration::from_secs(10);

type Work = Box<dyn FnOnce(CancellationToken) -> BoxFuture<'static, ()> + Send>;

/// One service, as it is put together and then run.
pub struct Server {
    host: Host,
    db: Option<Db>,
    routes: RoutesBuilder,
    names: Vec<&'static str>,
    consumer: Option<Consumer>,
    background: Vec<(&'static str, Work)>,
    books: Option<Arc<dyn Books>>,
    dependencies: Vec<health::Dependency>,
}

impl Server {
    /// A server for a service with its database.
    pub fn new(host: &Host, db: &Db) -> Self {
        Self { db: Some(db.clone()), ..Self::without_database(host) }
    }

    /// A server for a service that keeps nothing, such as the gateway.
    pub fn without_database(host: &Host) -> Self {
        Self {
            host: host.clone(),
            db: None,
            routes: RoutesBuilder::default(),
            names: Vec::new(),
            consumer: None,
            background: Vec::new(),
            books: None,
            dependencies: Vec::new(),
        }
    }

    /// Offers a gRPC service.
    #[must_use]
    pub fn grpc<S>(mut self, service: S) -> Self
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.names.push(S::NAME);
        self.routes.add_service(service);
        self
    }

    /// Receives the events the consumer asks for.
    #[must_use]
    pub fn consume(mut self, consumer: Consumer) -> Self {
        self.consumer = Some(consumer);
        self
    }

    /// Runs work beside the calls. It ends by itself soon after the token is cancelled.
    #[must_use]
    pub fn background<F, W>(mut self, name: &'static str, work: F) -> Self
    where
        F: FnOnce(CancellationToken) -> W + Send + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        self.background.push((name, Box::new(move |shutdown| work(shutdown).boxed())));
        self
    }

    /// Lets operators check the service's books.
    #[must_use]
    pub fn audit(mut self, books: impl Books) -> Self {
        self.books = Some(Arc::new(books));
        self
    }

    /// Names something the service cannot work without. The database and the bus are known already.
    #[must_use]
    pub fn dependency<F, W>(mut self, name: &'static str, check: F) -> Self
    where
        F: Fn() -> W + Send + Sync + 'static,
        W: Future<Output = bool> + Send + 'static,
    {
        self.dependencies.push(health::Dependency { name, check: Box::new(move || check().boxed()) });
        self
    }

    /// Serves until the host's shutdown, then lets what is under way end.
    pub async fn run(mut self) -> Result<(), Error> {
        let (host, shutdown) = (self.host.clone(), self.host.shutdown.clone());
        let in_flight_ended = CancellationToken::new();
        if host.world.is_none() {
            telemetry::metrics();
        }
        self.add_operations();
        let background = self.start_background(&in_flight_ended);
        let serving = self.serve();
        let drain = Duration::from_secs(host.settings.drain_seconds);
        let result = tokio::select! {
            result = serving => result,
            () = async { shutdown.cancelled().await; tokio::time::sleep(drain).await } => {
                tracing::warn!(service = host.noun, drain_s = drain.as_secs(), "stopping although some calls have not ended");
                Ok(())
            }
        };
        // Events of the last calls are still relayed: background work stops after them.
        in_flight_ended.cancel();
        for work in background {
            if tokio::time::timeout(BACKGROUND_PATIENCE, work).await.is_err() {
                tracing::warn!(service = host.noun, "stopping although background work has not ended");
            }
        }
        tracing::info!(service = host.noun, "stopped");
        result
    }

    fn add_operations(&mut self) {
        let Some(db) = &self.db else { return };
        let days = self.host.settings.history_days;
        let patience = Duration::from_secs(self.host.settings.catch_up_seconds.into());
        let outboxes = Arc::new(operations::RemoteOutboxes::new(&self.host));
        self.consumer =
            self.consumer.take().map(|consumer| consumer.reading(outboxes, days).patience(patience));
        let service = Operations::new(db, self.host.noun, self.consumer.clone(), self.books.clone(), days);
        self.names.push(<Operations as NamedService>::NAME);
        self.routes.add_service(service);
    }

    fn start_background(&mut self, stop: &CancellationToken) -> Vec<tokio::task::JoinHandle<()>> {
        let mut started = Vec::new();
        let (noun, bus, consumer) = (self.host.noun, self.host.bus.clone(), self.consumer.take());
        if let Some(db) = &self.db {
            started.push(task::spawn("relay", Relay::new(db, noun, bus.clone()).run(stop.clone())));
            let days = self.host.settings.history_days;
            started.push(task::spawn("history", history::forget_always(db.clone(), days, stop.clone())));
            if self.host.settings.audit_minutes > 0 {
                let every = Duration::from_secs(60 * u64::from(self.host.settings.audit_minutes));
                let watch = operations::Watch::new(db, noun, self.books.clone(), every);
                started.push(task::spawn("audit", watch.run(stop.clone())));
            }
            started.push(task::spawn("gauges", operations::watch(db.clone(), noun, stop.clone())));
        }
        let serve_bus = {
            let (bus, stop) = (bus.clone(), stop.clone());
            async move { bus.serve(noun, consumer, stop).await }
        };
        started.push(task::spawn("consume", serve_bus));
        started.push(task::spawn("access-policy", self.host.clone().follow_access_policy(stop.clone())));
        for (name, work) in self.background.drain(..) {
            started.push(task::spawn(name, work(stop.clone())));
        }
        let mut dependencies = std::mem::take(&mut self.dependencies);
        if let Some(db) = self.db.clone() {
            let check = Box::new(move || {
                let db = db.clone();
                async move { db.ping().await.is_ok() }.boxed()
            });
            dependencies.push(health::Dependency { name: "database", check });
        }
        if matches!(bus, Bus::Amqp(_)) {
            let check = Box::new(move || std::future::ready(bus.connected()).boxed());
            dependencies.push(health::Dependency { name: "rabbitmq", check });
        }
        let (reporter, health_service) = tonic_health::server::health_reporter();
        self.routes.add_service(health_service);
        let watch = health::watch(
            noun,
            dependencies,
            self.host.health.clone(),
            reporter,
            self.names.clone(),
            self.host.shutdown.clone(),
        );
        started.push(task::spawn("health", watch));
        started
    }

    async fn serve(mut self) -> Result<(), Error> {
        let (host, shutdown) = (&self.host, &self.host.shutdown);
        if host.settings.reflection.unwrap_or(host.embedded) {
            let describe = || {
                tonic_reflection::server::Builder::configure()
                    .register_encoded_file_descriptor_set(contract::DESCRIPTORS)
            };
            self.routes.add_service(describe().build_v1().map_err(|error| Error::Other(error.into()))?);
            self.routes.add_service(describe().build_v1alpha().map_err(|error| Error::Other(error.into()))?);
            self.names
                .extend(["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"]);
        }
        if let Some(probes) = host.metrics_listener()? {
            task::spawn("probes", health::serve(probes, host.health.clone(), shutdown.clone()));
        }
        self.names.push("grpc.health.v1.Health");
        let verifier = Verifier::new(host.keys.clone(), host.access.clone());
        let layers = tower::ServiceBuilder::new()
            .layer(Wrap(observe::Observe { shutdown: shutdown.clone() }))
            .layer(Wrap(content_type::ContentType))
            .layer(Wrap(deadline::Deadline))
            .layer(Wrap(detached::Detached))
            .layer(Wrap(limit::Limit::new(host.settings.in_flight_max)))
            .layer(Wrap(offered::Offered::new(self.names)))
            .layer(Wrap(Auth(verifier)))
            .layer(Wrap(framing::Framing));
        let service = layers.service(self.routes.routes().prepare());
        if let Some(world) = &host.world {
            world.network.open(host.noun, BoxCloneService::new(service));
            shutdown.cancelled().await;
            return Ok(());
        }
        let drain = Duration::from_secs(host.settings.drain_seconds);
        let listener = host.listener()?;
        let address = listener.local_addr().map_err(Error::io("listening"))?;
        tracing::info!(service = host.noun, %address, "serving");
        listen::serve(listener, service, drain, shutdown.clone()).await;
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests play clients and peers, which nobody drains")]
mod tests;
