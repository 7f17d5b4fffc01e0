//! SIGTERM and Ctrl-C: the first asks the process to stop, the second ends it.
use tokio_util::sync::CancellationToken;

/// What a program that SIGTERM ends is expected to answer.
const ENDED_BY_SIGTERM: i32 = 128 + 15;

/// Cancels the token when the process is asked to stop. Asked again, it ends at once: everything that matters is in the
/// database, and the next start goes on from there.
pub fn stop_on_signal(shutdown: CancellationToken) {
    let mut signals = Signals::listen();
    #[expect(
        clippy::disallowed_methods,
        reason = "it ends with the process, so a drain must not wait for it"
    )]
    tokio::spawn(async move {
        signals.next().await;
        tracing::info!("asked to stop; asked again, it ends at once");
        shutdown.cancel();
        signals.next().await;
        tracing::warn!("asked to stop again: ending at once");
        std::process::exit(ENDED_BY_SIGTERM);
    });
}

#[cfg(unix)]
struct Signals(Vec<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Signals {
    /// Listens from now on, so that no signal falls between two waits.
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [SignalKind::terminate(), SignalKind::interrupt()];
        Self(kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect())
    }

    async fn next(&mut self) {
        let any = self.0.iter_mut().map(|signal| Box::pin(signal.recv()));
        match any.collect::<Vec<_>>() {
            // A system that lets nobody listen ends the process by itself.
            none if none.is_empty() => std::future::pending().await,
            some => drop(futures::future::select_all(some).await),
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> Self {
        Self
    }

    async fn next(&mut self) {
        drop(tokio::signal::ctrl_c().await);
    }
}
