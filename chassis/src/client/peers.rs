//! The endpoints of one peer: taken in turn, those left alone by their breaker passed over.
//!
//! The transport's own balancer does not tell a dead endpoint from a live one, and keeps sending to both.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::time::Instant;
use tonic::transport::{Channel, Endpoint};

use super::breaker::{Breaker, Permit};
use crate::Error;
use crate::simulated::Network;

const CONNECT_TIMEOUT: Duration = Duration::from_millis(300);
/// Without these a connection to a machine that vanished is believed in until TCP gives up, many minutes later.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Peers {
    list: RwLock<Arc<[Peer]>>,
    next: AtomicUsize,
}

#[derive(Clone, Debug)]
pub(super) struct Peer {
    url: String,
    pub(super) way: Way,
    breaker: Breaker,
}

/// How a peer is reached.
#[derive(Clone)]
pub(super) enum Way {
    Transport(Channel),
    Simulated(Arc<dyn Network>),
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Way::Transport(channel) => channel.fmt(f),
            Way::Simulated(_) => f.write_str("Simulated"),
        }
    }
}

impl Peers {
    pub(super) fn new(urls: &str) -> Result<Peers, Error> {
        let list = connect(urls, &[])?;
        Ok(Peers { list: RwLock::new(list), next: AtomicUsize::new(0) })
    }

    pub(super) fn simulated(noun: &str, network: Arc<dyn Network>) -> Peers {
        let peer = Peer { url: noun.to_owned(), way: Way::Simulated(network), breaker: Breaker::new() };
        Peers { list: RwLock::new([peer].into()), next: AtomicUsize::new(0) }
    }

    pub(super) fn set(&self, urls: &str) -> Result<(), Error> {
        let list = connect(urls, &self.list())?;
        *self.list.write().unwrap_or_else(PoisonError::into_inner) = list;
        Ok(())
    }

    /// The next endpoint that is not left alone; otherwise how long until one may be asked again.
    pub(super) fn pick(&self, now: Instant) -> Result<(Peer, Permit), Duration> {
        let list = self.list();
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let mut wait = Duration::from_secs(1);
        for offset in 0..list.len() {
            let peer = &list[first.wrapping_add(offset) % list.len()];
            match peer.breaker.admit(now) {
                Ok(permit) => return Ok((peer.clone(), permit)),
                Err(closed) => wait = if offset == 0 { closed } else { wait.min(closed) },
            }
        }
        Err(wait)
    }

    pub(super) fn are_several(&self) -> bool {
        self.list().len() > 1
    }

    pub(super) fn are_down(&self) -> bool {
        self.list().iter().all(|peer| peer.breaker.is_open())
    }

    fn list(&self) -> Arc<[Peer]> {
        Arc::clone(&self.list.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn connect(urls: &str, known: &[Peer]) -> Result<Arc<[Peer]>, Error> {
    let mut list = Vec::new();
    for url in urls.split(',').map(str::trim).filter(|url| !url.is_empty()) {
        if let Some(peer) = known.iter().find(|peer| peer.url == url) {
            list.push(peer.clone());
            continue;
        }
        let endpoint = Endpoint::from_shared(url.to_owned())
            .map_err(|error| Error::Settings(format!("{url} is not the URL of a service: {error}")))?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT)
            .keep_alive_while_idle(true);
        let way = Way::Transport(endpoint.connect_lazy());
        list.push(Peer { url: url.to_owned(), way, breaker: Breaker::new() });
    }
    Ok(list.into())
}
