//! Many seeds, each in a process of its own: nothing of one is left when the next begins.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tempfile::TempDir;

use crate::Arguments;
use crate::play::{self, Run};
use crate::processes::ROUNDS;
use crate::shop;
use crate::world::Counts;

/// How long, by a real clock, a run may stand still before it is given up.
const STILL_MAX: Duration = Duration::from_secs(30);
/// Where files are kept in memory, on systems that have it.
const MEMORY: &str = "/dev/shm";

/// A folder with databases and keys to begin with.
pub(crate) enum Prepared {
    Given(PathBuf),
    Made(TempDir),
}

impl Prepared {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Prepared::Given(path) => path,
            Prepared::Made(folder) => folder.path(),
        }
    }
}

/// The folder that is named, or one that is made.
pub(crate) fn prepared(named: Option<&Path>) -> anyhow::Result<Prepared> {
    if let Some(path) = named {
        return Ok(Prepared::Given(path.to_owned()));
    }
    let folder = in_memory()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(shop::prepare(folder.path()))?;
    Ok(Prepared::Made(folder))
}

fn in_memory() -> std::io::Result<TempDir> {
    let prefix = tempfile::Builder::new().prefix("cartwright-simulation-").to_owned();
    if Path::new(MEMORY).is_dir() { prefix.tempdir_in(MEMORY) } else { prefix.tempdir() }
}

/// Plays one seed in this process.
pub(crate) fn alone(seed: u64, prepared: &Path, told: bool) -> anyhow::Result<ExitCode> {
    let folder = in_memory()?;
    for entry in fs::read_dir(prepared)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), folder.path().join(entry.file_name()))?;
        }
    }
    fs::create_dir(folder.path().join("keys"))?;
    for entry in fs::read_dir(prepared.join("keys"))? {
        let entry = entry?;
        fs::copy(entry.path(), folder.path().join("keys").join(entry.file_name()))?;
    }
    watch();
    let path = folder.path().to_owned();
    let playing =
        thread::Builder::new().name("simulation".to_owned()).spawn(move || play::play(seed, &path, told))?;
    let run = playing.join().map_err(|panic| anyhow!("it panicked: {}", words(panic.as_ref())))??;
    println!("{}", serde_json::to_string(&run)?);
    Ok(if run.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

/// Ends the process should the simulation stand still, as where somebody waits for a peer within a transaction.
fn watch() {
    thread::spawn(|| {
        let mut last = u64::MAX;
        loop {
            // By the real clock, on a thread of its own: the simulated one is what may stand still.
            thread::sleep(STILL_MAX);
            let rounds = ROUNDS.load(Ordering::Relaxed);
            if rounds == last {
                eprintln!(
                    "nothing has moved for {} s: does a transaction wait for a peer?",
                    STILL_MAX.as_secs()
                );
                std::process::exit(70);
            }
            last = rounds;
        }
    });
}

/// What all runs came to.
#[derive(Default)]
struct Sum {
    seeds: u64,
    simulated_ms: u64,
    counts: Counts,
    failed: Vec<(u64, String)>,
}

/// Plays many seeds.
pub(crate) fn all(arguments: &Arguments, prepared: &Path) -> anyhow::Result<ExitCode> {
    let first = match arguments.first {
        Some(first) => first,
        None => SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() * 100_000,
    };
    println!("seeds from {first}");
    let began = Instant::now();
    let until = arguments.minutes.map(|minutes| began + minutes);
    let bar = match until {
        Some(_) => ProgressBar::new_spinner(),
        None => ProgressBar::new(arguments.seeds),
    };
    bar.set_style(ProgressStyle::with_template("{pos} seeds, {per_sec}, {msg}")?);
    let (next, stop, sum) = (AtomicU64::new(0), AtomicBool::new(false), Mutex::new(Sum::default()));
    let work = &|job: u16| {
        keep_to_a_core(job);
        while !stop.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let over = until.map_or(number >= arguments.seeds, |until| Instant::now() >= until);
            if over {
                return;
            }
            let seed = first.wrapping_add(number);
            let run = one(seed, prepared, arguments.twice);
            let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
            sum.add(seed, run);
            bar.inc(1);
            bar.set_message(format!("{} failed", sum.failed.len()));
            if arguments.fail_fast && !sum.failed.is_empty() {
                stop.store(true, Ordering::Relaxed);
            }
        }
    };
    thread::scope(|scope| {
        for job in 0..arguments.jobs {
            scope.spawn(move || work(job));
        }
    });
    bar.finish_and_clear();
    let sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    sum.print(began.elapsed());
    Ok(if sum.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Keeps this thread, and the processes it starts, to one core. Of a simulation's threads only one runs at a time; handing
/// over to another within a core takes half as long as waking one up elsewhere. Where that cannot be had it only takes longer.
fn keep_to_a_core(job: u16) {
    let Ok(allowed) = sched_getaffinity(None) else { return };
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect();
    let Some(place) = usize::from(job).checked_rem(cores.len()) else { return };
    let mut own = CpuSet::new();
    own.set(cores[place]);
    let _ = sched_setaffinity(None, &own);
}

/// Plays a seed in a process of its own, and again where that is asked for.
fn one(seed: u64, prepared: &Path, twice: bool) -> anyhow::Result<Run> {
    let run = child(seed, prepared)?;
    if twice {
        let again = child(seed, prepared)?;
        ensure!(run.hash == again.hash, "the same seed gave two stories");
    }
    Ok(run)
}

fn child(seed: u64, prepared: &Path) -> anyhow::Result<Run> {
    let program = std::env::current_exe()?;
    let output =
        Command::new(program).arg("--seed").arg(seed.to_string()).arg("--prepared").arg(prepared).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(text.trim()).with_context(|| {
        String::from_utf8_lossy(&output.stderr).trim().chars().take(2000).collect::<String>()
    })
}

impl Sum {
    fn add(&mut self, seed: u64, run: anyhow::Result<Run>) {
        self.seeds += 1;
        let run = match run {
            Ok(run) => run,
            Err(error) => return self.failed.push((seed, format!("{error:#}"))),
        };
        self.simulated_ms += run.simulated_ms;
        self.counts.add(&run.counts);
        if !run.wrong.is_empty() {
            self.failed.push((seed, run.wrong.join("\n    ")));
        }
    }

    fn print(&self, took: Duration) {
        let Counts { calls, calls_lost, events, events_doubled, provider_faults, deaths, .. } = &self.counts;
        let Counts { confirmed, cancelled, refused, .. } = &self.counts;
        println!(
            "{} seeds in {} s, {} hours of trade",
            self.seeds,
            took.as_secs(),
            self.simulated_ms / 3_600_000
        );
        println!("{confirmed} orders confirmed, {cancelled} cancelled, {refused} requests refused");
        println!(
            "{deaths} deaths; {calls_lost} of {calls} calls lost; {events_doubled} of {events} events doubled; {provider_faults} faults of the provider"
        );
        for (seed, why) in &self.failed {
            println!("seed {seed} failed: {why}\n    again: simulate --seed {seed} --trace");
        }
        if self.failed.is_empty() {
            println!("Nothing was lost, nothing was doubled, and the books balance.");
        }
    }
}
