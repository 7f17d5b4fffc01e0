//! What carries events: durable queues, one for each service, that bring each event at least once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chassis::bus::Unavailable;
use chassis::consumer::Consumer;
use chassis::event::Envelope;
use chassis::simulated::Broker;
use futures::future::BoxFuture;
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::world::World;

/// How many messages a consumer has in hand at most.
const PREFETCH: usize = 50;
/// How long a consumer keeps what it cannot take now before it tries again.
const AGAIN: Duration = Duration::from_millis(200);

/// The queues. They outlive everybody who reads them.
pub(crate) struct Queues {
    world: World,
    queues: Mutex<BTreeMap<String, Arc<Queue>>>,
}

struct Queue {
    kinds: BTreeSet<String>,
    waiting: Mutex<VecDeque<Envelope>>,
    filled: Notify,
}

impl Queues {
    pub(crate) fn new(world: &World) -> Queues {
        Queues { world: world.clone(), queues: Mutex::default() }
    }

    fn queues(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Queue>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, VecDeque<Envelope>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an event at the end, or before events of other aggregates.
    fn put(&self, world: &World, event: Envelope) {
        let mut waiting = self.waiting();
        let behind = waiting.iter().rposition(|before| before.key == event.key).map_or(0, |place| place + 1);
        let mut state = world.state();
        let (rates, end) = (state.rates, waiting.len());
        let overtakes = state.chance.falls(rates.shuffled);
        let place = if overtakes { behind + state.chance.index(end - behind + 1) } else { end };
        drop(state);
        waiting.insert(place, event);
        self.filled.notify_one();
    }

    /// Takes some of what waits in hand.
    fn take<'a>(&'a self, world: &World) -> InHand<'a> {
        let mut waiting = self.waiting();
        let most = waiting.len().min(PREFETCH);
        let some = if most == 0 { 0 } else { 1 + world.state().chance.index(most) };
        InHand { queue: self, events: waiting.drain(..some).collect() }
    }
}

/// Events that are not acknowledged yet: whoever dies with them in hand gives them back.
struct InHand<'a> {
    queue: &'a Queue,
    events: Vec<Envelope>,
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        let mut waiting = self.queue.waiting();
        for event in self.events.drain(..).rev() {
            waiting.push_front(event);
        }
    }
}

impl Broker for Queues {
    fn publish(&self, event: Envelope) -> BoxFuture<'static, Result<(), Unavailable>> {
        let bound: Vec<_> =
            self.queues().values().filter(|queue| queue.kinds.contains(&event.kind)).cloned().collect();
        let world = self.world.clone();
        Box::pin(async move {
            let (late, doubled, unconfirmed) = {
                let mut state = world.state();
                let rates = state.rates;
                let doubled = state.chance.falls(rates.doubled);
                let unconfirmed = state.chance.falls(rates.unconfirmed);
                state.counts.events += 1;
                state.counts.events_doubled += u64::from(doubled || unconfirmed);
                state.tell(format_args!("event {} of {} to {}", event.kind, event.key, bound.len()));
                (state.chance.below(4), doubled, unconfirmed)
            };
            sleep(Duration::from_millis(late)).await;
            for queue in bound {
                queue.put(&world, event.clone());
                if doubled {
                    queue.put(&world, event.clone());
                }
            }
            if unconfirmed { Err(Unavailable::because("the confirmation is lost")) } else { Ok(()) }
        })
    }

    fn serve(&self, noun: &str, consumer: Consumer, shutdown: CancellationToken) -> BoxFuture<'static, ()> {
        let world = self.world.clone();
        let noun = noun.to_owned();
        let queue = Arc::clone(self.queues().entry(noun.clone()).or_insert_with(|| {
            Arc::new(Queue { kinds: consumer.kinds(), waiting: Mutex::default(), filled: Notify::new() })
        }));
        Box::pin(async move {
            consumer.catch_up(&shutdown).await;
            while !shutdown.is_cancelled() {
                let mut in_hand = queue.take(&world);
                if in_hand.events.is_empty() {
                    drop(in_hand);
                    queue.filled.notified().await;
                    continue;
                }
                while let Err(error) = consumer.receive_all(&in_hand.events).await {
                    world.state().tell(format_args!("{noun} cannot take events now: {error}"));
                    sleep(AGAIN).await;
                }
                let count = in_hand.events.len();
                world.state().tell(format_args!("{noun} has taken {count} events"));
                in_hand.events.clear();
            }
        })
    }
}
