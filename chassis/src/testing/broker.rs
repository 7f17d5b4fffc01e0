//! A broker for tests: names of its own for each test, and a hand on the server itself.

use std::path::PathBuf;

use uuid::Uuid;

use super::told;
use crate::bus::AmqpBus;

/// The broker that the test command started.
#[derive(Clone, Debug)]
pub struct Broker {
    /// Where it is.
    pub url: String,
    /// What all names of this test begin with.
    pub prefix: String,
}

impl Broker {
    /// The broker, or none, said loudly, when the tests were not run with one.
    pub fn find() -> Option<Broker> {
        let Some(url) = told("TEST_AMQP_URL") else {
            eprintln!("SKIPPED: this test needs RabbitMQ; run it with scripts/with-servers");
            return None;
        };
        Some(Broker { url, prefix: format!("test-{}.", Uuid::now_v7().simple()) })
    }

    /// A bus under this test's names.
    pub fn bus(&self) -> AmqpBus {
        AmqpBus::connect(&self.url, &self.prefix)
    }

    /// The program that stops and starts one of the servers: `postgres`, `rabbitmq` or `redis`. Besides it lets the first
    /// `crash`, and the second `wipe` all that it kept.
    pub fn control(server: &str) -> Option<PathBuf> {
        told("TEST_SERVERS_DIR").map(|dir| PathBuf::from(dir).join(server))
    }
}
