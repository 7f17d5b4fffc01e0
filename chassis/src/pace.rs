//! Rounds of background work kept apart, so that under load each finds more to do.
//!
//! A transaction costs nearly the same whether it takes one event or thirty. Work that nobody waits for therefore does not
//! begin its next round the moment something is there: the first after a quiet while begins at once, those behind it
//! gather.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// How far apart rounds begin: little beside the time an event is on its way, much beside what a round takes.
const APART: Duration = Duration::from_millis(25);

/// When the next round may begin.
#[derive(Debug, Default)]
pub struct Pace {
    next: Option<Instant>,
}

impl Pace {
    /// Waits until a round may begin: not at all where the one before began long enough ago. Whoever stops waiting loses
    /// nothing.
    pub async fn turn(&mut self) {
        if let Some(next) = self.next {
            sleep_until(next).await;
        }
        self.next = Some(Instant::now() + APART);
    }

    /// Lets the next round begin at once, for where this one has left something to do.
    pub fn hurry(&mut self) {
        self.next = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_round_begins_at_once_and_the_next_keeps_its_distance() {
        let began = Instant::now();
        let mut pace = Pace::default();
        pace.turn().await;
        pace.turn().await;
        assert!(began.elapsed() >= APART);
    }

    #[tokio::test]
    async fn nobody_waits_who_left_something_to_do() {
        let mut pace = Pace { next: Some(Instant::now() + Duration::from_secs(3600)) };
        pace.hurry();
        tokio::time::timeout(Duration::from_secs(5), pace.turn()).await.expect("at once");
    }
}
