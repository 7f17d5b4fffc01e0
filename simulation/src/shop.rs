//! The shop that is simulated: its services, and what stands around them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use chassis::auth::Keyring;
use chassis::client::Channel;
use chassis::config::{Secret, Settings};
use chassis::simulated::{self, Network, Statements};
use chassis::{Error, Host, Process, host};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::runtime::Handle;

use crate::broker::Queues;
use crate::catalog;
use crate::network::Wires;
use crate::processes::Start;
use crate::provider::{API_KEY, Provider, SECRET};
use crate::world::World;

/// The services that run as they are. The catalog is played.
pub(crate) const SERVICES: [&str; 9] = [
    "identity",
    "inventory",
    "cart",
    "order",
    "payment",
    "shipping",
    "promotion",
    "notification",
    "analytics",
];

/// What services stand on, and the way to them.
pub(crate) struct Shop {
    world: World,
    settings: Settings,
    keys: HashMap<&'static str, Keyring>,
    pub(crate) network: Arc<dyn Network>,
    pub(crate) provider: Arc<Mutex<Provider>>,
    around: simulated::World,
}

impl Shop {
    /// A shop whose data and keys are in `folder`. The database driver's own tasks run on `driver`.
    pub(crate) fn new(world: &World, folder: &Path, driver: &Handle) -> Result<Shop, Error> {
        let settings = settings(folder);
        let keys =
            host::signers().into_iter().map(|noun| Ok((noun, Keyring::load(&folder.join("keys"), noun)?)));
        let keys = keys.collect::<Result<_, Error>>()?;
        let provider = Arc::<Mutex<Provider>>::default();
        let network: Arc<dyn Network> = Arc::new(Wires::new(world, &provider));
        let pausing = world.clone();
        let around = simulated::World {
            network: Arc::clone(&network),
            broker: Arc::new(Queues::new(world)),
            statements: Statements::new(driver.clone(), move || pausing.pause()),
        };
        Ok(Shop { world: world.clone(), settings, keys, network, provider, around })
    }

    /// How each service is started, again and again.
    pub(crate) fn starts(&self) -> Vec<(&'static str, Start)> {
        let start = |noun: &'static str| {
            let (settings, around, keys) =
                (self.settings.clone(), self.around.clone(), self.keys[noun].clone());
            let start: Start = Box::new(move || {
                let process = Process::simulated(&settings, around.clone(), keys.clone());
                match process.host_without_socket(noun) {
                    Ok(host) => serve(host),
                    Err(error) => std::future::ready(Err(error)).boxed(),
                }
            });
            (noun, start)
        };
        SERVICES.into_iter().map(start).collect()
    }

    /// Opens the played catalog where the customers are: it never dies.
    pub(crate) fn open_catalog(&self, outside: &Handle) {
        self.world.state().doors.insert("catalog", (outside.clone(), catalog::door()));
    }

    /// The way to a service for somebody who signs with the keys of `signer`.
    pub(crate) fn channel(&self, signer: &str, noun: &str) -> Channel {
        Channel::simulated(&self.keys[signer], noun, Arc::clone(&self.network))
    }

    /// The keys of somebody who signs.
    pub(crate) fn keys(&self, signer: &str) -> Keyring {
        self.keys[signer].clone()
    }
}

/// The settings of a shop in this folder, whose databases are up to date.
pub(crate) fn settings(folder: &Path) -> Settings {
    Settings {
        migrate: false,
        audit_minutes: 0,
        catch_up_seconds: 5,
        // Nobody explores it, and a fifth of a run would go into reading descriptions anew at each start.
        reflection: Some(false),
        ..Settings::defaults(folder)
    }
}

fn serve(host: Host) -> BoxFuture<'static, Result<(), Error>> {
    let payment = payment::Config {
        sandbox_url: Some("http://provider".to_owned()),
        sandbox_api_key: Some(Secret::from(API_KEY.to_owned())),
        sandbox_webhook_secrets: Some(Secret::from(SECRET.to_owned())),
        ..payment::Config::default()
    };
    match host.noun {
        "identity" => identity::serve(host, identity::Config::default()).boxed(),
        "inventory" => inventory::serve(host, inventory::Config::default()).boxed(),
        "cart" => cart::serve(host, cart::Config::default()).boxed(),
        "order" => order::serve(host, order::Config::default()).boxed(),
        "payment" => payment::serve(host, payment).boxed(),
        "shipping" => shipping::serve(host, shipping::Config::default()).boxed(),
        "promotion" => promotion::serve(host, promotion::Config::default()).boxed(),
        "notification" => notification::serve(host, notification::Config::default()).boxed(),
        _ => analytics::serve(host, analytics::Config::default()).boxed(),
    }
}

/// Makes the databases and the keys that every run begins with.
pub(crate) async fn prepare(folder: &Path) -> anyhow::Result<()> {
    chassis::auth::keys::generate(&folder.join("keys"), &host::signers())?;
    let settings = Settings { migrate: true, ..settings(folder) };
    host::open::<identity::Migrator>("identity", &settings).await?.close().await?;
    host::open::<inventory::Migrator>("inventory", &settings).await?.close().await?;
    host::open::<cart::Migrator>("cart", &settings).await?.close().await?;
    host::open::<order::Migrator>("order", &settings).await?.close().await?;
    host::open::<payment::Migrator>("payment", &settings).await?.close().await?;
    host::open::<shipping::Migrator>("shipping", &settings).await?.close().await?;
    host::open::<promotion::Migrator>("promotion", &settings).await?.close().await?;
    host::open::<notification::Migrator>("notification", &settings).await?.close().await?;
    host::open::<analytics::Migrator>("analytics", &settings).await?.close().await?;
    Ok(())
}
