//! The bus: how events get from one service's outbox to the others' inboxes.

mod amqp;
mod local;

use std::fmt;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

pub use amqp::AmqpBus;
pub use local::LocalBus;

use crate::consumer::Consumer;
use crate::event::Envelope;
use crate::simulated::Broker;

/// An event, or a message, was not taken. It will be offered again.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub(crate) String);

impl Unavailable {
    /// It was not taken, for this reason.
    pub fn because(reason: impl Into<String>) -> Unavailable {
        Unavailable(reason.into())
    }
}

/// The way events travel, chosen by the settings.
#[derive(Clone)]
pub enum Bus {
    /// Within this process.
    Local(LocalBus),
    /// Through a broker.
    Amqp(AmqpBus),
    /// Through the broker of a simulation.
    Simulated(Arc<dyn Broker>),
    /// Nowhere: a lone service without a broker. Its events wait in the outbox.
    None,
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bus::Local(bus) => bus.fmt(f),
            Bus::Amqp(bus) => bus.fmt(f),
            Bus::Simulated(_) => f.write_str("Simulated"),
            Bus::None => f.write_str("None"),
        }
    }
}

impl Bus {
    /// Waits until there is somebody to send to.
    pub async fn ready(&self) {
        match self {
            Bus::Local(bus) => bus.ready().await,
            Bus::Amqp(bus) => bus.ready().await,
            Bus::Simulated(_) => {}
            Bus::None => {
                tracing::warn!("there is no bus: events wait in the outbox until AMQP_URL is set");
                std::future::pending().await
            }
        }
    }

    /// Sends one event and waits until it is safe with the broker, or applied by everybody in this process.
    pub(crate) async fn publish(&self, envelope: &Envelope) -> Result<(), Unavailable> {
        match self {
            Bus::Local(bus) => bus.publish(envelope).await,
            Bus::Amqp(bus) => bus.publish(envelope).await,
            Bus::Simulated(broker) => broker.publish(envelope.clone()).await,
            Bus::None => Err(Unavailable("there is no bus".to_owned())),
        }
    }

    /// Receives what the consumer asks for and retries what failed, until told to stop. A service that consumes
    /// nothing says so too, with `None`: nobody then waits for it.
    pub async fn serve(&self, noun: &str, consumer: Option<Consumer>, shutdown: CancellationToken) {
        let receive = async {
            match self {
                Bus::Local(bus) => bus.serve(noun, consumer.clone(), shutdown.clone()).await,
                Bus::Amqp(bus) => {
                    if let Some(consumer) = &consumer {
                        bus.serve(noun, consumer, shutdown.clone()).await;
                    }
                }
                Bus::Simulated(broker) => {
                    if let Some(consumer) = &consumer {
                        broker.serve(noun, consumer.clone(), shutdown.clone()).await;
                    }
                }
                Bus::None => {}
            }
        };
        let retry = async {
            if let Some(consumer) = &consumer {
                consumer.retry(shutdown.clone()).await;
            }
        };
        let catch_up = async {
            if let (Bus::Amqp(_) | Bus::Simulated(_), Some(consumer)) = (self, &consumer) {
                consumer.catch_up_always(shutdown.clone()).await;
            }
        };
        futures::join!(receive, retry, catch_up);
    }

    /// Whether events can travel now.
    pub fn connected(&self) -> bool {
        match self {
            Bus::Local(_) | Bus::Simulated(_) | Bus::None => true,
            Bus::Amqp(bus) => bus.connected(),
        }
    }
}
