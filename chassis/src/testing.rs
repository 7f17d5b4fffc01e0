//! What tests of services stand on: a database of their own, names of their own at the broker, and bounded waiting.

mod broker;
mod database;
mod host;
mod waiting;
mod wild;

pub use broker::Broker;
pub use database::{Backend, TestDb};
pub use host::{Bearer, Client, TestHost, TestProcess, subject_of};
pub use waiting::eventually;
pub use wild::WildRelay;

/// Reads what the command that runs the tests has set.
#[allow(
    clippy::disallowed_methods,
    reason = "tests have no settings of their own: the command that runs them tells"
)]
fn told(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
