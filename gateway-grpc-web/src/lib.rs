//! The edge: one listener through which browsers and other clients reach the services.
//!
//! It speaks grpc-web (binary and text, over HTTP/1.1 and HTTP/2) and native gRPC, and serves the storefront's files and
//! the products' pictures, and takes in what payment channels announce. It reads from the contract which service a method belongs to and who may call it, judges the
//! caller's token, and hands the call on with a token of its own that names the person. It passes bytes: no message is
//! decoded here. Internal methods cannot be reached through it.

mod config;
mod edge;
mod files;
mod listener;
mod media;
mod origin;
mod probe;
mod relay;
mod rpc;
mod webhooks;

use std::time::Duration;

use chassis::{Error, Host, health, telemetry};

pub use crate::config::Config;
use crate::edge::Edge;

/// Serves until the host's shutdown.
pub async fn serve(host: Host, config: Config) -> Result<(), Error> {
    if let Some(probes) = host.metrics_listener()? {
        telemetry::metrics();
        chassis::task::spawn("probes", health::serve(probes, host.health.clone(), host.shutdown.clone()));
    }
    let stop = host.shutdown.clone();
    chassis::task::spawn("access-policy", host.clone().follow_access_policy(stop.clone()));
    let probe = probe::watch(&host);
    let edge = Edge::new(&host, &config, probe)?;
    let listener = host.listener()?;
    tracing::info!(service = host.noun, address = %host.address()?, "serving");
    let drain = Duration::from_secs(host.settings.drain_seconds);
    listener::serve(listener, edge, drain, stop).await;
    tracing::info!(service = host.noun, "stopped");
    Ok(())
}
