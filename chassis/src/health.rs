//! Whether each service can do its work: asked of its dependencies every second, told over gRPC and HTTP.
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use tonic_health::{ServingStatus, server::HealthReporter};

mod http;

pub use http::serve;

/// How often dependencies are asked.
const EVERY: Duration = Duration::from_secs(1);
/// How long a dependency may take to answer before it counts as down.
const PATIENCE: Duration = Duration::from_secs(1);

/// The health of every service in the process. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<Mutex<BTreeMap<&'static str, Service>>>);

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
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether every service in the process is serving.
    pub fn serving(&self) -> bool {
        let services = self.services();
        !services.is_empty() && services.values().all(|service| service.serving)
    }

    fn set(&self, noun: &'static str, service: Service) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(noun, service);
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
    loop {
        let asked = dependencies.iter().map(|dependency| async {
            let up = tokio::time::timeout(PATIENCE, (dependency.check)())
                .map(|answer| answer.unwrap_or(false))
                .await;
            (dependency.name, up)
        });
        let answers: BTreeMap<_, _> = futures::future::join_all(asked).await.into_iter().collect();
        let serving = answers.values().all(|up| *up) && !shutdown.is_cancelled();
        let now = Service { serving, dependencies: answers };
        if now != known {
            log_change(noun, &known, &now);
            tell(&reporter, &grpc_services, now.serving).await;
            board.set(noun, now.clone());
            known = now;
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
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

fn log_change(noun: &'static str, before: &Service, now: &Service) {
    for (name, up) in &now.dependencies {
        match (before.dependencies.get(name), up) {
            (Some(false), true) => {
                tracing::info!(service = noun, dependency = name, "the dependency is back")
            }
            (Some(true) | None, false) => {
                tracing::warn!(service = noun, dependency = name, "the dependency does not answer")
            }
            _ => {}
        }
    }
}
