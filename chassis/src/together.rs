//! Serves what many ask for at the same time together, in one transaction instead of one each.
//!
//! Whoever asks while nothing is under way is served at once and alone. What comes in meanwhile waits, and is served by
//! the next transaction, all of it. Where many ask at the same time, the next transaction also waits a moment for those who
//! were served together before and will ask together again: an order passes several such places, and customers who keep
//! together on the way share the transactions of all of them.

use std::collections::{BTreeSet, VecDeque};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, sleep};
use tonic::{Code, Status};
use tracing::{Instrument, Span};

use crate::{deadline, status, task};

/// Wishes that wait for their turn; more wait with their callers.
const WAITING_MAX: usize = 1024;
/// Wishes served by one transaction, and their size after which no more are taken in.
const TOGETHER_MAX: usize = 64;
const SIZE_MAX: usize = 1000;
/// How long the next to be served wait for others who are about to ask, and how long after anybody had company they do.
const GATHER: Duration = Duration::from_millis(2);
const COMPANY: Duration = Duration::from_millis(100);

/// What is asked for.
pub trait Wish: Clone + Send + Sync + 'static {
    /// What it is answered.
    type Answer: Send + 'static;

    /// What it is about: two wishes about the same are never served together. Of those about nothing (`""`) all are.
    fn about(&self) -> &str;

    /// How much it is: its lines, where it has any.
    fn size(&self) -> usize {
        1
    }
}

/// The answers to wishes in their order, or why none of them could be served.
pub type Served<W> = Result<Vec<Result<<W as Wish>::Answer, Status>>, Status>;

/// Where wishes are handed in. Clones share it.
pub struct Together<W: Wish>(Arc<Inner<W>>);

impl<W: Wish> Clone for Together<W> {
    fn clone(&self) -> Together<W> {
        Together(Arc::clone(&self.0))
    }
}

struct Inner<W: Wish> {
    serve: Box<dyn Fn(Vec<W>) -> BoxFuture<'static, Served<W>> + Send + Sync>,
    places: Semaphore,
    line: Mutex<Line<W>>,
}

struct Line<W: Wish> {
    waiting: VecDeque<Asked<W>>,
    /// Whether somebody serves: then whoever comes only gets in line.
    served: bool,
    /// Until when others are expected to ask at nearly the same time; never where one alone asks again and again.
    company_until: Option<Instant>,
}

struct Asked<W: Wish> {
    wish: W,
    until: Option<Instant>,
    /// What is done for it belongs to.
    span: Span,
    answer: oneshot::Sender<Result<W::Answer, Status>>,
}

impl<W: Wish> Together<W> {
    /// `serve` answers each of the wishes it is given, in their order, or says why none of them could be served; then each
    /// is tried alone, unless nothing can be served at all now (`UNAVAILABLE`, but for what others hold in the database).
    pub fn new<F>(serve: impl Fn(Vec<W>) -> F + Send + Sync + 'static) -> Together<W>
    where
        F: Future<Output = Served<W>> + Send + 'static,
    {
        Together(Arc::new(Inner {
            serve: Box::new(move |wishes| Box::pin(serve(wishes))),
            places: Semaphore::new(WAITING_MAX),
            line: Mutex::new(Line { waiting: VecDeque::new(), served: false, company_until: None }),
        }))
    }

    /// Hands a wish in and waits for its answer. Whoever goes away meanwhile does not hear it; it is served all the same.
    pub async fn ask(&self, wish: W) -> Result<W::Answer, Status> {
        self.hand_in(wish, deadline::remaining().map(|left| Instant::now() + left)).await
    }

    /// The same for what has to be done although the caller may hear nothing of it any more.
    pub async fn ask_however_late(&self, wish: W) -> Result<W::Answer, Status> {
        self.hand_in(wish, None).await
    }

    async fn hand_in(&self, wish: W, until: Option<Instant>) -> Result<W::Answer, Status> {
        let _place = self.0.places.acquire().await.map_err(|_| unserved())?;
        let (answer, answered) = oneshot::channel();
        let serves = {
            let mut line = self.0.line();
            line.waiting.push_back(Asked { wish, until, span: Span::current(), answer });
            !std::mem::replace(&mut line.served, true)
        };
        if serves {
            let inner = Arc::clone(&self.0);
            // Under nobody's deadline, and in a task of its own: the caller it begins with may go away.
            task::spawn("together", async move { inner.serve_all().await });
        }
        answered.await.unwrap_or_else(|_| Err(unserved()))
    }
}

impl<W: Wish> Inner<W> {
    fn line(&self) -> MutexGuard<'_, Line<W>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves until nobody waits.
    async fn serve_all(&self) {
        loop {
            if self.line().expects_company(Instant::now()) {
                sleep(GATHER).await;
            }
            let next = self.line().next(Instant::now());
            let Some(together) = next else { break };
            self.serve(together).await;
        }
    }

    async fn serve(&self, mut together: Vec<Asked<W>>) {
        // Nobody hears the answers to these any more; served, they would only keep the others waiting.
        let now = Instant::now();
        together.retain(|asked| asked.until.is_none_or(|until| now < until));
        if together.is_empty() {
            return;
        }
        // The first is as good a parent of what is done for all as any.
        let span = together[0].span.clone();
        match self.answers(together.iter().map(|asked| asked.wish.clone()).collect(), span).await {
            Ok(answers) => {
                for (asked, answer) in together.into_iter().zip(answers) {
                    let _ = asked.answer.send(answer);
                }
            }
            // One wish that cannot be served must not be the others' undoing.
            Err(status) if together.len() > 1 && !concerns_all(&status) => {
                for asked in together {
                    let answer = self.answers(vec![asked.wish], asked.span).await;
                    let answer =
                        answer.and_then(|mut answers| answers.pop().unwrap_or_else(|| Err(unserved())));
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

    /// A panic over one wish must not leave those in line unserved.
    async fn answers(&self, wishes: Vec<W>, span: Span) -> Served<W> {
        let serving = AssertUnwindSafe((self.serve)(wishes).instrument(span)).catch_unwind();
        serving.await.unwrap_or_else(|_panic| Err(status::bug()))
    }
}

impl<W: Wish> Line<W> {
    /// Whether those who wait should wait a moment longer.
    fn expects_company(&self, now: Instant) -> bool {
        (1..TOGETHER_MAX).contains(&self.waiting.len()) && self.company_until.is_some_and(|until| now < until)
    }

    /// Whoever waits now, as many as fit: one wish about each thing. Where nobody does, nobody serves any more.
    fn next(&mut self, now: Instant) -> Option<Vec<Asked<W>>> {
        let mut about = BTreeSet::new();
        let mut size = 0;
        let (mut together, mut later) = (Vec::new(), VecDeque::new());
        while together.len() < TOGETHER_MAX && size < SIZE_MAX {
            let Some(next) = self.waiting.pop_front() else { break };
            if next.wish.about().is_empty() || about.insert(next.wish.about().to_owned()) {
                size += next.wish.size();
                together.push(next);
            } else {
                later.push_back(next);
            }
        }
        later.append(&mut self.waiting);
        self.waiting = later;
        if together.len() > 1 {
            self.company_until = Some(now + COMPANY);
        }
        self.served = !together.is_empty();
        self.served.then_some(together)
    }
}

/// Whether none could be served for a reason that has nothing to do with any of them.
fn concerns_all(status: &Status) -> bool {
    status.code() == Code::Unavailable && status::reason(status).as_deref() != Some(status::STORAGE_BUSY)
}

fn unserved() -> Status {
    status::unavailable("UNSERVED", "it was not served; try again", Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
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
        Asked {
            wish: Lines(format!("orders/{order}"), size),
            until: None,
            span: Span::none(),
            answer: oneshot::channel().0,
        }
    }

    fn line(asked: impl IntoIterator<Item = Asked<Lines>>) -> Line<Lines> {
        Line { waiting: asked.into_iter().collect(), served: true, company_until: None }
    }

    /// How many are served together, turn by turn, of those who wait now.
    fn turns(asked: impl IntoIterator<Item = Asked<Lines>>) -> Vec<usize> {
        let mut line = line(asked);
        std::iter::from_fn(|| line.next(Instant::now()).map(|together| together.len())).collect()
    }

    #[test]
    fn one_who_asks_alone_never_waits_and_those_who_had_company_do_for_a_while() {
        let (now, mut line) = (Instant::now(), line([wish(1, 1)]));
        assert!(!line.expects_company(now));
        assert_eq!(line.next(now).map(|alone| alone.len()), Some(1));
        line.waiting.extend([wish(2, 1), wish(3, 1)]);
        assert_eq!(line.next(now).map(|both| both.len()), Some(2));
        assert!(!line.expects_company(now), "nobody waits");
        line.waiting.push_back(wish(4, 1));
        assert!(line.expects_company(now));
        assert!(!line.expects_company(now + COMPANY));
    }

    #[test]
    fn whoever_waits_is_served_together() {
        assert_eq!(turns([wish(1, 1)]), [1]);
        assert_eq!(turns((0..100).map(|order| wish(order, 1))), [TOGETHER_MAX, 100 - TOGETHER_MAX]);
    }

    #[test]
    fn large_wishes_and_repeats_about_one_thing_have_turns_of_their_own() {
        assert_eq!(turns((0..3).map(|order| wish(order, SIZE_MAX))), [1, 1, 1]);
        assert_eq!(turns([wish(1, 1), wish(1, 1), wish(2, 1), wish(1, 1)]), [2, 1, 1]);
    }

    /// Serves lines, but none together with one of thirteen, none of seven, and nothing at all with five among them. Somebody
    /// holds what one of eleven needs.
    fn superstitious() -> Together<Lines> {
        Together::new(async |some: Vec<Lines>| {
            assert!(some.iter().all(|lines| lines.1 != 7), "seven");
            if some.iter().any(|lines| lines.1 == 13) {
                return Err(Status::failed_precondition("thirteen"));
            }
            if some.iter().any(|lines| lines.1 == 11) {
                return Err(status::unavailable(status::STORAGE_BUSY, "eleven", Duration::ZERO));
            }
            if some.iter().any(|lines| lines.1 == 5) {
                return Err(unserved());
            }
            Ok(some.iter().map(|lines| Ok(lines.1)).collect())
        })
    }

    async fn ask(together: &Together<Lines>, sizes: &[usize]) -> Vec<Result<usize, Code>> {
        let asked = sizes.iter().map(|size| together.ask(Lines(format!("orders/{size}"), *size)));
        let answers = futures::future::join_all(asked).await;
        answers.into_iter().map(|answer| answer.map_err(|status| status.code())).collect()
    }

    #[tokio::test]
    async fn one_that_cannot_be_served_is_not_the_undoing_of_the_others() {
        let together = superstitious();
        assert_eq!(ask(&together, &[1, 13, 3]).await, [Ok(1), Err(Code::FailedPrecondition), Ok(3)]);
        assert_eq!(ask(&together, &[1, 11, 3]).await, [Ok(1), Err(Code::Unavailable), Ok(3)]);
        assert_eq!(ask(&together, &[1, 5]).await, [Err(Code::Unavailable); 2], "nothing goes now");
    }

    #[tokio::test]
    async fn what_is_too_late_is_left_undone_unless_it_has_to_be_done() {
        let together = superstitious();
        let late = async {
            futures::join!(
                together.ask(Lines("orders/1".to_owned(), 1)),
                together.ask_however_late(Lines("orders/2".to_owned(), 2)),
            )
        };
        let (undone, done) = deadline::scope(Instant::now(), late).await;
        assert_eq!((undone.unwrap_err().code(), done.unwrap()), (Code::Unavailable, 2));
    }

    #[tokio::test]
    async fn a_panic_is_nobody_elses_trouble() {
        let together = superstitious();
        assert_eq!(ask(&together, &[1, 7, 2]).await, [Ok(1), Err(Code::Internal), Ok(2)]);
        assert_eq!(ask(&together, &[3]).await, [Ok(3)]);
    }

    #[tokio::test]
    async fn what_is_asked_for_is_served_although_nobody_waits_for_the_answer() {
        let (told, mut heard) = tokio::sync::mpsc::channel(1);
        let together = Together::new(move |some: Vec<Lines>| {
            let told = told.clone();
            async move {
                told.send(some.len()).await.expect("somebody listens");
                Ok(some.iter().map(|lines| Ok(lines.1)).collect())
            }
        });
        assert!(together.ask(Lines("orders/1".into(), 1)).now_or_never().is_none());
        assert_eq!(heard.recv().await, Some(1));
    }
}
