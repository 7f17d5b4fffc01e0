//! Serves what many ask for at the same time together, in one transaction instead of one each.
//!
//! Nobody waits for more to come: whoever asks while nothing is under way is served at once and alone. What comes in
//! meanwhile waits, and is served by the next transaction, all of it.

use std::collections::{BTreeSet, VecDeque};
use std::future::Future;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use crate::{deadline, status};

/// Wishes that wait for their turn; more wait with their callers.
const WAITING_MAX: usize = 1024;
/// Wishes served by one transaction, and their size after which no more are taken in.
const TOGETHER_MAX: usize = 64;
const SIZE_MAX: usize = 1000;

/// What is asked for.
pub trait Wish: Clone + Send + Sync + 'static {
    /// What it is answered.
    type Answer: Send + 'static;

    /// What it is about: two wishes about the same are never served together.
    fn about(&self) -> &str;

    /// How much it is: its lines, where it has any.
    fn size(&self) -> usize {
        1
    }
}

/// Where wishes are handed in. Clones share it.
pub struct Together<W: Wish>(mpsc::Sender<Asked<W>>);

impl<W: Wish> Clone for Together<W> {
    fn clone(&self) -> Together<W> {
        Together(self.0.clone())
    }
}

/// The wishes handed in, for the one who serves them.
pub struct Wishes<W: Wish> {
    waiting: mpsc::Receiver<Asked<W>>,
    /// Taken from the line, and left for the next turn.
    aside: VecDeque<Asked<W>>,
}

/// The answers to wishes in their order, or why none of them could be served.
pub type Served<W> = Result<Vec<Result<<W as Wish>::Answer, Status>>, Status>;

struct Asked<W: Wish> {
    wish: W,
    until: Option<Instant>,
    answer: oneshot::Sender<Result<W::Answer, Status>>,
}

/// The two ends of the line.
pub fn open<W: Wish>() -> (Together<W>, Wishes<W>) {
    let (sender, waiting) = mpsc::channel(WAITING_MAX);
    (Together(sender), Wishes { waiting, aside: VecDeque::new() })
}

impl<W: Wish> Together<W> {
    /// Hands a wish in and waits for its answer.
    pub async fn ask(&self, wish: W) -> Result<W::Answer, Status> {
        let until = deadline::remaining().map(|left| Instant::now() + left);
        let (answer, answered) = oneshot::channel();
        self.0.send(Asked { wish, until, answer }).await.map_err(|_| stopping())?;
        answered.await.unwrap_or_else(|_| Err(stopping()))
    }
}

impl<W: Wish> Wishes<W> {
    /// Serves wishes until shutdown. `serve` answers each of those it is given, in their order, or says why none of them
    /// could be served; then each is tried alone, unless nothing could be served at all.
    pub async fn serve<F>(mut self, serve: impl Fn(Vec<W>) -> F, shutdown: CancellationToken)
    where
        F: Future<Output = Served<W>>,
    {
        while let Some(together) = shutdown.run_until_cancelled(self.next()).await.flatten() {
            serve_together(&serve, together).await;
        }
    }

    /// Whoever waits now, as many as fit: one wish about each thing.
    async fn next(&mut self) -> Option<Vec<Asked<W>>> {
        let first = match self.aside.pop_front() {
            Some(first) => first,
            None => self.waiting.recv().await?,
        };
        let mut about = BTreeSet::from([first.wish.about().to_owned()]);
        let mut size = first.wish.size();
        let mut together = vec![first];
        let mut later = VecDeque::new();
        while together.len() < TOGETHER_MAX && size < SIZE_MAX {
            let Some(next) = self.aside.pop_front().or_else(|| self.waiting.try_recv().ok()) else { break };
            if about.insert(next.wish.about().to_owned()) {
                size += next.wish.size();
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

async fn serve_together<W, F>(serve: &impl Fn(Vec<W>) -> F, mut together: Vec<Asked<W>>)
where
    W: Wish,
    F: Future<Output = Served<W>>,
{
    // Nobody hears the answers to these any more; served, they would only keep the others waiting.
    let now = Instant::now();
    together.retain(|asked| asked.until.is_none_or(|until| now < until));
    if together.is_empty() {
        return;
    }
    match serve(together.iter().map(|asked| asked.wish.clone()).collect()).await {
        Ok(answers) => {
            for (asked, answer) in together.into_iter().zip(answers) {
                // Whoever went away does not hear it.
                let _ = asked.answer.send(answer);
            }
        }
        // One wish that cannot be served must not be the others' undoing.
        Err(status) if together.len() > 1 && status.code() != Code::Unavailable => {
            for asked in together {
                let answer = serve(vec![asked.wish]).await;
                let answer = answer.and_then(|mut answers| answers.pop().unwrap_or_else(|| Err(stopping())));
                let _ = asked.answer.send(answer);
            }
        }
        Err(status) => {
            for asked in together {
                let _ = asked.answer.send(Err(status.clone()));
            }
        }
    }
}

fn stopping() -> Status {
    status::unavailable("STOPPING", "the service is stopping", Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[derive(Clone, Debug)]
    struct Lines(String, usize);

    impl Wish for Lines {
        type Answer = usize;

        fn about(&self) -> &str {
            &self.0
        }

        fn size(&self) -> usize {
            self.1
        }
    }

    fn wish(order: usize, size: usize) -> Asked<Lines> {
        Asked { wish: Lines(format!("orders/{order}"), size), until: None, answer: oneshot::channel().0 }
    }

    /// How many are served together, turn by turn, of those who wait now. Nobody waits for more to come.
    fn turns(asked: impl IntoIterator<Item = Asked<Lines>>) -> Vec<usize> {
        let (together, mut wishes) = open();
        for asked in asked {
            together.0.try_send(asked).unwrap_or_else(|_| panic!("the line is full"));
        }
        std::iter::from_fn(|| wishes.next().now_or_never().flatten().map(|together| together.len())).collect()
    }

    #[test]
    fn whoever_waits_is_served_at_once_together_and_nobody_waits_for_more() {
        assert_eq!(turns([wish(1, 1)]), [1]);
        assert_eq!(turns((0..100).map(|order| wish(order, 1))), [TOGETHER_MAX, 100 - TOGETHER_MAX]);
    }

    #[test]
    fn large_wishes_and_repeats_about_one_thing_have_turns_of_their_own() {
        assert_eq!(turns((0..3).map(|order| wish(order, SIZE_MAX))), [1, 1, 1]);
        assert_eq!(turns([wish(1, 1), wish(1, 1), wish(2, 1), wish(1, 1)]), [2, 1, 1]);
    }

    #[test]
    fn the_line_has_an_end() {
        let (together, _wishes) = open();
        let taken = (0..2 * WAITING_MAX).filter(|order| together.0.try_send(wish(*order, 1)).is_ok()).count();
        assert_eq!(taken, WAITING_MAX);
    }

    #[tokio::test]
    async fn one_that_cannot_be_served_is_not_the_undoing_of_the_others() {
        let (together, wishes) = open();
        let serve = |some: Vec<Lines>| async move {
            if some.iter().any(|lines| lines.1 == 13) {
                return Err(Status::failed_precondition("thirteen"));
            }
            Ok(some.iter().map(|lines| Ok(lines.1)).collect())
        };
        let stop = CancellationToken::new();
        let asked = async {
            let asked = [1, 13, 3].map(|size| together.ask(Lines(format!("orders/{size}"), size)));
            let answers = futures::future::join_all(asked).await;
            stop.cancel();
            answers
        };
        let (answers, ()) = futures::join!(asked, wishes.serve(serve, stop.clone()));
        let answers: Vec<_> =
            answers.into_iter().map(|answer| answer.map_err(|status| status.code())).collect();
        assert_eq!(answers, [Ok(1), Err(Code::FailedPrecondition), Ok(3)]);
    }
}
