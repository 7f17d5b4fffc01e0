//! The operator: calls services directly, as whoever holds the installation's keys may.
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chassis::Caller;
use chassis::auth::Keyring;
use chassis::client::{self, Channel};
use chassis::config::{self, NOUNS, Settings};
use chassis::host::OPERATOR;
use chassis::policy::{self, Access};
use chassis::simulated::Network;
use contract::operations::v1::operations_service_client::OperationsServiceClient;
use contract::operations::v1::{EventLag, GetEventLagRequest};
use tonic::Request;

use crate::addresses::Addresses;

/// What handlers ask for beyond the rule of their method.
const BEYOND: [&str; 10] = [
    "user.read.any",
    "user.update.any",
    "session.revoke.any",
    "privacy.erase",
    "order.read.any",
    "order.cancel.any",
    "payment.read.any",
    "shipment.read.any",
    "product.write",
    "report.read",
];
/// The largest answer taken.
pub(crate) const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The tools' way to the services.
#[derive(Clone)]
pub(crate) struct Operator {
    keys: Keyring,
    way: Way,
    caller: Caller,
}

/// Where services are found.
#[derive(Clone)]
enum Way {
    /// Where settings say, or where a shop in one process has noted.
    Told(Box<Settings>),
    /// In a simulation.
    Simulated(Arc<dyn Network>),
}

/// Whoever holds the keys: may do everything.
pub(crate) fn caller() -> Caller {
    let rules = policy::all().filter_map(|method| match &method.access {
        Access::Permission(permission) => Some(permission.clone()),
        Access::Public | Access::Guest | Access::User | Access::Internal => None,
    });
    let permissions: BTreeSet<String> = rules.chain(BEYOND.map(String::from)).collect();
    Caller::person("operators/cli", None, permissions)
}

impl Operator {
    /// Reads the operator's key from `KEYS_DIR`, or from the data folder of a shop that runs in one process.
    pub(crate) fn new(settings: &Settings) -> anyhow::Result<Self> {
        let folder = settings.keys_dir.clone().unwrap_or_else(|| settings.data_dir.join("keys"));
        let keys = Keyring::load(&folder, OPERATOR).with_context(|| {
            format!(
                "no operator's key in {}: start the shop first (`cartwright serve`), or name its folders by --data-dir or --keys-dir",
                folder.display()
            )
        })?;
        Ok(Operator::by(keys, Way::Told(Box::new(settings.clone()))))
    }

    /// The operator of a simulated shop.
    pub(crate) fn simulated(keys: Keyring, network: Arc<dyn Network>) -> Self {
        Operator::by(keys, Way::Simulated(network))
    }

    fn by(keys: Keyring, way: Way) -> Self {
        Operator { keys, way, caller: caller() }
    }

    /// The channel to a service.
    pub(crate) fn channel(&self, noun: &str) -> anyhow::Result<Channel> {
        let settings = match &self.way {
            Way::Told(settings) => settings,
            Way::Simulated(network) => {
                return Ok(Channel::simulated(&self.keys, noun, network.clone()));
            }
        };
        let running =
            Addresses::read(&settings.data_dir).and_then(|addresses| addresses.services.get(noun).cloned());
        let url = settings
            .peers
            .url(noun)
            .map(String::from)
            .or(running)
            .unwrap_or_else(|| format!("http://127.0.0.1:{}", config::default_port(noun)));
        Ok(Channel::new(&self.keys, noun, &url)?)
    }

    /// A request with everything an operator may do.
    pub(crate) fn ask<T>(&self, message: T) -> Request<T> {
        client::as_subject(&self.caller, message)
    }

    /// The operations of a service.
    pub(crate) fn operations(&self, noun: &str) -> anyhow::Result<OperationsServiceClient<Channel>> {
        Ok(OperationsServiceClient::new(self.channel(noun)?).max_decoding_message_size(ANSWER_BYTES_MAX))
    }

    /// Waits until no service has events, messages or work under way. Says whether that came about, telling the rest on
    /// the way: the number still to be done.
    pub(crate) async fn settle(&self, within: Duration, mut tell: impl FnMut(i64)) -> anyhow::Result<bool> {
        let until = tokio::time::Instant::now() + within;
        let mut quiet_rounds = 0;
        loop {
            let left = self.under_way().await?;
            tell(left);
            // An event that has just been applied may have announced another: quiet twice is quiet.
            quiet_rounds = if left == 0 { quiet_rounds + 1 } else { 0 };
            if quiet_rounds >= 2 {
                return Ok(true);
            }
            if tokio::time::Instant::now() >= until {
                return Ok(false);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn under_way(&self) -> anyhow::Result<i64> {
        let asked = NOUNS.map(|noun| async move {
            let lag = self.operations(noun)?.get_event_lag(self.ask(GetEventLagRequest {})).await;
            anyhow::Ok(lag.with_context(|| format!("{noun} does not answer"))?.into_inner())
        });
        let lags: Vec<EventLag> = futures::future::try_join_all(asked).await?;
        let announced: HashMap<&str, i64> = lags
            .iter()
            .flat_map(|lag| &lag.announced)
            .map(|kind| (kind.r#type.as_str(), kind.count))
            .collect();
        // What has left an outbox and reached no inbox is with the broker.
        let travelling = lags.iter().flat_map(|lag| &lag.applied).map(|applied| {
            (announced.get(applied.r#type.as_str()).copied().unwrap_or_default() - applied.count).max(0)
        });
        let inside =
            lags.iter().map(|lag| lag.unpublished + lag.retrying + lag.running_sagas + lag.pending_work);
        Ok(inside.chain(travelling).sum())
    }
}
