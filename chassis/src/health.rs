//! Whether each service can do its work: asked of its dependencies every second, told over gRPC and HTTP.
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use serde::Serialize;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;
use tonic_health::{ServingStatus, server::HealthReporter};

mod http;

pub use http::serve;

/// How often dependencies are asked.
const EVERY: Duration = Duration::from_secs(1);
/// How long a dependency may take to answer before it counts as down.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a dependency that was not there yet may take before its absence is worth a warning.
const STARTING: Duration = Duration::from_secs(5);

/// The health of every service in the process. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Board {
    services: Arc<Mutex<BTreeMap<&'static str, Service>>>,
    changed: Arc<Notify>,
}

/// The health of one service.
#[derive(Clone, Debug, Default, Serialize, PartialEq, Eq)]
pub struct Service {
    /// Whether it takes calls: all dependencies are up, and it is not stopping.
    pub serving: bool,
    /// Each dependency, and whether it answers.
    pub dependencies: BTreeMap<&'static str, bool>,
}

impl Board {
    /// A service that is not serving yet.
    pub fn enter(&self, noun: &'static str) {
        self.set(noun, Service::default());
    }

    /// What is known now.
    pub fn services(&self) -> BTreeMap<&'static str, Service> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether every service in the process is serving.
    pub fn serving(&self) -> bool {
        let services = self.services();
        !services.is_empty() && services.values().all(|service| service.serving)
    }

    /// Has every dependency asked now, rather than within a second: one of them may have come up.
    pub fn recheck(&self) {
        self.changed.notify_waiters();
    }

    fn set(&self, noun: &'static str, service: Service) {
        self.services.lock().unwrap_or_else(PoisonError::into_inner).insert(noun, service);
    }
}

/// Something a service cannot work without, and how to ask whether it is there.
pub struct Dependency {
    /// What it is called: `database`.
    pub name: &'static str,
    /// Asks it. No answer within a second counts as no.
    pub check: Box<dyn Fn() -> BoxFuture<'static, bool> + Send + Sync>,
}

/// Asks the dependencies until shutdown, and tells the board and the gRPC health service what they say.
pub async fn watch(
    noun: &'static str,
    dependencies: Vec<Dependency>,
    board: Board,
    reporter: HealthReporter,
    grpc_services: Vec<&'static str>,
    shutdown: CancellationToken,
) {
    let mut known = Service::default();
    let mut reported = Reported { noun, since: Instant::now(), missing: BTreeSet::new() };
    loop {
        // Listening starts before asking, so that a change in between is not missed.
        let changed = board.changed.notified();
        let mut changed = std::pin::pin!(changed);
        changed.as_mut().enable();
        let asked = dependencies.iter().map(|dependency| async {
            let up = tokio::time::timeout(PATIENCE, (dependency.check)())
                .map(|answer| answer.unwrap_or(false))
                .await;
            (dependency.name, up)
        });
        let answers: BTreeMap<_, _> = futures::future::join_all(asked).await.into_iter().collect();
        let serving = answers.values().all(|up| *up) && !shutdown.is_cancelled();
        let now = Service { serving, dependencies: answers };
        reported.tell(&known, &now);
        if now != known {
            tell(&reporter, &grpc_services, now.serving).await;
            board.set(noun, now.clone());
            known = now;
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = changed => {}
            () = shutdown.cancelled() => break,
        }
    }
    // Load balancers take the service out while it still answers what is under way.
    tell(&reporter, &grpc_services, false).await;
    board.set(noun, Service { serving: false, ..known });
}

async fn tell(reporter: &HealthReporter, grpc_services: &[&'static str], serving: bool) {
    let status = if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
    for name in grpc_services.iter().chain(&[""]) {
        reporter.set_service_status(*name, status).await;
    }
}

/// What the log knows of a service's dependencies.
struct Reported {
    noun: &'static str,
    since: Instant,
    missing: BTreeSet<&'static str>,
}

impl Reported {
    /// Warns once of a dependency that is lost, or was not there in the time a start takes, and says when it is back.
    fn tell(&mut self, before: &Service, now: &Service) {
        let started = self.since.elapsed() >= STARTING;
        for (name, up) in &now.dependencies {
            let was_up = before.dependencies.get(name) == Some(&true);
            if *up && self.missing.remove(name) {
                tracing::info!(service = self.noun, dependency = name, "the dependency is back");
            } else if !up && (was_up || started) && self.missing.insert(name) {
                tracing::warn!(service = self.noun, dependency = name, "the dependency does not answer");
            }
        }
    }
}
