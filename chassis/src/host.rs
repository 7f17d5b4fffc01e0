//! What a service finds when it starts: its sockets, keys, bus, peers and database, alone or with others in one process.
use std::{
    collections::HashMap,
    fs::File,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{Arc, Mutex, PoisonError},
};

use sea_orm_migration::MigratorTrait;
use tokio_util::sync::CancellationToken;

use crate::{
    Error,
    auth::{AccessPolicies, Keyring, keys},
    bus::{AmqpBus, Bus, LocalBus},
    client,
    config::{self, Listen, NOUNS, Settings},
    db::Db,
    health, saga,
    simulated::World,
    task,
};

mod access;
mod database;
mod folder;
mod main;
mod signals;

pub use database::open;
pub use main::{Stateless, install_crypto, main};
pub use signals::stop_on_signal;

/// What signs for the operator's own tools, such as the audit.
pub const OPERATOR: &str = "operator";

/// Everyone who signs internal tokens: the services, the gateway, and the operator's tools.
pub fn signers() -> Vec<&'static str> {
    NOUNS.iter().copied().chain(["gateway", OPERATOR]).collect()
}

/// The surroundings of one service. Clones share everything.
#[derive(Clone)]
pub struct Host {
    /// Which service this is: `order`.
    pub noun: &'static str,
    /// The settings of the process.
    pub settings: Arc<Settings>,
    /// How its events travel.
    pub bus: Bus,
    /// Its own key and its peers'.
    pub keys: Keyring,
    /// What identity says about people and roles.
    pub access: AccessPolicies,
    /// Cancelled when this service should stop.
    pub shutdown: CancellationToken,
    /// Where probes read whether it is healthy.
    pub health: health::Board,
    /// Whether all services share this process.
    pub embedded: bool,
    /// What is around it in a simulation; nothing where it is real.
    pub world: Option<World>,
    address: SocketAddr,
    /// Until it is served. Whoever serves it has the only handle, and closes the port by dropping it.
    listener: Arc<Mutex<Option<TcpListener>>>,
    metrics_listener: Option<Arc<TcpListener>>,
    peers: Peers,
    follows_identity: bool,
    channels: Channels,
    /// Whether no other process can have this one's SQLite files open.
    owns_folder: bool,
}

/// Where the services of this process listen.
#[derive(Clone, Default)]
struct Peers(Arc<Mutex<HashMap<&'static str, String>>>);

/// The channels to the services this one calls: one each, so that all callers learn together that a peer is down.
type Channels = Arc<Mutex<HashMap<&'static str, client::Channel>>>;

impl Peers {
    fn enter(&self, noun: &'static str, address: SocketAddr) {
        // A service that listens on every address is called on the nearest.
        let ip = if address.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { address.ip() };
        let url = format!("http://{}", SocketAddr::new(ip, address.port()));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(noun, url);
    }

    fn url(&self, noun: &str) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(noun).cloned()
    }
}

impl Host {
    /// The surroundings of a service in its own process.
    pub async fn alone(noun: &'static str, settings: &Settings, listen: &Listen) -> Result<Self, Error> {
        let any = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        let listener = bind(listen.listen.unwrap_or_else(|| any(config::default_port(noun))))?;
        let metrics = bind(listen.metrics_listen.unwrap_or_else(|| any(config::default_metrics_port(noun))))?;
        let Some(folder) = &settings.keys_dir else {
            return Err(Error::Settings(
                "KEYS_DIR must name the folder of the services' keys; `cartwright keys` makes one".to_owned(),
            ));
        };
        let process = Process {
            bus: bus(settings, || Bus::None),
            keys: HashMap::from([(noun, Keyring::load(folder, noun)?)]),
            ..Process::bare(settings)
        };
        let mut host = process.host(noun, listener)?;
        host.metrics_listener = Some(Arc::new(metrics));
        host.embedded = false;
        Ok(host)
    }

    /// The channel to another service. Calls on it carry this service's token, the trace and the deadline. It fails
    /// only when settings give the service an address that is none.
    pub fn client(&self, noun: &'static str) -> Result<client::Channel, Error> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = channels.get(noun) {
            return Ok(channel.clone());
        }
        let limit = self.settings.peer_in_flight_max;
        let channel = match &self.world {
            Some(world) => client::Channel::simulated(&self.keys, noun, world.network.clone()),
            None => client::Channel::bounded(&self.keys, noun, &self.peer_url(noun), limit)?,
        };
        channels.insert(noun, channel.clone());
        Ok(channel)
    }

    /// Where another service is: what settings say, or where it listens in this process, or its usual port here.
    pub fn peer_url(&self, noun: &str) -> String {
        let configured = self.settings.peers.url(noun).map(str::to_owned);
        configured
            .or_else(|| self.peers.url(noun))
            .unwrap_or_else(|| format!("http://127.0.0.1:{}", config::default_port(noun)))
    }

    /// Where this service listens.
    pub fn address(&self) -> Result<SocketAddr, Error> {
        Ok(self.address)
    }

    /// Opens the service's database, made when missing and, unless settings forbid, brought up to date.
    pub async fn db<M: MigratorTrait>(&self) -> Result<Db, Error> {
        let statements = self.world.as_ref().map(|world| world.statements.clone());
        let db = database::open_by::<M>(self.noun, &self.settings, statements).await?;
        if self.is_alone_in(&db) {
            saga::abandon_all(&db).await?;
        }
        Ok(db)
    }

    /// Whether no other process can have the database open. At start, whoever held a lease in it has died then: what they
    /// left can be taken up now rather than when the lease runs out.
    pub fn is_alone_in(&self, db: &Db) -> bool {
        self.owns_folder && db.backend() == sea_orm::DatabaseBackend::Sqlite
    }

    /// The service's own socket, ready for the runtime. It is handed out once.
    pub fn listener(&self) -> Result<tokio::net::TcpListener, Error> {
        let listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner).take();
        ready(&listener.ok_or_else(|| Error::other("the listener is served already"))?)
    }

    /// The socket for probes; none where the process has one for all.
    pub fn metrics_listener(&self) -> Result<Option<tokio::net::TcpListener>, Error> {
        self.metrics_listener.as_deref().map(ready).transpose()
    }
}

/// Opens a socket. Port 0 lets the system choose.
pub fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).map_err(Error::io(format!("listening on {address}")))
}

pub(crate) fn ready(listener: &TcpListener) -> Result<tokio::net::TcpListener, Error> {
    let listener = listener.try_clone().map_err(Error::io("the listener"))?;
    listener.set_nonblocking(true).map_err(Error::io("the listener"))?;
    tokio::net::TcpListener::from_std(listener).map_err(Error::io("the listener"))
}

fn bus(settings: &Settings, without_broker: impl FnOnce() -> Bus) -> Bus {
    match &settings.amqp_url {
        Some(url) => Bus::Amqp(AmqpBus::connect(url.expose(), &settings.amqp_prefix)),
        None => without_broker(),
    }
}

/// One process with several services: they share the bus, the keys, and what identity says.
pub struct Process {
    settings: Arc<Settings>,
    bus: Bus,
    keys: HashMap<&'static str, Keyring>,
    access: AccessPolicies,
    peers: Peers,
    follows_identity: bool,
    /// Keeps other processes out of the data folder; the system gives it back when the process ends, however it ends.
    folder: Option<File>,
    world: Option<World>,
    /// Cancel it to stop every service at once; each host has a token of its own to stop it alone.
    pub shutdown: CancellationToken,
    /// The health of all of them.
    pub health: health::Board,
}

impl Process {
    /// The surroundings of all ten services and the gateway. Their keys are kept in the data folder, which no other
    /// process may use meanwhile: two shops on the same files would undo each other's work.
    pub async fn new(settings: &Settings) -> Result<Self, Error> {
        let lock = folder::claim(&settings.data_dir)?;
        let folder = settings.keys_dir.clone().unwrap_or_else(|| settings.data_dir.join("keys"));
        keys::generate(&folder, &signers())?;
        let keys = signers()
            .into_iter()
            .map(|noun| Ok((noun, Keyring::load(&folder, noun)?)))
            .collect::<Result<_, Error>>()?;
        Ok(Self {
            bus: bus(settings, || Bus::Local(LocalBus::expecting(NOUNS))),
            keys,
            folder: Some(lock),
            ..Self::bare(settings)
        })
    }

    fn bare(settings: &Settings) -> Self {
        Self {
            settings: Arc::new(settings.clone()),
            bus: Bus::None,
            keys: HashMap::new(),
            access: AccessPolicies::default(),
            peers: Peers::default(),
            follows_identity: true,
            folder: None,
            world: None,
            shutdown: CancellationToken::new(),
            health: health::Board::default(),
        }
    }

    /// A process of one service in a simulation. Nobody else is on its data folder.
    pub fn simulated(settings: &Settings, world: World, keys: Keyring) -> Self {
        Self {
            bus: Bus::Simulated(world.broker.clone()),
            keys: HashMap::from([(keys.noun(), keys)]),
            world: Some(world),
            follows_identity: false,
            ..Self::bare(settings)
        }
    }

    /// A process that is told about people by the test, not by identity.
    pub(crate) fn in_test(settings: &Settings, bus: Bus, keys: HashMap<&'static str, Keyring>) -> Self {
        Self { bus, keys, follows_identity: false, ..Self::bare(settings) }
    }

    /// What is known about people and roles.
    pub(crate) fn access(&self) -> &AccessPolicies {
        &self.access
    }

    /// Says where a service is that this process does not hold.
    pub(crate) fn enter_peer(&self, noun: &'static str, address: SocketAddr) {
        self.peers.enter(noun, address);
    }

    /// The surroundings of one of the services. Make all of them before serving the first, so that they find each other.
    pub fn host(&self, noun: &'static str, listener: TcpListener) -> Result<Host, Error> {
        let address = listener.local_addr().map_err(Error::io("the listener's address"))?;
        self.peers.enter(noun, address);
        self.host_at(noun, address, Some(listener))
    }

    /// The surroundings of a service that is reached without a socket.
    pub fn host_without_socket(&self, noun: &'static str) -> Result<Host, Error> {
        self.host_at(noun, SocketAddr::from((Ipv4Addr::LOCALHOST, config::default_port(noun))), None)
    }

    fn host_at(
        &self,
        noun: &'static str,
        address: SocketAddr,
        listener: Option<TcpListener>,
    ) -> Result<Host, Error> {
        let keys =
            self.keys.get(noun).cloned().ok_or_else(|| Error::Settings(format!("{noun} has no key")))?;
        self.health.enter(noun);
        Ok(Host {
            noun,
            settings: Arc::clone(&self.settings),
            bus: self.bus.clone(),
            keys,
            access: self.access.clone(),
            shutdown: self.shutdown.child_token(),
            health: self.health.clone(),
            embedded: true,
            world: self.world.clone(),
            address,
            listener: Arc::new(Mutex::new(listener)),
            metrics_listener: None,
            peers: self.peers.clone(),
            follows_identity: self.follows_identity && noun != "identity",
            channels: Channels::default(),
            owns_folder: self.folder.is_some() || self.world.is_some(),
        })
    }

    /// Serves /metrics and the probes for the whole process until shutdown.
    pub fn serve_probes(&self, listener: &TcpListener) -> Result<(), Error> {
        task::spawn("probes", health::serve(ready(listener)?, self.health.clone(), self.shutdown.clone()));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
