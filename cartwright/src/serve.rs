//! `cartwright serve`: ten services and the edge in one process.
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use chassis::config::{NOUNS, Settings, default_port};
use chassis::{Host, Process, host, task};
use clap::Args;
use futures::FutureExt;
use tokio_util::sync::CancellationToken;

use crate::addresses::{self, Addresses};
use crate::{audit, sample};

mod services;

use services::{Services, Serving};

/// Starts every service and the edge in this process.
#[derive(Args, Clone)]
pub(crate) struct Serve {
    /// Where the edge listens: grpc-web, gRPC and the storefront. To be reached from other machines, say 0.0.0.0:8080; set
    /// `SMTP_URL` before, for without it anybody may read the shop's mail.
    #[arg(long, env = "LISTEN", default_value = "127.0.0.1:8080")]
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

/// Whom the first administrator signs in as. The password is made up.
const FIRST_ADMIN: &str = "admin@cartwright.example";
/// How long a shop may take to get ready before something is wrong.
const READY_WITHIN: Duration = Duration::from_secs(60);

impl Serve {
    /// Serves until SIGTERM or Ctrl-C, or until a service fails.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let started = Instant::now();
        let asked = CancellationToken::new();
        host::stop_on_signal(asked.clone());
        let Running { process, addresses, mut services } = tokio::select! {
            running = self.start() => running?,
            () = asked.cancelled() => return Ok(()),
        };
        let opening = async {
            ready(&process).await?;
            self.welcome(&addresses, started.elapsed()).await?;
            audit::watch(self.settings.clone(), asked.clone()).await;
            std::future::pending().await
        };
        let served = tokio::select! {
            () = asked.cancelled() => Ok(()),
            failed = services.failed() => failed,
            failed = opening => failed,
        };
        let stopped = services.stop().await;
        process.shutdown.cancel();
        task::drain(Duration::from_secs(2)).await;
        Addresses::remove(&self.settings.data_dir);
        served.and(stopped)
    }

    /// Opens every listener, then starts every service.
    async fn start(&self) -> anyhow::Result<Running> {
        self.own.agree()?;
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

        let mut services = Services::new(Duration::from_secs(self.settings.drain_seconds));
        for host in hosts {
            services.start(host, |host| self.own.serve(host));
        }
        let mut edge_config = self.edge.clone();
        edge_config.storefront_dir = edge_config.storefront_dir.or_else(storefront_beside);
        services.start(edge, |edge| gateway::serve(edge, edge_config).boxed());
        process.serve_probes(&probes)?;
        Ok(Running { process, addresses, services })
    }
}

impl Own {
    /// Refuses what one service is told and another would find wrong only when somebody buys.
    fn agree(&self) -> anyhow::Result<()> {
        let known = &self.payment.payment_channels;
        match self.order.checkout_channels.iter().find(|offered| !known.contains(offered)) {
            Some(offered) => anyhow::bail!(
                "--checkout-channels offers {offered}, which is not among the --payment-channels ({})",
                known.join(", ")
            ),
            None => Ok(()),
        }
    }

    fn serve(&self, host: Host) -> Serving {
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
    services: Services,
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
        say!("Cartwright is ready after {} ms.", took.as_millis());
        say!("  shop, grpc-web and gRPC  {}", addresses.edge);
        if self.edge.storefront_dir.clone().or_else(storefront_beside).is_none() {
            say!(
                "                           (no pages: the storefront is not built; `./just storefront` does it)"
            );
        }
        say!("  metrics and health       {}/metrics  {}/health", addresses.probes, addresses.probes);
        for (noun, address) in &addresses.services {
            say!("  {noun:<24} {address}");
        }
        let db = host::open::<identity::Migrator>("identity", &self.settings).await?;
        if let Some(admin) =
            identity::create_first_admin(&db, FIRST_ADMIN).await.context("making the first administrator")?
        {
            say!(
                "  administrator            {} with password {}  (shown this once)",
                admin.email,
                admin.password
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
pub(crate) struct Temporary(Running);

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
        let mut running = serve.start().await?;
        tokio::select! {
            ready = ready(&running.process) => ready?,
            failed = running.services.failed() => failed?,
        }
        Ok(Temporary(running))
    }

    /// Stops it in good order.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.0.services.stop().await?;
        self.0.process.shutdown.cancel();
        task::drain(Duration::from_secs(2)).await;
        Ok(())
    }
}

/// Where the storefront is built, seen from the folder the shop is started in.
fn storefront_beside() -> Option<PathBuf> {
    let built = PathBuf::from("storefront/dist");
    built.join("index.html").exists().then_some(built)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        own: Own,
    }

    #[test]
    fn a_checkout_offers_only_channels_that_payment_knows() {
        let agree = |said: &[&str]| Command::parse_from(said).own.agree();
        assert!(agree(&["serve"]).is_ok());
        assert!(
            agree(&["serve", "--payment-channels", "sandbox,card", "--checkout-channels", "card"]).is_ok()
        );
        let refusal =
            agree(&["serve", "--checkout-channels", "sandbox,card"]).expect_err("card is not known");
        assert!(refusal.to_string().contains("offers card"), "{refusal}");
    }
}
