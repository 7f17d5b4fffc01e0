//! What goes wrong: parts are killed, frozen and cut off, by a chance that can be had again.
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chassis::config::NOUNS;
use e2e::network::Weather;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde::Serialize;
use tokio::process::Command;

use crate::world::World;

/// The parts that an order goes through are hit more often than the others.
const KILLED: [&str; 16] = [
    "order",
    "order",
    "order",
    "payment",
    "payment",
    "payment",
    "inventory",
    "inventory",
    "inventory",
    "promotion",
    "shipping",
    "catalog",
    "identity",
    "notification",
    "analytics",
    "gateway",
];

/// What was done, and how often it met checkouts under way.
#[derive(Default, Serialize)]
pub(crate) struct Faults {
    /// By kind: how often.
    pub(crate) done: BTreeMap<&'static str, u64>,
    /// By kind: how often while checkouts were under way.
    pub(crate) hit: BTreeMap<&'static str, u64>,
}

impl Faults {
    fn count(&mut self, kind: &'static str, live: u64) {
        *self.done.entry(kind).or_default() += 1;
        if live > 0 {
            *self.hit.entry(kind).or_default() += 1;
        }
    }

    fn add(&mut self, other: &Faults) {
        for (kind, count) in &other.done {
            *self.done.entry(kind).or_default() += count;
        }
        for (kind, count) in &other.hit {
            *self.hit.entry(kind).or_default() += count;
        }
    }
}

/// How kills are counted.
pub(crate) const KILL: &str = "kill -9 of a service";

/// Lets faults happen for a while, or until so many kills have hit.
pub(crate) async fn inject(world: &World, seed: u64, lasting: Duration, kills: u64) -> Faults {
    let until = Instant::now() + lasting;
    let over = tokio_util::sync::CancellationToken::new();
    let killing = async {
        let faults = kill(world, StdRng::seed_from_u64(seed), until, kills).await;
        over.cancel();
        faults
    };
    let (mut faults, others) = tokio::join!(killing, disturb(world, StdRng::seed_from_u64(!seed), &over));
    faults.add(&others);
    faults
}

/// Kills services, one to three at once, and starts them again after a while.
async fn kill(world: &World, mut chance: StdRng, until: Instant, kills: u64) -> Faults {
    let mut faults = Faults::default();
    let mut hit = 0;
    while Instant::now() < until && (kills == 0 || hit < kills) {
        tokio::time::sleep(Duration::from_millis(chance.random_range(500..5_000))).await;
        let together = if chance.random_bool(0.2) { chance.random_range(2..=3) } else { 1 };
        let mut victims: Vec<&'static str> =
            (0..together).filter_map(|_| KILLED.choose(&mut chance).copied()).collect();
        victims.sort_unstable();
        victims.dedup();
        let pause = Duration::from_millis(if chance.random_bool(0.1) {
            chance.random_range(3_000..10_000)
        } else {
            chance.random_range(0..1_500)
        });
        let live = world.live().await;
        for &victim in &victims {
            let mut shop = world.shop().await;
            let killed = match shop.program(victim) {
                Ok(program) => program.kill().await,
                Err(error) => Err(error),
            };
            match killed {
                Ok(()) => {
                    faults.count(KILL, live);
                    hit += u64::from(live > 0);
                }
                Err(error) => eprintln!("{victim} could not be killed: {error}"),
            }
        }
        tell(&format!("killed {} with {live} checkouts under way; {hit} so far", victims.join(", ")));
        tokio::time::sleep(pause).await;
        let mut shop = world.shop().await;
        for victim in victims {
            if let Err(error) = shop.program(victim).and_then(e2e::program::Program::start_again) {
                eprintln!("{victim} could not be started: {error}");
            }
        }
    }
    faults
}

/// Everything else that goes wrong, one thing after the other.
async fn disturb(world: &World, mut chance: StdRng, over: &tokio_util::sync::CancellationToken) -> Faults {
    let mut faults = Faults::default();
    while !over.is_cancelled() {
        let wait = Duration::from_millis(chance.random_range(3_000..12_000));
        if over.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
            break;
        }
        let live = world.live().await;
        let kind = match chance.random_range(0..100) {
            0..25 => freeze(world, &mut chance).await,
            25..65 => weather(world, &mut chance).await,
            65..75 => {
                restart(world, "postgres", "crash", Duration::from_millis(chance.random_range(0..2_000)))
                    .await
            }
            75..85 => {
                world.cut_connections().await;
                Ok("every connection to PostgreSQL ended")
            }
            85..95 => {
                restart(world, "rabbitmq", "stop", Duration::from_millis(chance.random_range(0..5_000))).await
            }
            _ => restart(world, "redis", "stop", Duration::from_millis(chance.random_range(0..3_000))).await,
        };
        match kind {
            Ok(kind) => {
                tell(&format!("{kind}, with {live} checkouts under way"));
                faults.count(kind, live);
            }
            Err(error) => eprintln!("a fault could not be made: {error}"),
        }
    }
    faults
}

/// Stops a process in its tracks for a while, so that it wakes in a world that has gone on.
async fn freeze(world: &World, chance: &mut StdRng) -> anyhow::Result<&'static str> {
    let victim = KILLED.choose(chance).copied().unwrap_or("order");
    let lasting = Duration::from_millis(chance.random_range(500..20_000));
    let Some(process) = world.shop().await.processes().get(victim).copied() else {
        return Ok("freeze of a service that was down");
    };
    signal("STOP", process).await?;
    tokio::time::sleep(lasting).await;
    // Where it was killed meanwhile there is nobody to wake.
    let _ = signal("CONT", process).await;
    Ok("freeze of a service")
}

/// Changes the weather on one way for a while.
async fn weather(world: &World, chance: &mut StdRng) -> anyhow::Result<&'static str> {
    let ways: Vec<_> = world.shop().await.ways().keys().copied().collect();
    let order: Vec<_> = ways.iter().filter(|(from, _)| *from == "order").copied().collect();
    let among = if chance.random_bool(0.5) { &order } else { &ways };
    let Some(&way) = among.choose(chance) else { return Ok("weather on no way") };
    let (weather, name) = match chance.random_range(0..5) {
        0 => (Weather::Slow(Duration::from_millis(chance.random_range(50..1_000))), "slow way"),
        1 => (Weather::Sliced(chance.random_range(1..100)), "way in slices"),
        2 => (Weather::Silent, "silent way"),
        3 => (Weather::Unanswered, "way without answers"),
        _ => (Weather::Broken, "broken way"),
    };
    let lasting = Duration::from_millis(chance.random_range(500..10_000));
    set(world, way, weather).await;
    tokio::time::sleep(lasting).await;
    set(world, way, Weather::Fair).await;
    Ok(name)
}

async fn set(world: &World, way: (&'static str, &'static str), weather: Weather) {
    if let Some(way) = world.shop().await.ways().get(&way) {
        way.set(weather);
    }
}

async fn restart(
    world: &World,
    server: &'static str,
    how: &str,
    away: Duration,
) -> anyhow::Result<&'static str> {
    world.server(server, how).await?;
    tokio::time::sleep(away).await;
    start(world, server).await?;
    Ok(match server {
        "postgres" => "crash of PostgreSQL",
        "rabbitmq" => "restart of RabbitMQ",
        _ => "restart of Redis",
    })
}

/// A server that crashed may need a moment before it lets itself be started.
async fn start(world: &World, server: &str) -> anyhow::Result<()> {
    let mut tries = 0;
    loop {
        match world.server(server, "start").await {
            Ok(()) => return Ok(()),
            Err(error) if tries >= 5 => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(500)).await,
        }
        tries += 1;
    }
}

/// Brings everything up again: fair weather on every way, every server and every program running.
pub(crate) async fn mend(world: &World) -> anyhow::Result<()> {
    for server in ["postgres", "rabbitmq", "redis"] {
        if world.server_process(server).ok().is_none_or(|process| !is_running(process)) {
            start(world, server).await?;
        }
    }
    let mut shop = world.shop().await;
    for way in shop.ways().values() {
        way.set(Weather::Fair);
    }
    for process in shop.processes().into_values() {
        let _ = signal("CONT", process).await;
    }
    // One that was started while its database was away ends by itself; a supervisor would start it again.
    let mut tries = 0;
    loop {
        for noun in NOUNS.into_iter().chain(["gateway"]) {
            let program = shop.program(noun)?;
            if program.has_ended()? {
                program.start_again()?;
            }
        }
        match tokio::time::timeout(Duration::from_secs(20), shop.ready()).await {
            Ok(ready) => return ready,
            Err(late) if tries >= 8 => return Err(late.into()),
            Err(_) => tries += 1,
        }
    }
}

fn is_running(process: u32) -> bool {
    std::path::Path::new(&format!("/proc/{process}")).exists()
}

async fn signal(name: &str, process: u32) -> anyhow::Result<()> {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(process.to_string()).output().await?;
    anyhow::ensure!(sent.status.success(), "process {process} is gone");
    Ok(())
}

fn tell(what: &str) {
    eprintln!("{what}");
}
