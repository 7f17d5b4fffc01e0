//! Services under test: their surroundings, and clients that call them as anybody.
use std::{
    collections::HashMap,
    convert::Infallible,
    future::Future,
    net::{Ipv4Addr, SocketAddr},
    ops::Deref,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{
    Request, Status,
    body::Body,
    metadata::AsciiMetadataValue,
    server::NamedService,
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Endpoint, server::TcpIncoming},
};
use tower::Service;
use uuid::Uuid;

use super::{Backend, Broker, told};
use crate::{
    Error,
    auth::{AccessPolicy, Keyring, SigningKey, token},
    bus::{Bus, LocalBus},
    caller::Caller,
    config::{Secret, Settings},
    host::{self, Host, Process},
};

/// Calls a service under test as somebody.
pub type Client = InterceptedService<tonic::transport::Channel, Bearer>;

/// Several services under test that share a process: one bus, one set of keys, and what is known about people.
pub struct TestProcess {
    process: Process,
    people: Mutex<AccessPolicy>,
    identity: SigningKey,
    keys: HashMap<&'static str, Keyring>,
    // Dropped last: the services stop, and their files go.
    _stop: DropGuard,
    _folder: Folder,
}

/// One service under test. It is the service's `Host`, and knows how to call it as anybody.
#[derive(Clone)]
pub struct TestHost {
    host: Host,
    process: Arc<TestProcess>,
}

/// The user or guest a call is made for, as a stand-in sees it: from the caller's token, which it does not verify.
pub fn subject_of(metadata: &tonic::metadata::MetadataMap) -> Option<String> {
    let token = metadata.get("authorization")?.to_str().ok()?;
    let claims = BASE64.decode(token.split('.').nth(1)?).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
    claims.get("sub")?.as_str().map(str::to_owned)
}

impl Deref for TestHost {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.host
    }
}

impl TestProcess {
    /// A process of its own, on the database and the broker that the test run names: SQLite and the bus in process,
    /// or PostgreSQL and RabbitMQ with `TEST_BACKEND=postgres`.
    ///
    /// # Panics
    ///
    /// When the run names a server that it does not start.
    pub async fn new() -> Arc<Self> {
        Self::start(Backend::chosen()).expect("the surroundings of a test")
    }

    fn start(backend: Backend) -> Result<Arc<Self>, Error> {
        let folder =
            Folder(std::env::temp_dir().join(format!("cartwright-test-{}", Uuid::now_v7().simple())));
        let mut settings = Settings::defaults(&folder.0);
        settings.database_url = None;
        // Peers are played, and keep no outbox.
        settings.catch_up_seconds = 0;
        settings.redis_url = told("TEST_REDIS_URL").map(Secret::from);
        let run = Uuid::now_v7().simple().to_string();
        if backend == Backend::Postgres {
            let server = told("TEST_DATABASE_URL")
                .ok_or_else(|| Error::Settings("TEST_BACKEND=postgres needs TEST_DATABASE_URL".to_owned()))?;
            for noun in crate::config::NOUNS {
                let url = format!("{}/test_{noun}_{run}", server.trim_end_matches('/'));
                settings.peers.set_database_url(noun, url.into());
            }
        }
        let broker = (backend == Backend::Postgres).then(Broker::find).flatten();
        let bus = broker.map_or_else(|| Bus::Local(LocalBus::new()), |broker| Bus::Amqp(broker.bus()));
        let keys = Keyring::ephemeral_set(&host::signers())?;
        let (identity, _) = SigningKey::generate()?;
        let people = AccessPolicy::new(1).key(identity.id(), identity.public(), None);
        let process = Process::in_test(&settings, bus, keys.clone());
        process.access().set(people.clone());
        let stop = process.shutdown.clone().drop_guard();
        let people = Mutex::new(people);
        Ok(Arc::new(Self { process, people, identity, keys, _stop: stop, _folder: folder }))
    }

    /// The surroundings of one service. Make all of them before serving the first, so that they find each other.
    ///
    /// # Panics
    ///
    /// When no port is free.
    pub fn host(self: &Arc<Self>, noun: &'static str) -> TestHost {
        let listener = host::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a free port");
        let host = self.process.host(noun, listener).expect("the surroundings of a service");
        TestHost { host, process: Arc::clone(self) }
    }

    /// Stops every service; `host` of the same noun afterwards is a restart on the same data.
    pub fn shutdown(&self) -> &CancellationToken {
        &self.process.shutdown
    }

    /// Puts a stand-in where a service would be. It sees no callers: it checks no tokens.
    ///
    /// # Panics
    ///
    /// When no port is free.
    pub fn stand_in<S>(&self, noun: &'static str, service: S)
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
        S: NamedService + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        let listener = host::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a free port");
        self.process.enter_peer(noun, listener.local_addr().expect("a bound port"));
        let incoming = TcpIncoming::from(host::ready(&listener).expect("a listener"));
        let stop = self.process.shutdown.clone();
        let server = tonic::transport::Server::builder().add_service(service);
        crate::task::spawn("stand-in", server.serve_with_incoming_shutdown(incoming, stop.cancelled_owned()));
    }

    fn access_token(&self, subject: &str, permissions: &[&str]) -> String {
        let role = permissions.join(" ");
        let mut people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        *people = people.next().role(&role, permissions.iter().map(|permission| (*permission).to_owned()));
        self.process.access().set(people.clone());
        let session = format!("sessions/{}", Uuid::now_v7());
        token::access(&self.identity, subject, &session, &[role]).expect("a signed token")
    }
}

impl TestHost {
    /// The surroundings of one service that is tested alone.
    pub async fn new(noun: &'static str) -> Self {
        TestProcess::new().await.host(noun)
    }

    /// The process the service is in, to add others or stand-ins.
    pub fn process(&self) -> &Arc<TestProcess> {
        &self.process
    }

    /// The service's surroundings, for its `serve`.
    pub fn host(&self) -> Host {
        self.host.clone()
    }

    /// Starts the service. It stops with the test.
    pub fn serve(&self, serving: impl Future<Output = Result<(), Error>> + Send + 'static) {
        let noun = self.noun;
        crate::task::spawn("serve", async move {
            if let Err(error) = serving.await {
                tracing::error!(service = noun, error = %error.chain(), "the service under test stopped");
                eprintln!("the service {noun} under test stopped: {}", error.chain());
            }
        });
    }

    /// A stranger.
    pub fn as_anyone(&self) -> Client {
        self.with_token(None)
    }

    /// A user or guest without permissions, such as `users/…`.
    pub fn as_customer(&self, subject: &str) -> Client {
        self.as_user(subject, &[])
    }

    /// Some member of staff with these permissions.
    pub fn as_staff(&self, permissions: &[&str]) -> Client {
        self.as_user(&format!("users/{}", Uuid::now_v7()), permissions)
    }

    /// A user with these permissions.
    pub fn as_user(&self, subject: &str, permissions: &[&str]) -> Client {
        self.with_token(Some(&self.process.access_token(subject, permissions)))
    }

    /// The access token of a user or guest, for a request that carries one in a field.
    pub fn access_token(&self, subject: &str) -> String {
        self.process.access_token(subject, &[])
    }

    /// Another service that acts for itself.
    pub fn as_service(&self, noun: &'static str) -> Client {
        self.as_service_for(noun, &Caller::anonymous())
    }

    /// Another service that acts for a person.
    ///
    /// # Panics
    ///
    /// When no service has that name.
    pub fn as_service_for(&self, noun: &'static str, caller: &Caller) -> Client {
        let keys = self.process.keys.get(noun).expect("a service's noun");
        self.with_token(Some(&token::internal(keys, self.noun, Some(caller)).expect("a signed token")))
    }

    /// Whoever the token says.
    ///
    /// # Panics
    ///
    /// When the token is not one line of text.
    pub fn with_token(&self, token: Option<&str>) -> Client {
        let url = format!("http://{}", self.address().expect("a bound port"));
        let channel = Endpoint::from_shared(url).expect("an address").connect_lazy();
        let value = token.map(|token| format!("Bearer {token}").parse().expect("a token is a header value"));
        InterceptedService::new(channel, Bearer(value))
    }
}

/// Adds the token to each call.
#[derive(Clone, Debug)]
pub struct Bearer(Option<AsciiMetadataValue>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // A file still open when the test ends stays in the system's folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
