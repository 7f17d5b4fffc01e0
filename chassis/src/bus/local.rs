//! The bus within one process: the relay hands each event to every service that asked for its type.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::join_all;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Unavailable;
use crate::consumer::Consumer;
use crate::event::Envelope;

/// Delivers within this process. Clones are the same bus.
#[derive(Clone, Debug)]
pub struct LocalBus {
    members: Arc<Mutex<BTreeMap<String, Member>>>,
    awaited: Arc<watch::Sender<BTreeSet<String>>>,
}

#[derive(Debug, Default)]
struct Member {
    kinds: BTreeSet<String>,
    /// None while the service is away: its events wait for it.
    consumer: Option<Consumer>,
}

impl LocalBus {
    /// A bus that nobody is awaited on.
    pub fn new() -> LocalBus {
        LocalBus::expecting([])
    }

    /// A bus that delivers nothing until each of these services has joined: an event sent before would pass them by.
    pub fn expecting<'a>(nouns: impl IntoIterator<Item = &'a str>) -> LocalBus {
        let awaited = nouns.into_iter().map(str::to_owned).collect();
        LocalBus { members: Arc::default(), awaited: Arc::new(watch::Sender::new(awaited)) }
    }

    pub(super) async fn ready(&self) {
        // The sender lives as long as this bus, so waiting cannot fail.
        let _ = self.awaited.subscribe().wait_for(BTreeSet::is_empty).await;
    }

    pub(super) async fn publish(&self, envelope: &Envelope) -> Result<(), Unavailable> {
        let consumers: Vec<(String, Option<Consumer>)> = {
            let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
            members
                .iter()
                .filter(|(_, member)| member.kinds.contains(&envelope.kind))
                .map(|(noun, member)| (noun.clone(), member.consumer.clone()))
                .collect()
        };
        let deliveries = consumers.into_iter().map(|(noun, consumer)| async move {
            match consumer {
                Some(consumer) => consumer.receive(envelope).await,
                None => Err(Unavailable(format!("{noun} is away"))),
            }
        });
        join_all(deliveries).await.into_iter().collect()
    }

    pub(super) async fn serve(&self, noun: &str, consumer: Option<Consumer>, shutdown: CancellationToken) {
        let kinds = consumer.as_ref().map(Consumer::kinds).unwrap_or_default();
        self.seat(noun, Member { kinds: kinds.clone(), consumer });
        self.awaited.send_modify(|awaited| {
            awaited.remove(noun);
        });
        shutdown.cancelled().await;
        self.seat(noun, Member { kinds, consumer: None });
    }

    fn seat(&self, noun: &str, member: Member) {
        self.members.lock().unwrap_or_else(PoisonError::into_inner).insert(noun.to_owned(), member);
    }
}

impl Default for LocalBus {
    fn default() -> LocalBus {
        LocalBus::new()
    }
}
