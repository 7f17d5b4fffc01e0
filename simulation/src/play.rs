//! One run: a shop is stocked, customers buy while things go wrong, everything heals, and the books are looked at.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, ensure};
use cartwright::simulated::Audited;
use chassis::host::OPERATOR;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Handle};

use crate::chance::Chance;
use crate::customers::{self, Told, Wish};
use crate::machine;
use crate::processes::Processes;
use crate::shop::{SERVICES, Shop};
use crate::truth;
use crate::webhooks;
use crate::world::{Counts, Rates, World};

/// How long stocking up may take, customers may wait for their last answer, and books may take to settle, by the clock of
/// the simulation.
const STOCKED_WITHIN: Duration = Duration::from_secs(60);
const ANSWERED_WITHIN: Duration = Duration::from_secs(1200);
const SETTLED_WITHIN: Duration = Duration::from_secs(1800);
/// How long things go wrong at most.
const ROUGH_MAX_MS: u64 = 60_000;
const DEATHS_MAX: u64 = 6;

/// What a run came to.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Run {
    pub(crate) seed: u64,
    /// What tells its story from others: equal for equal seeds.
    pub(crate) hash: u64,
    pub(crate) simulated_ms: u64,
    pub(crate) counts: Counts,
    /// What is wrong; empty where the books balance and everybody was told the truth.
    pub(crate) wrong: Vec<String>,
}

/// Plays a seed in a folder that has the databases and keys to begin with. Call it on a fresh thread.
pub(crate) fn play(seed: u64, folder: &Path, told: bool) -> anyhow::Result<Run> {
    machine::switch_on(seed);
    let driver = Builder::new_multi_thread().worker_threads(1).enable_time().build()?;
    let world = World::new(seed, told);
    let shop = Shop::new(&world, folder, driver.handle())?;
    let mut processes = Processes::start(&world, driver.handle(), shop.starts())?;
    shop.open_catalog(processes.outside.handle());
    let wrong = match run(&world, &shop, &mut processes) {
        Ok(wrong) => wrong,
        Err(error) => vec![format!("{error:#}")],
    };
    let (hash, counts) = {
        let state = world.state();
        (state.hash(), state.counts.clone())
    };
    drop(processes);
    driver.shutdown_background();
    let simulated_ms = u64::try_from(machine::elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(Run { seed, hash, simulated_ms, counts, wrong })
}

fn run(world: &World, shop: &Shop, processes: &mut Processes) -> anyhow::Result<Vec<String>> {
    let stocked = customers::stock_up(shop, &mut Chance::new(world.state().chance.below(u64::MAX)));
    finish(processes, STOCKED_WITHIN, stocked).context("stocking up")??;

    let outside = processes.outside.handle().clone();
    let _announcing = webhooks::announce(shop, &outside);
    let (wishes, rates, deaths, rough) = {
        let chance = &mut world.state().chance;
        (
            Wish::draw_all(chance),
            Rates::draw(chance),
            chance.below(DEATHS_MAX + 1),
            chance.below(ROUGH_MAX_MS),
        )
    };
    world.state().rates = rates;
    processes.deaths(deaths);
    let answers: Arc<Mutex<Vec<Told>>> = Arc::default();
    let count = wishes.len();
    for wish in wishes {
        let (buying, answers) = (customers::buy(shop, wish), Arc::clone(&answers));
        outside.spawn(async move {
            let told = buying.await;
            answers.lock().unwrap_or_else(PoisonError::into_inner).push(told);
        });
    }
    let answered = || answers.lock().unwrap_or_else(PoisonError::into_inner).len();
    let healed = machine::elapsed() + Duration::from_millis(rough);
    processes.run_until(ANSWERED_WITHIN, || machine::elapsed() >= healed)?;
    world.state().rates = Rates::default();
    world.state().tell(format_args!("everything heals"));
    processes.heal();
    processes
        .run_until(ANSWERED_WITHIN, || answered() == count)
        .with_context(|| format!("{} of {count} customers have their answer", answered()))?;

    // Who died last may not be back yet; the catalog is never away.
    processes.run_until(ANSWERED_WITHIN, || world.state().doors.len() == SERVICES.len() + 1)?;
    let audit = cartwright::simulated::audit(shop.keys(OPERATOR), Arc::clone(&shop.network), SETTLED_WITHIN);
    let audited: Audited = finish(processes, SETTLED_WITHIN * 2, Box::pin(audit)).context("auditing")??;
    let mut told = std::mem::take(&mut *answers.lock().unwrap_or_else(PoisonError::into_inner));
    told.sort_by(|one, other| one.wish.request_id.cmp(&other.wish.request_id));
    let truth = truth::look(shop, told);
    let (lies, [confirmed, cancelled, refused]) =
        finish(processes, SETTLED_WITHIN, truth).context("asking")??;

    let mut state = world.state();
    ensure!(audited.invariants > 20, "only {} invariants were checked", audited.invariants);
    state.counts.invariants = audited.invariants;
    (state.counts.confirmed, state.counts.cancelled, state.counts.refused) = (confirmed, cancelled, refused);
    let mut wrong = audited.broken;
    if !audited.settled {
        wrong.push("something is under way for ever".to_owned());
    }
    wrong.extend(lies);
    Ok(wrong)
}

/// Runs the processes until somebody outside has finished.
fn finish<T: Send + 'static>(
    processes: &mut Processes,
    within: Duration,
    work: BoxFuture<'static, T>,
) -> anyhow::Result<T> {
    let outside: Handle = processes.outside.handle().clone();
    let done: Arc<Mutex<Option<T>>> = Arc::default();
    let doing = Arc::clone(&done);
    outside.spawn(async move {
        let result = work.await;
        *doing.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
    });
    let take = || done.lock().unwrap_or_else(PoisonError::into_inner).take();
    let mut result = None;
    processes.run_until(within, || {
        result = take();
        result.is_some()
    })?;
    result.context("it has finished")
}
