//! What all processes of a simulation share: chance, what goes wrong, and the story of the run.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chassis::simulated::Door;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use crate::chance::Chance;
use crate::machine;

/// How many of a thousand go wrong, each in its way.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rates {
    /// Calls that never arrive, and calls that are carried out and whose answer never arrives.
    pub(crate) lost: u64,
    pub(crate) unanswered: u64,
    /// Calls that arrive twice.
    pub(crate) twice: u64,
    /// Calls that are on their way for long.
    pub(crate) slow: u64,
    /// Events that come twice, that overtake others, and that are taken although their sender hears otherwise.
    pub(crate) doubled: u64,
    pub(crate) shuffled: u64,
    pub(crate) unconfirmed: u64,
    /// What the provider does and never tells, does and tells wrongly, and does not.
    pub(crate) hangs: u64,
    pub(crate) fails: u64,
    pub(crate) closed: u64,
    /// Statements that wait for their turn.
    pub(crate) waits: u64,
}

impl Rates {
    /// Rates of a rough day, drawn by chance: some days are quiet.
    pub(crate) fn draw(chance: &mut Chance) -> Rates {
        let mut rate = |most| if chance.falls(400) { 0 } else { chance.below(most) };
        Rates {
            lost: rate(60),
            unanswered: rate(60),
            twice: rate(60),
            slow: rate(100),
            doubled: rate(100),
            shuffled: rate(300),
            unconfirmed: rate(60),
            hangs: rate(60),
            fails: rate(60),
            closed: rate(60),
            waits: rate(300),
        }
    }
}

/// What happened, in numbers.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Counts {
    pub(crate) calls: u64,
    pub(crate) calls_lost: u64,
    pub(crate) events: u64,
    pub(crate) events_doubled: u64,
    pub(crate) provider_faults: u64,
    pub(crate) deaths: u64,
    pub(crate) confirmed: u64,
    pub(crate) cancelled: u64,
    pub(crate) refused: u64,
    pub(crate) invariants: usize,
}

impl Counts {
    /// Adds another run's.
    pub(crate) fn add(&mut self, other: &Counts) {
        self.calls += other.calls;
        self.calls_lost += other.calls_lost;
        self.events += other.events;
        self.events_doubled += other.events_doubled;
        self.provider_faults += other.provider_faults;
        self.deaths += other.deaths;
        self.confirmed += other.confirmed;
        self.cancelled += other.cancelled;
        self.refused += other.refused;
        self.invariants = self.invariants.max(other.invariants);
    }
}

/// Shared by all processes. Clones are the same world.
#[derive(Clone)]
pub(crate) struct World(Arc<Mutex<State>>);

/// What the world is like now.
pub(crate) struct State {
    pub(crate) chance: Chance,
    pub(crate) rates: Rates,
    pub(crate) counts: Counts,
    /// Where each service is, while it lives.
    pub(crate) doors: BTreeMap<&'static str, (Handle, Door)>,
    story: DefaultHasher,
    told: bool,
}

impl World {
    /// A world in which nothing goes wrong yet. `told` prints all that happens.
    pub(crate) fn new(seed: u64, told: bool) -> World {
        World(Arc::new(Mutex::new(State {
            chance: Chance::new(seed),
            rates: Rates::default(),
            counts: Counts::default(),
            doors: BTreeMap::new(),
            // Keyed by nothing, so that equal stories have equal hashes.
            story: DefaultHasher::new(),
            told,
        })))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long a statement waits for its turn.
    pub(crate) fn pause(&self) -> Duration {
        let mut state = self.state();
        let waits = state.rates.waits;
        if state.chance.falls(waits) { Duration::from_millis(state.chance.below(20)) } else { Duration::ZERO }
    }
}

impl State {
    /// Adds to the story.
    pub(crate) fn tell(&mut self, what: fmt::Arguments<'_>) {
        let at = machine::elapsed();
        let line = what.to_string();
        (at, &line).hash(&mut self.story);
        if self.told {
            eprintln!("{:>10.3} s  {line}", at.as_secs_f64());
        }
    }

    /// What tells this story from others.
    pub(crate) fn hash(&self) -> u64 {
        self.story.finish()
    }
}
