//! The processes: each a runtime of its own, all driven on one thread, one poll of one task at a time.

use std::cell::Cell;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::ensure;
use futures::future::BoxFuture;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Notify;

use crate::machine;
use crate::world::World;

/// How far time moves on when nobody has anything to do: less at first, more the longer that lasts.
const TICK_MIN: Duration = Duration::from_millis(1);
const TICK_MAX: Duration = Duration::from_millis(64);
/// How long a process is down at most.
const DOWN_MAX_MS: u64 = 6000;
/// The most steps from one death to the next, as a power of two: early and late deaths are equally likely.
const STEPS_LOG: u64 = 17;

/// Counts rounds, for whoever watches that there is progress.
pub(crate) static ROUNDS: AtomicU64 = AtomicU64::new(0);

/// What a process does from its start on.
pub(crate) type Start = Box<dyn Fn() -> BoxFuture<'static, Result<(), chassis::Error>>>;

/// All processes.
pub(crate) struct Processes {
    world: World,
    driver: Handle,
    services: Vec<Process>,
    /// Where the customers are. It never dies.
    pub(crate) outside: Life,
    tick: Duration,
    idle_rounds: u32,
    deaths_left: u64,
    steps_left: u64,
}

struct Process {
    noun: &'static str,
    start: Start,
    /// None while it is down.
    life: Option<Life>,
    back_at: Duration,
}

/// A process that runs.
pub(crate) struct Life {
    runtime: Runtime,
    /// Wakes a task that stands in line behind all others: when it has its turn, nobody else is ready.
    last: Arc<Notify>,
    waits: Cell<bool>,
    had_its_turn: Arc<AtomicBool>,
}

impl Life {
    fn new() -> anyhow::Result<Life> {
        // No sockets: whoever wants one is told so by a panic. One task at a time: then the scheduler has its say. What is
        // woken from without comes after what is ready within.
        let runtime = Builder::new_current_thread()
            .enable_time()
            .event_interval(1)
            .global_queue_interval(u32::MAX)
            .build()?;
        let (last, had_its_turn) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
        let (woken, turn) = (Arc::clone(&last), Arc::clone(&had_its_turn));
        runtime.spawn(async move {
            loop {
                woken.notified().await;
                turn.store(true, Ordering::Relaxed);
            }
        });
        Ok(Life { runtime, last, waits: Cell::new(false), had_its_turn })
    }

    pub(crate) fn handle(&self) -> &Handle {
        self.runtime.handle()
    }

    /// Polls one task. Says whether others may be ready.
    fn step(&self) -> bool {
        if !self.waits.replace(true) {
            self.last.notify_one();
        }
        self.runtime.block_on(Turn(false));
        let all_had_theirs = self.had_its_turn.swap(false, Ordering::Relaxed);
        self.waits.set(!all_had_theirs);
        !all_had_theirs
    }
}

/// Is ready the second time it is asked: in between the runtime has its turn.
struct Turn(bool);

impl Future for Turn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Processes {
    /// Starts them all. The database driver's own tasks run elsewhere, on `driver`.
    pub(crate) fn start(
        world: &World,
        driver: &Handle,
        services: Vec<(&'static str, Start)>,
    ) -> anyhow::Result<Processes> {
        let down = |(noun, start)| Process { noun, start, life: None, back_at: Duration::ZERO };
        Ok(Processes {
            world: world.clone(),
            driver: driver.clone(),
            services: services.into_iter().map(down).collect(),
            outside: Life::new()?,
            tick: TICK_MIN,
            idle_rounds: 0,
            deaths_left: 0,
            steps_left: 0,
        })
    }

    /// Has so many of them die, from now on.
    pub(crate) fn deaths(&mut self, count: u64) {
        self.deaths_left = count;
        self.draw_next_death();
    }

    /// Has nobody die any more, and whoever is down be back now.
    pub(crate) fn heal(&mut self) {
        self.deaths_left = 0;
        for process in &mut self.services {
            process.back_at = Duration::ZERO;
        }
    }

    /// Goes on until something is so.
    pub(crate) fn run_until(&mut self, within: Duration, mut so: impl FnMut() -> bool) -> anyhow::Result<()> {
        let until = machine::elapsed() + within;
        while !so() {
            ensure!(machine::elapsed() < until, "it does not come about within {} s", within.as_secs());
            self.round()?;
        }
        Ok(())
    }

    /// Gives every process a turn, in an order drawn by chance. Time moves on when nobody has used it.
    fn round(&mut self) -> anyhow::Result<()> {
        ROUNDS.fetch_add(1, Ordering::Relaxed);
        self.bring_back()?;
        let mut turns: Vec<usize> = (0..=self.services.len()).collect();
        {
            let chance = &mut self.world.state().chance;
            for place in (1..turns.len()).rev() {
                turns.swap(place, chance.index(place + 1));
            }
        }
        let mut busy = false;
        for turn in turns {
            let life = match self.services.get(turn) {
                Some(process) => process.life.as_ref(),
                None => Some(&self.outside),
            };
            busy |= life.is_some_and(Life::step);
            self.die_if_due();
        }
        if busy {
            (self.tick, self.idle_rounds) = (TICK_MIN, 0);
            return Ok(());
        }
        // What a timer has woken shows in the next round only.
        self.idle_rounds += 1;
        if self.idle_rounds > 1 {
            machine::advance(self.tick);
            self.tick = (self.tick * 2).min(TICK_MAX);
            self.idle_rounds = 0;
        }
        Ok(())
    }

    fn bring_back(&mut self) -> anyhow::Result<()> {
        for process in &mut self.services {
            if process.life.is_some() || machine::elapsed() < process.back_at {
                continue;
            }
            let (life, noun, serving) = (Life::new()?, process.noun, (process.start)());
            life.handle().spawn(async move {
                if let Err(error) = serving.await {
                    panic!("{noun} stopped: {}", error.chain());
                }
            });
            process.life = Some(life);
            self.world.state().tell(format_args!("{noun} starts"));
        }
        Ok(())
    }

    fn draw_next_death(&mut self) {
        let chance = &mut self.world.state().chance;
        let scale = 4 + chance.below(STEPS_LOG - 3);
        self.steps_left = chance.below(1 << scale);
    }

    fn die_if_due(&mut self) {
        if self.deaths_left == 0 {
            return;
        }
        if self.steps_left > 0 {
            self.steps_left -= 1;
            return;
        }
        self.deaths_left -= 1;
        self.draw_next_death();
        let (victim, down) = {
            let chance = &mut self.world.state().chance;
            (chance.index(self.services.len()), chance.below(DOWN_MAX_MS))
        };
        let process = &mut self.services[victim];
        let Some(life) = process.life.take() else { return };
        process.back_at = machine::elapsed() + Duration::from_millis(down);
        let noun = process.noun;
        let door = {
            let mut state = self.world.state();
            state.counts.deaths += 1;
            state.tell(format_args!("{noun} dies"));
            state.doors.remove(noun)
        };
        // What is dropped here is dropped wherever it was. The driver puts its connections away on its own runtime.
        let _driver = self.driver.enter();
        drop(life);
        drop(door);
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        let doors = std::mem::take(&mut self.world.state().doors);
        let _driver = self.driver.enter();
        for process in &mut self.services {
            drop(process.life.take());
        }
        drop(doors);
    }
}
