//! The services of one process, stopped in the order in which they need each other.
use std::time::Duration;

use chassis::{Host, task};
use futures::future::{BoxFuture, select_all};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// A service at work, until its shutdown.
pub(super) type Serving = BoxFuture<'static, Result<(), chassis::Error>>;

/// Who stops first: the door, then what is being bought. Their last calls need all the others, which stop after them.
const STAGES: [&[&str]; 2] = [&["gateway"], &["order", "cart"]];

/// Everything that this process serves.
pub(super) struct Services {
    running: Vec<Service>,
    /// How long stopping may take in all.
    drain: Duration,
}

struct Service {
    noun: &'static str,
    stop: CancellationToken,
    serving: JoinHandle<Result<(), chassis::Error>>,
}

impl Services {
    pub(super) fn new(drain: Duration) -> Self {
        Services { running: Vec::new(), drain }
    }

    pub(super) fn start(&mut self, host: Host, serve: impl FnOnce(Host) -> Serving) {
        let (noun, stop) = (host.noun, host.shutdown.clone());
        self.running.push(Service { noun, stop, serving: task::spawn("service", serve(host)) });
    }

    /// Waits until one of them ends by itself, which none does unless something is wrong: a shop without orders is no
    /// shop.
    pub(super) async fn failed<T>(&mut self) -> anyhow::Result<T> {
        let (ended, which, _) = select_all(self.running.iter_mut().map(|service| &mut service.serving)).await;
        let noun = self.running.swap_remove(which).noun;
        let error = match ended {
            Ok(Ok(())) => anyhow::anyhow!("it stopped by itself"),
            Ok(Err(error)) => error.into(),
            Err(panic) => panic.into(),
        };
        Err(error.context(noun))
    }

    /// Stops them stage by stage. Each stage ends before the next begins, as long as there is time; what has not ended
    /// when it is up goes on from the database at the next start.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        // The last stage keeps some of the time for itself, however long the calls take.
        let until = began + self.drain - self.drain / 6;
        let mut outcome = Ok(());
        for stage in STAGES {
            let (leaving, staying) =
                self.running.into_iter().partition(|service| stage.contains(&service.noun));
            self.running = staying;
            outcome = outcome.and(end(leaving, until).await);
        }
        outcome.and(end(self.running, began + self.drain).await)
    }
}

/// Ends these side by side.
async fn end(leaving: Vec<Service>, until: Instant) -> anyhow::Result<()> {
    for service in &leaving {
        service.stop.cancel();
    }
    let mut outcome = Ok(());
    for service in leaving {
        match timeout_at(until, service.serving).await {
            Ok(ended) => {
                outcome = outcome.and(ended?.map_err(|error| anyhow::Error::new(error).context(service.noun)))
            }
            Err(_) => tracing::warn!(service = service.noun, "stopping although it has not ended"),
        }
    }
    outcome
}
