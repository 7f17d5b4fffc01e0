//! Holds stock for orders that ask at the same time together: the rows of what everybody wants are taken hold of once
//! for all of them, instead of by each in turn.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use chassis::db::Db;
use chassis::{deadline, status};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use crate::domain::Reservation;
use crate::service;
use crate::service::reservations::Wish;

/// Wishes that wait for their turn; more wait with their callers.
const WAITING_MAX: usize = 1024;
/// Wishes served by one transaction, and the lines after which no more are taken in.
const TOGETHER_MAX: usize = 64;
const LINES_MAX: usize = 1000;

/// Where wishes are handed in. Clones share it.
#[derive(Clone)]
pub(crate) struct Holding(mpsc::Sender<Asked>);

/// The wishes handed in, for the one who serves them.
pub(crate) struct Wishes {
    waiting: mpsc::Receiver<Asked>,
    /// Taken from the line, and left for the next turn.
    aside: VecDeque<Asked>,
}

struct Asked {
    wish: Wish,
    until: Option<Instant>,
    answer: oneshot::Sender<Result<Reservation, Status>>,
}

/// The two ends of the line.
pub(crate) fn open() -> (Holding, Wishes) {
    let (sender, waiting) = mpsc::channel(WAITING_MAX);
    (Holding(sender), Wishes { waiting, aside: VecDeque::new() })
}

impl Holding {
    /// Hands a wish in and waits for its answer.
    pub(crate) async fn reserve(&self, wish: Wish) -> Result<Reservation, Status> {
        let until = deadline::remaining().map(|left| Instant::now() + left);
        let (answer, answered) = oneshot::channel();
        self.0.send(Asked { wish, until, answer }).await.map_err(|_| stopping())?;
        answered.await.unwrap_or_else(|_| Err(stopping()))
    }
}

impl Wishes {
    /// Serves wishes until shutdown.
    pub(crate) async fn serve(mut self, db: &Db, shutdown: CancellationToken) {
        while let Some(together) = shutdown.run_until_cancelled(self.next()).await.flatten() {
            serve_together(db, together).await;
        }
    }

    /// Whoever waits now, as many as fit: one wish of each order.
    async fn next(&mut self) -> Option<Vec<Asked>> {
        let first = match self.aside.pop_front() {
            Some(first) => first,
            None => self.waiting.recv().await?,
        };
        let mut orders = BTreeSet::from([first.wish.order.clone()]);
        let mut lines = first.wish.wanted.len();
        let mut together = vec![first];
        let mut later = VecDeque::new();
        while together.len() < TOGETHER_MAX && lines < LINES_MAX {
            let Some(next) = self.aside.pop_front().or_else(|| self.waiting.try_recv().ok()) else { break };
            if orders.insert(next.wish.order.clone()) {
                lines += next.wish.wanted.len();
                together.push(next);
            } else {
                later.push_back(next);
            }
        }
        later.append(&mut self.aside);
        self.aside = later;
        Some(together)
    }
}

async fn serve_together(db: &Db, mut together: Vec<Asked>) {
    // Nobody hears the answers to these any more; served, they would only keep the others waiting.
    let now = Instant::now();
    together.retain(|asked| asked.until.is_none_or(|until| now < until));
    let wishes: Vec<Wish> = together.iter().map(|asked| asked.wish.clone()).collect();
    match reserve(db, &wishes).await {
        Ok(answers) => {
            for (asked, answer) in together.into_iter().zip(answers) {
                // Whoever went away does not hear it.
                let _ = asked.answer.send(answer);
            }
        }
        // One wish that cannot be served must not be the others' undoing.
        Err(status) if together.len() > 1 && status.code() != Code::Unavailable => {
            for asked in together {
                let answer = reserve(db, std::slice::from_ref(&asked.wish)).await;
                let _ = asked
                    .answer
                    .send(answer.and_then(|mut answers| answers.pop().unwrap_or_else(|| Err(stopping()))));
            }
        }
        Err(status) => {
            for asked in together {
                let _ = asked.answer.send(Err(status.clone()));
            }
        }
    }
}

/// The answers to wishes, or why none of them could be served.
async fn reserve(db: &Db, wishes: &[Wish]) -> Result<Vec<Result<Reservation, Status>>, Status> {
    if wishes.is_empty() {
        return Ok(Vec::new());
    }
    let answers =
        db.write(async |tx| service::reservations::reserve(tx, wishes).await).await.map_err(Status::from)?;
    Ok(answers.into_iter().map(|answer| answer.map_err(Status::from)).collect())
}

fn stopping() -> Status {
    status::unavailable("STOPPING", "the service is stopping", Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use chassis::time::Timestamp;
    use futures::FutureExt;

    use super::*;
    use crate::domain::{Cause, Quantities, Sku};

    fn wish(order: usize, skus: usize) -> Asked {
        let time = Timestamp::from_micros(0);
        let wanted: Quantities = (0..skus).map(|sku| (Sku::stored(format!("SKU-{sku}")), 1)).collect();
        let cause = Cause { reference: String::new(), actor: String::new(), reason: String::new(), time };
        let order = format!("orders/{order}");
        let wish = Wish { order, wanted, expire_time: time, request_id: String::new(), cause };
        Asked { wish, until: None, answer: oneshot::channel().0 }
    }

    /// How many are served together, turn by turn, of those who wait now. Nobody waits for more to come.
    fn turns(asked: impl IntoIterator<Item = Asked>) -> Vec<usize> {
        let (holding, mut wishes) = open();
        for asked in asked {
            holding.0.try_send(asked).unwrap_or_else(|_| panic!("the line is full"));
        }
        std::iter::from_fn(|| wishes.next().now_or_never().flatten().map(|together| together.len())).collect()
    }

    #[test]
    fn whoever_waits_is_served_at_once_together_and_nobody_waits_for_more() {
        assert_eq!(turns([wish(1, 1)]), [1]);
        assert_eq!(turns((0..100).map(|order| wish(order, 1))), [TOGETHER_MAX, 100 - TOGETHER_MAX]);
    }

    #[test]
    fn large_wishes_and_repeats_of_one_order_have_turns_of_their_own() {
        assert_eq!(turns((0..3).map(|order| wish(order, LINES_MAX))), [1, 1, 1]);
        assert_eq!(turns([wish(1, 1), wish(1, 1), wish(2, 1), wish(1, 1)]), [2, 1, 1]);
    }

    #[test]
    fn the_line_has_an_end() {
        let (holding, _wishes) = open();
        let taken = (0..2 * WAITING_MAX).filter(|order| holding.0.try_send(wish(*order, 1)).is_ok()).count();
        assert_eq!(taken, WAITING_MAX);
    }
}
