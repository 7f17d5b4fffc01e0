//! Installations of the shop, in the three settings it is run in.
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use chassis::Id;
use chassis::config::NOUNS;
use sea_orm::ConnectionTrait;
use tempfile::TempDir;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::network::Way;
use crate::program::{self, Program};

/// How a shop is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// One process, SQLite, events in process.
    Embedded,
    /// One process on PostgreSQL, RabbitMQ and Redis.
    OneProcess,
    /// Ten services and the edge, each in a process of its own, on PostgreSQL, RabbitMQ and Redis.
    Separate,
}

/// How long a shop may take to get ready, on a machine that is busy with other tests.
const READY_WITHIN: Duration = Duration::from_secs(90);
/// The administrator of every installation.
pub const ADMIN: (&str, &str) = ("admin@example.com", "a password for the tests only");

/// The setting that names another PostgreSQL server than that of the test command.
pub const DATABASE_SERVER: &str = "TEST_DATABASE_URL";

/// A shop of its own: nothing of it is shared with another.
pub struct Installation {
    setting: Setting,
    folder: TempDir,
    environment: BTreeMap<String, String>,
    programs: BTreeMap<&'static str, Program>,
    /// The ways from each program to each of its peers and servers, where they go through proxies.
    ways: BTreeMap<(&'static str, &'static str), Way>,
    edge: String,
    services: BTreeMap<String, String>,
}

impl Installation {
    /// Starts a shop and waits until it is ready. Nothing where the setting needs servers that are not there.
    pub async fn start(setting: Setting) -> anyhow::Result<Option<Self>> {
        Installation::start_with(setting, &[]).await
    }

    /// The same, with settings of its own, named as in the environment. In the value of one, `{program}` stands for the name
    /// of each program that is given it.
    pub async fn start_with(setting: Setting, settings: &[(&str, &str)]) -> anyhow::Result<Option<Self>> {
        Installation::start_as(setting, settings, false).await
    }

    /// Starts separate processes with a proxy on every way between two of them, and to every server.
    pub async fn start_proxied(settings: &[(&str, &str)]) -> anyhow::Result<Option<Self>> {
        Installation::start_as(Setting::Separate, settings, true).await
    }

    async fn start_as(
        setting: Setting,
        settings: &[(&str, &str)],
        proxied: bool,
    ) -> anyhow::Result<Option<Self>> {
        let folder = tempfile::Builder::new().prefix("cartwright-e2e-").tempdir()?;
        let mut environment = BTreeMap::from([
            ("DATA_DIR".to_owned(), path(folder.path(), "data")),
            ("LOG".to_owned(), "info,sqlx=warn,lapin=error".to_owned()),
            ("REFLECTION".to_owned(), "true".to_owned()),
            (
                "STOREFRONT_DIR".to_owned(),
                concat!(env!("CARGO_MANIFEST_DIR"), "/../storefront/dist").to_owned(),
            ),
        ]);
        if setting != Setting::Embedded {
            let database = settings.iter().find(|(name, _)| *name == DATABASE_SERVER).map(|(_, url)| *url);
            let Some(servers) = servers(database).await? else { return Ok(None) };
            environment.extend(servers);
        }
        environment.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let mut installation = Installation {
            setting,
            folder,
            environment,
            programs: BTreeMap::new(),
            ways: BTreeMap::new(),
            edge: String::new(),
            services: BTreeMap::new(),
        };
        match setting {
            Setting::Embedded | Setting::OneProcess => installation.start_together().await?,
            Setting::Separate => installation.start_apart(proxied).await?,
        }
        let (made, said) = installation
            .cartwright_with(&["admin", "create", "--email", ADMIN.0], &[("ADMIN_PASSWORD", ADMIN.1)])
            .await?;
        ensure!(made, "{said}");
        Ok(Some(installation))
    }

    /// The URL of the edge.
    pub fn edge(&self) -> &str {
        &self.edge
    }

    /// The URL of a service.
    pub fn service(&self, noun: &str) -> &str {
        &self.services[noun]
    }

    /// The URL of a service's database on the server.
    pub fn database_url(&self, noun: &str) -> anyhow::Result<&str> {
        let url = self.environment.get(&format!("{}_DATABASE_URL", noun.to_uppercase()));
        url.map(String::as_str).context("the service keeps its data in a file")
    }

    /// What the programs are told in a setting.
    pub fn told(&self, name: &str) -> anyhow::Result<&str> {
        self.environment.get(name).map(String::as_str).with_context(|| format!("{name} is not set"))
    }

    /// The name of a service's database on the server.
    pub fn database(&self, noun: &str) -> anyhow::Result<String> {
        let name = self.database_url(noun)?.rsplit_once('/').map(|(_, name)| name.to_owned());
        name.context("the URL names no database")
    }

    /// The setting it runs in.
    pub fn setting(&self) -> Setting {
        self.setting
    }

    /// The folder of its logs and data.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The program that runs a service: its own, or the one that runs them all.
    pub fn program(&mut self, noun: &'static str) -> anyhow::Result<&mut Program> {
        let name = if self.setting == Setting::Separate { noun } else { "cartwright" };
        self.programs.get_mut(name).with_context(|| format!("{name} was not started"))
    }

    /// The process number of every program that runs, by its name.
    pub fn processes(&self) -> BTreeMap<&'static str, u32> {
        self.programs.iter().filter_map(|(name, program)| Some((*name, program.id()?))).collect()
    }

    /// Runs the `cartwright` command against this shop. Answers whether it succeeded, and what it printed.
    pub async fn cartwright(&self, arguments: &[&str]) -> anyhow::Result<(bool, String)> {
        self.cartwright_with(arguments, &[]).await
    }

    async fn cartwright_with(
        &self,
        arguments: &[&str],
        more: &[(&str, &str)],
    ) -> anyhow::Result<(bool, String)> {
        let mut environment = self.environment.clone();
        environment.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        program::run("cartwright", arguments, &environment).await
    }

    /// Fills the shop with the sample products.
    pub async fn fill(&self) -> anyhow::Result<()> {
        let (filled, said) = self.cartwright(&["sample"]).await?;
        ensure!(filled, "{said}");
        Ok(())
    }

    /// Fails unless the books balance.
    pub async fn audit(&self) -> anyhow::Result<serde_json::Value> {
        self.audit_within(60).await
    }

    /// The same, with so many seconds for what is under way to come to its end.
    pub async fn audit_within(&self, seconds: u32) -> anyhow::Result<serde_json::Value> {
        let seconds = seconds.to_string();
        let (clean, report) = self.cartwright(&["audit", "--json", "--wait", &seconds]).await?;
        ensure!(clean, "the books do not balance:\n{report}");
        let report: serde_json::Value = serde_json::from_str(&report)?;
        ensure!(report["settled"] == true, "something is under way for ever:\n{report:#}");
        Ok(report)
    }

    /// Waits until a service says that it is serving, or that it is not.
    pub async fn wait_until(
        &self,
        noun: &str,
        status: ServingStatus,
        within: Duration,
    ) -> anyhow::Result<()> {
        let url = if noun == "gateway" { &self.edge } else { &self.services[noun] };
        let until = Instant::now() + within;
        loop {
            let last = health(url).await;
            if last.as_ref().is_ok_and(|last| *last == status) {
                return Ok(());
            }
            ensure!(
                Instant::now() < until,
                "{noun} is not {status:?} after {within:?} but {last:?}\n{}",
                self.logs()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The last lines of every program's log.
    pub fn logs(&self) -> String {
        let tails = self.programs.iter().map(|(name, program)| format!("--- {name}\n{}", program.tail()));
        tails.collect::<Vec<_>>().join("\n")
    }

    async fn start_together(&mut self) -> anyhow::Result<()> {
        let arguments =
            ["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--services-any-port"];
        let arguments: Vec<String> = arguments.map(String::from).to_vec();
        let program = Program::start("cartwright", &arguments, &self.environment, self.folder.path())?;
        self.programs.insert("cartwright", program);
        self.find_together().await
    }

    /// Starts the one process again after it was stopped or killed. It listens elsewhere then.
    pub async fn restart_together(&mut self) -> anyhow::Result<()> {
        // A killed one could not take its addresses with it.
        let _ = std::fs::remove_file(self.folder.path().join("data/addresses.json"));
        self.program("order")?.start_again()?;
        self.find_together().await
    }

    async fn find_together(&mut self) -> anyhow::Result<()> {
        let addresses = self.folder.path().join("data/addresses.json");
        let until = Instant::now() + READY_WITHIN;
        let addresses: serde_json::Value = loop {
            if let Ok(text) = std::fs::read_to_string(&addresses) {
                break serde_json::from_str(&text)?;
            }
            let ended = self.program("order")?.has_ended()?;
            ensure!(!ended && Instant::now() < until, "the shop did not start\n{}", self.logs());
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let text =
            |value: &serde_json::Value| value.as_str().map(String::from).context("an address is no text");
        self.edge = text(&addresses["edge"])?;
        for noun in NOUNS {
            self.services.insert(noun.into(), text(&addresses["services"][noun])?);
        }
        self.ready().await
    }

    async fn start_apart(&mut self, proxied: bool) -> anyhow::Result<()> {
        let keys = path(self.folder.path(), "keys");
        let (made, said) = program::run("cartwright", &["keys", &keys], &self.environment).await?;
        ensure!(made, "{said}");
        self.environment.insert("KEYS_DIR".into(), keys);
        let ports = free_ports(NOUNS.len() + 1)?;
        for (noun, port) in NOUNS.iter().zip(&ports) {
            let url = format!("http://127.0.0.1:{port}");
            self.environment.insert(format!("{}_URL", noun.to_uppercase()), url.clone());
            self.services.insert((*noun).into(), url);
        }
        for (noun, port) in NOUNS.iter().copied().chain(["gateway"]).zip(&ports) {
            let mut environment = self.environment.clone();
            environment.insert("LISTEN".into(), format!("127.0.0.1:{port}"));
            environment.insert("METRICS_LISTEN".into(), "127.0.0.1:0".into());
            environment.insert("DATA_DIR".into(), path(self.folder.path(), noun));
            if proxied {
                self.lead_through_proxies(noun, &mut environment).await?;
            }
            self.programs.insert(noun, Program::start(noun, &[], &environment, self.folder.path())?);
        }
        self.edge = format!("http://127.0.0.1:{}", ports[NOUNS.len()]);
        self.ready().await
    }

    /// Starts one more of a service or of the edge, under a name of its own and with settings that differ, and waits until
    /// it serves. Answers its URL.
    pub async fn start_another(
        &mut self,
        noun: &str,
        name: &'static str,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<String> {
        let port = free_ports(1)?[0];
        let mut environment = self.environment.clone();
        environment.insert("LISTEN".into(), format!("127.0.0.1:{port}"));
        environment.insert("METRICS_LISTEN".into(), "127.0.0.1:0".into());
        environment.insert("DATA_DIR".into(), path(self.folder.path(), name));
        environment.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self.programs.insert(name, Program::start(noun, &[], &environment, self.folder.path())?);
        let url = format!("http://127.0.0.1:{port}");
        self.services.insert(name.into(), url.clone());
        self.wait_until(name, ServingStatus::Serving, READY_WITHIN).await?;
        Ok(url)
    }

    /// Puts a proxy of its own on each way from a program, by rewriting the addresses it is told.
    async fn lead_through_proxies(
        &mut self,
        noun: &'static str,
        environment: &mut BTreeMap<String, String>,
    ) -> anyhow::Result<()> {
        let own_database = format!("{}_DATABASE_URL", noun.to_uppercase());
        let servers = [(own_database.as_str(), "postgres"), ("AMQP_URL", "rabbitmq"), ("REDIS_URL", "redis")];
        let servers = servers.map(|(name, server)| (name.to_owned(), server));
        let peers = NOUNS.iter().filter(|peer| **peer != noun);
        let peers = peers.map(|peer| (format!("{}_URL", peer.to_uppercase()), *peer));
        for (name, target) in servers.into_iter().chain(peers) {
            let Some(url) = environment.get_mut(&name) else { continue };
            let address = address_in(url).with_context(|| format!("{name} names no local port"))?;
            let way = Way::to(address).await?;
            *url = url.replace(&address.to_string(), &way.address().to_string());
            self.ways.insert((noun, target), way);
        }
        Ok(())
    }

    /// The ways that go through proxies: from whom, to whom.
    pub fn ways(&self) -> &BTreeMap<(&'static str, &'static str), Way> {
        &self.ways
    }

    /// Waits until every service and the edge are serving.
    pub async fn ready(&self) -> anyhow::Result<()> {
        let nouns = NOUNS.iter().copied().chain(["gateway"]);
        let waits = nouns.map(|noun| self.wait_until(noun, ServingStatus::Serving, READY_WITHIN));
        futures::future::try_join_all(waits).await?;
        Ok(())
    }
}

/// What the health service at a URL says.
pub async fn health(url: &str) -> anyhow::Result<ServingStatus> {
    let endpoint =
        tonic::transport::Endpoint::from_shared(url.to_owned())?.connect_timeout(Duration::from_secs(1));
    let mut client = HealthClient::new(endpoint.connect().await?);
    let request = HealthCheckRequest { service: String::new() };
    let answer = tokio::time::timeout(Duration::from_secs(2), client.check(request)).await??;
    Ok(answer.into_inner().status())
}

/// A database for each service, a broker under a prefix and a Redis, where the test command has started them.
async fn servers(database: Option<&str>) -> anyhow::Result<Option<BTreeMap<String, String>>> {
    #[expect(clippy::disallowed_methods, reason = "the test command tells where its servers are")]
    let read = |name: &str| std::env::var(name).ok();
    let (Some(postgres), Some(amqp), Some(redis)) =
        (database.map(String::from).or(read(DATABASE_SERVER)), read("TEST_AMQP_URL"), read("TEST_REDIS_URL"))
    else {
        eprintln!("skipped: no servers; run it by `./just test` or `scripts/with-servers`");
        return Ok(None);
    };
    let unique = Id::<Installation>::new().uuid().simple().to_string();
    let mut environment = BTreeMap::from([
        ("AMQP_URL".to_owned(), amqp),
        ("AMQP_PREFIX".to_owned(), format!("{unique}.")),
        ("REDIS_URL".to_owned(), redis),
    ]);
    let connection = sea_orm::Database::connect(format!("{postgres}/postgres")).await?;
    for noun in NOUNS {
        let name = format!("{noun}_{unique}");
        connection.execute_unprepared(&format!("CREATE DATABASE {name}")).await?;
        environment.insert(format!("{}_DATABASE_URL", noun.to_uppercase()), format!("{postgres}/{name}"));
    }
    connection.close().await?;
    Ok(Some(environment))
}

/// The address in a URL of this machine.
fn address_in(url: &str) -> Option<SocketAddr> {
    let from = url.find("127.0.0.1:")?;
    let length = url[from..].find('/').unwrap_or(url.len() - from);
    url[from..from + length].parse().ok()
}

/// Ports that nobody listens on at the moment, below those that the system gives to connections: a program that is
/// down for a while finds its own free when it comes back.
fn free_ports(count: usize) -> anyhow::Result<Vec<u16>> {
    let from = Id::<Installation>::new().uuid().as_u128() % 20_000;
    let candidates =
        (0..20_000).map(|step| 10_000 + (from + step) % 20_000).filter_map(|port| port.try_into().ok());
    // All are held until all are known, so that none is given twice.
    let held: Vec<_> = candidates
        .filter_map(|port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok())
        .take(count)
        .collect();
    ensure!(held.len() == count, "too few ports are free");
    held.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_string_lossy().into_owned()
}
