//! `cartwright serve`: ten services and the edge in one process.
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use chassis::config::{NOUNS, Settings, default_port};
use chassis::{Host, Process, host, task};
use clap::Args;
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::addresses::{self, Addresses};
use crate::sample;

/// Starts every service and the edge in this process.
#[derive(Args, Clone)]
pub(crate) struct Serve {
    /// Where the edge listens: grpc-web, gRPC and the storefront.
    #[arg(long, env = "LISTEN", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,
    /// Where /metrics, /livez, /readyz and /health are.
    #[arg(long, env = "METRICS_LISTEN", default_value = "127.0.0.1:9100")]
    metrics_listen: SocketAddr,
    /// The address the services listen on, each on its own port from 50051 up.
    #[arg(long, env = "SERVICES_ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    services_address: IpAddr,
    /// Lets the system choose the services' ports; the tools find them by the data folder.
    #[arg(long, env = "SERVICES_ANY_PORT")]
    services_any_port: bool,
    /// Fills an empty shop with a few products to look at.
    #[arg(long, env = "SAMPLE")]
    sample: bool,
    #[command(flatten)]
    pub(crate) settings: Settings,
    #[command(flatten)]
    edge: gateway::Config,
    #[command(flatten)]
    own: Own,
}

/// What single services can be told.
#[derive(Args, Clone)]
struct Own {
    #[command(flatten)]
    identity: identity::Config,
    #[command(flatten)]
    catalog: catalog::Config,
    #[command(flatten)]
    inventory: inventory::Config,
    #[command(flatten)]
    cart: cart::Config,
    #[command(flatten)]
    order: order::Config,
    #[command(flatten)]
    payment: payment::Config,
    #[command(flatten)]
    shipping: shipping::Config,
    #[command(flatten)]
    promotion: promotion::Config,
    #[command(flatten)]
    notification: notification::Config,
    #[command(flatten)]
    analytics: analytics::Config,
}

type Service = BoxFuture<'static, Result<(), chassis::Error>>;

/// Whom the first administrator signs in as. The password is made up.
const FIRST_ADMIN: &str = "admin@cartwright.example";
/// How long a shop may take to get ready before something is wrong.
const READY_WITHIN: Duration = Duration::from_secs(60);

impl Serve {
    /// Serves until SIGTERM or Ctrl-C, or until a service fails.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let started = Instant::now();
        let Running { process, addresses, mut services, folder } = self.start().await?;
        let shutdown = process.shutdown.clone();
        task::spawn("signals", host::cancel_on_signal(shutdown.clone()));
        tokio::select! {
            ended = &mut services => ended?,
            ready = ready(&process) => {
                ready?;
                self.welcome(&addresses, started.elapsed()).await?;
                services.await?;
            }
        }
        shutdown.cancel();
        task::drain(Duration::from_secs(5)).await;
        Addresses::remove(&self.settings.data_dir);
        drop(folder);
        Ok(())
    }

    /// Opens every listener, then starts every service.
    async fn start(&self) -> anyhow::Result<Running> {
        let folder = claim(&self.settings.data_dir)?;
        let process = Process::new(&self.settings).await?;
        let mut hosts = Vec::new();
        for noun in NOUNS {
            let port = if self.services_any_port { 0 } else { default_port(noun) };
            hosts.push(process.host(noun, host::bind(SocketAddr::new(self.services_address, port))?)?);
        }
        let edge = process.host("gateway", host::bind(self.listen)?)?;
        let probes = host::bind(self.metrics_listen)?;
        chassis::telemetry::metrics();
        let addresses = Addresses {
            edge: addresses::url(edge.address()?),
            probes: addresses::url(probes.local_addr()?),
            services: hosts
                .iter()
                .map(|host| Ok((host.noun.to_owned(), addresses::url(host.address()?))))
                .collect::<anyhow::Result<_>>()?,
        };
        addresses.write(&self.settings.data_dir)?;

        let mut services: Vec<Service> = hosts.into_iter().map(|host| self.own.serve(host)).collect();
        let mut edge_config = self.edge.clone();
        edge_config.storefront_dir = edge_config.storefront_dir.or_else(storefront_beside);
        services.push(gateway::serve(edge, edge_config).boxed());
        let shutdown = process.shutdown.clone();
        let all = services.into_iter().map(move |service| {
            let shutdown = shutdown.clone();
            // One that fails takes the others down in good order: a shop without orders is no shop.
            task::spawn("service", async move {
                let ended = service.await;
                shutdown.cancel();
                ended
            })
        });
        let services = futures::future::join_all(all.collect::<Vec<_>>())
            .map(|ended| {
                for service in ended {
                    service??;
                }
                anyhow::Ok(())
            })
            .boxed();
        process.serve_probes(&probes)?;
        Ok(Running { process, addresses, services, folder })
    }
}

impl Own {
    fn serve(&self, host: Host) -> Service {
        let own = self.clone();
        match host.noun {
            "identity" => identity::serve(host, own.identity).boxed(),
            "catalog" => catalog::serve(host, own.catalog).boxed(),
            "inventory" => inventory::serve(host, own.inventory).boxed(),
            "cart" => cart::serve(host, own.cart).boxed(),
            "order" => order::serve(host, own.order).boxed(),
            "payment" => payment::serve(host, own.payment).boxed(),
            "shipping" => shipping::serve(host, own.shipping).boxed(),
            "promotion" => promotion::serve(host, own.promotion).boxed(),
            "notification" => notification::serve(host, own.notification).boxed(),
            "analytics" => analytics::serve(host, own.analytics).boxed(),
            other => {
                futures::future::ready(Err(chassis::Error::Settings(format!("no service is called {other}"))))
                    .boxed()
            }
        }
    }
}

struct Running {
    process: Process,
    addresses: Addresses,
    services: BoxFuture<'static, anyhow::Result<()>>,
    /// Held for as long as the shop runs.
    folder: File,
}

/// Makes the data folder this process's own: two shops on the same files would undo each other's work. The system gives
/// the lock back when the process ends, however it ends.
fn claim(data_dir: &Path) -> anyhow::Result<File> {
    std::fs::create_dir_all(data_dir).with_context(|| format!("making {}", data_dir.display()))?;
    let path = data_dir.join("lock");
    let lock = File::create(&path).with_context(|| format!("opening {}", path.display()))?;
    lock.try_lock().with_context(|| {
        format!("another shop runs on {}: stop it first, or name another --data-dir", data_dir.display())
    })?;
    Ok(lock)
}

async fn ready(process: &Process) -> anyhow::Result<()> {
    let until = Instant::now() + READY_WITHIN;
    while !process.health.serving() {
        anyhow::ensure!(
            Instant::now() < until,
            "not ready after {READY_WITHIN:?}; the log says what is missing"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

impl Serve {
    /// Says where to look, and gives an empty shop its first administrator and products.
    async fn welcome(&self, addresses: &Addresses, took: Duration) -> anyhow::Result<()> {
        println!("Cartwright is ready after {} ms.", took.as_millis());
        println!("  shop, grpc-web and gRPC  {}", addresses.edge);
        println!("  metrics and health       {}/metrics  {}/health", addresses.probes, addresses.probes);
        for (noun, address) in &addresses.services {
            println!("  {noun:<24} {address}");
        }
        let db = host::open::<identity::Migrator>("identity", &self.settings).await?;
        if let Some(admin) =
            identity::create_first_admin(&db, FIRST_ADMIN).await.context("making the first administrator")?
        {
            println!(
                "  administrator            {} with password {}  (shown this once)",
                admin.email, admin.password
            );
        }
        db.close().await?;
        if self.sample {
            sample::fill(&self.settings).await.context("filling the shop with samples")?;
        }
        Ok(())
    }
}

/// Starts a shop for the length of another command. It keeps nothing beyond the folder it is given.
pub(crate) struct Temporary {
    shutdown: tokio_util::sync::CancellationToken,
    ended: tokio::task::JoinHandle<anyhow::Result<()>>,
    /// Held for as long as the shop runs.
    folder: File,
}

impl Temporary {
    /// Starts it on ports that the system chooses, and waits until it is ready.
    pub(crate) async fn start(settings: &Settings) -> anyhow::Result<Self> {
        use clap::Parser;

        #[derive(Parser)]
        struct Defaults {
            #[command(flatten)]
            serve: Serve,
        }
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut serve = Defaults::try_parse_from(["cartwright"])?.serve;
        serve.listen = any;
        serve.metrics_listen = any;
        serve.services_any_port = true;
        serve.settings = settings.clone();
        let running = serve.start().await?;
        let shutdown = running.process.shutdown.clone();
        let ended = task::spawn("shop", running.services);
        ready(&running.process).await?;
        Ok(Temporary { shutdown, ended, folder: running.folder })
    }

    /// Stops it in good order.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        self.ended.await??;
        task::drain(Duration::from_secs(5)).await;
        drop(self.folder);
        Ok(())
    }
}

/// Where the storefront is built, seen from the folder the shop is started in.
fn storefront_beside() -> Option<PathBuf> {
    let built = PathBuf::from("storefront/dist");
    built.join("index.html").exists().then_some(built)
}
