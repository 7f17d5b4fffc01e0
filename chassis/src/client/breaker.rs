//! A circuit breaker: a peer that keeps failing is left alone for a while, then asked once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Consecutive failures until the peer is left alone.
const FAILURES_MAX: u32 = 5;
const OPEN_FIRST: Duration = Duration::from_secs(1);
const OPEN_MAX: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub(super) struct Breaker {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    failures: u32,
    /// Set while the peer is left alone, and while the one probe is under way.
    open: Option<Open>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    until: Instant,
    span: Duration,
    probing: bool,
}

/// One call let through. Dropped without a verdict, it says nothing about the peer.
#[derive(Debug)]
pub(super) struct Permit {
    breaker: Breaker,
    probe: bool,
    told: bool,
}

impl Breaker {
    pub(super) fn new() -> Breaker {
        Breaker { state: Arc::new(Mutex::new(State { failures: 0, open: None })) }
    }

    /// Lets a call through, or says how long the peer is still left alone.
    pub(super) fn admit(&self, now: Instant) -> Result<Permit, Duration> {
        let mut state = self.lock();
        let probe = match &mut state.open {
            None => false,
            Some(open) if open.probing => return Err(open.span.min(OPEN_FIRST)),
            Some(open) if open.until > now => return Err(open.until - now),
            Some(open) => {
                open.probing = true;
                true
            }
        };
        Ok(Permit { breaker: self.clone(), probe, told: false })
    }

    pub(super) fn is_open(&self) -> bool {
        self.lock().open.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// The peer answered, whatever it said.
    pub(super) fn succeeded(mut self) {
        self.told = true;
        let mut state = self.breaker.lock();
        // A call that left before the peer was given up on says nothing about how it is now.
        if self.probe || state.open.is_none() {
            state.failures = 0;
            state.open = None;
        }
    }

    /// The peer did not answer, or could not. `at_once`: it cannot be reached at all, and there are others to ask.
    pub(super) fn failed(mut self, at_once: bool, now: Instant) {
        self.told = true;
        let mut state = self.breaker.lock();
        state.failures = state.failures.saturating_add(1);
        let span = match state.open {
            Some(open) if self.probe => (open.span * 2).min(OPEN_MAX),
            Some(_) => return,
            None if at_once || state.failures >= FAILURES_MAX => OPEN_FIRST,
            None => return,
        };
        state.open = Some(Open { until: now + span, span, probing: false });
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.probe && !self.told {
            // The probe was given up on: the next call is the probe.
            if let Some(open) = &mut self.breaker.lock().open {
                open.probing = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fail(breaker: &Breaker, times: u32, now: Instant) {
        for _ in 0..times {
            breaker.admit(now).unwrap().failed(false, now);
        }
    }

    #[tokio::test]
    async fn five_failures_in_a_row_open_it_and_a_good_probe_closes_it() {
        let (breaker, now) = (Breaker::new(), Instant::now());
        fail(&breaker, 4, now);
        breaker.admit(now).unwrap().succeeded();
        fail(&breaker, 5, now);
        assert!(breaker.admit(now).is_err());
        let later = now + OPEN_FIRST;
        let probe = breaker.admit(later).unwrap();
        assert!(breaker.admit(later).is_err(), "one probe at a time");
        probe.succeeded();
        breaker.admit(later).unwrap().succeeded();
        assert!(!breaker.is_open());
    }

    #[tokio::test]
    async fn each_failed_probe_doubles_the_wait_up_to_a_minute() {
        let (breaker, mut now) = (Breaker::new(), Instant::now());
        fail(&breaker, 5, now);
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            let wait = breaker.admit(now).unwrap_err();
            assert_eq!(wait, Duration::from_secs(seconds));
            now += wait;
            breaker.admit(now).unwrap().failed(false, now);
        }
    }

    #[tokio::test]
    async fn a_probe_that_is_given_up_on_leaves_room_for_the_next() {
        let (breaker, now) = (Breaker::new(), Instant::now());
        fail(&breaker, 5, now);
        let later = now + OPEN_FIRST;
        drop(breaker.admit(later).unwrap());
        breaker.admit(later).unwrap().succeeded();
        assert!(!breaker.is_open());
    }

    proptest! {
        #[test]
        fn it_never_stays_shut_for_good(verdicts in proptest::collection::vec((0u8..3, 0u64..90), 0..200)) {
            let (breaker, mut now) = (Breaker::new(), Instant::now());
            for (verdict, seconds) in verdicts {
                now += Duration::from_secs(seconds);
                match (breaker.admit(now), verdict) {
                    (Ok(permit), 0) => permit.succeeded(),
                    (Ok(permit), 1) => permit.failed(false, now),
                    (Ok(permit), _) => drop(permit),
                    (Err(wait), _) => prop_assert!(wait <= OPEN_MAX),
                }
            }
            prop_assert!(breaker.admit(now + OPEN_MAX).is_ok());
        }
    }
}
