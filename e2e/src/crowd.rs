//! People who go on buying while something goes wrong, and remember what they were told.
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::ensure;
use contract::order::v1::order::State;
use contract::order::v1::{ListOrdersRequest, Order, PlaceOrderRequest};
use futures::{StreamExt, TryStreamExt};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use crate::client::Person;
use crate::scene::Scene;

/// How long a call may take: the contract's deadline of placing an order, and a moment for a busy machine.
const CALL_MAX: Duration = Duration::from_secs(15);
/// How long what was started may take to end once everything is there again.
const ENDS_WITHIN: Duration = Duration::from_secs(90);
/// What they all buy.
const SKU: &str = "MUG-STONE";

/// What one of them asked, and was told.
pub struct Told {
    /// Which of them.
    pub who: usize,
    /// What was asked.
    pub request: PlaceOrderRequest,
    /// The answer.
    pub answer: Result<Order, Status>,
    /// After how long.
    pub took: Duration,
}

/// How often they were given an order, and refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Orders given.
    pub placed: usize,
    /// Refusals.
    pub refused: usize,
}

/// Guests who buy one mug after the other.
pub struct Crowd {
    /// Who they are.
    pub people: Vec<Person>,
    variant: String,
    counts: watch::Sender<Counts>,
}

impl Crowd {
    /// Lets so many guests in, and brings more mugs than they can buy.
    pub async fn gather(scene: &Scene, size: usize) -> anyhow::Result<Crowd> {
        scene.receive(SKU, 100_000).await?;
        let variant = scene.variant(SKU).await?;
        // A few at once: coming in is no rush.
        let coming = (0..size).map(|_| scene.guest());
        let people = futures::stream::iter(coming).buffered(4).try_collect().await?;
        Ok(Crowd { people, variant, counts: watch::Sender::default() })
    }

    /// Everybody buys, one order after the other, until it is over. What is under way then is still waited for.
    pub async fn buy_until(&self, over: &CancellationToken) -> Vec<Told> {
        self.buy_as(over, self.people.len()).await
    }

    /// The same, with the first so many of them.
    pub async fn buy_as(&self, over: &CancellationToken, size: usize) -> Vec<Told> {
        let buying = self.people[..size].iter().enumerate().map(async |(who, person)| {
            let mut told = Vec::new();
            while !over.is_cancelled() {
                let request = person.order_of(&self.variant, 1, "tok_visa");
                let asked = Instant::now();
                let answer = place(person, request.clone()).await;
                self.counts.send_modify(|counts| match answer {
                    Ok(_) => counts.placed += 1,
                    Err(_) => counts.refused += 1,
                });
                if answer.is_err() {
                    // As clients do, so that a shop that refuses at once is not asked without end.
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                told.push(Told { who, request, answer, took: asked.elapsed() });
            }
            told
        });
        futures::future::join_all(buying).await.into_iter().flatten().collect()
    }

    /// How they have fared so far.
    pub fn counts(&self) -> Counts {
        *self.counts.borrow()
    }

    /// Waits until they have been given so many more orders than now.
    pub async fn given(&self, more: usize, within: Duration) -> anyhow::Result<()> {
        let goal = self.counts().placed + more;
        self.until(|counts| counts.placed >= goal, within, "orders are not given").await
    }

    /// Waits until they have been refused so many times more than now.
    pub async fn refused(&self, more: usize, within: Duration) -> anyhow::Result<()> {
        let goal = self.counts().refused + more;
        self.until(|counts| counts.refused >= goal, within, "nobody is refused").await
    }

    async fn until(
        &self,
        is: impl FnMut(&Counts) -> bool,
        within: Duration,
        otherwise: &str,
    ) -> anyhow::Result<()> {
        let mut counts = self.counts.subscribe();
        let waited = tokio::time::timeout(within, counts.wait_for(is)).await;
        ensure!(waited.is_ok(), "{otherwise} within {within:?}: {:?}", self.counts());
        Ok(())
    }

    /// Once all is well again: whoever was not answered asks the same again until there is an answer; every request has
    /// made one order and every order told of is there; all of them end, and the books balance. Answers every order.
    pub async fn settle(&self, scene: &Scene, told: Vec<Told>) -> anyhow::Result<Vec<Order>> {
        let slow = told.iter().map(|told| told.took).max().unwrap_or_default();
        ensure!(slow < CALL_MAX, "a call was answered after {slow:?}\n{}", scene.shop.logs());
        let unanswered = told.iter().filter(|told| told.answer.is_err()).count();
        // A busy machine places one a second.
        let until = Instant::now() + ENDS_WITHIN + Duration::from_secs(1) * u32::try_from(unanswered)?;
        let mut asked: Vec<Vec<Told>> = self.people.iter().map(|_| Vec::new()).collect();
        for told in told {
            asked[told.who].push(told);
        }
        // Each asks one thing after the other: all at once would be a trouble of its own.
        let asking = self.people.iter().zip(asked).map(async |(person, asked)| {
            let mut known = BTreeSet::new();
            for told in asked {
                let order = match told.answer {
                    Ok(order) => Some(order),
                    Err(_) => place_until_answered(person, told.request, until).await?,
                };
                let Some(order) = order else { continue };
                ensure!(known.insert(order.name.clone()), "{} answered two requests", order.name);
            }
            anyhow::Ok(known)
        });
        let known = futures::future::try_join_all(asking).await;
        let known = known.map_err(|error| error.context(scene.shop.logs()))?;
        let mut orders = Vec::new();
        for (person, known) in self.people.iter().zip(known) {
            let theirs = ended(scene, person, until).await?;
            let names: BTreeSet<String> = theirs.iter().map(|order| order.name.clone()).collect();
            ensure!(names == known, "told of {known:?}, and there are {names:?}");
            orders.extend(theirs);
        }
        scene.shop.audit_within(90).await?;
        Ok(orders)
    }
}

/// Whether a refusal leaves open what happened, or asks to come again.
pub fn is_unclear(refusal: &Status) -> bool {
    matches!(
        refusal.code(),
        Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::Unknown
            | Code::Cancelled
            | Code::ResourceExhausted
    )
}

async fn place(person: &Person, request: PlaceOrderRequest) -> Result<Order, Status> {
    match tokio::time::timeout(CALL_MAX, person.place(request)).await {
        Ok(answer) => answer,
        Err(_) => Err(Status::deadline_exceeded("not answered at all")),
    }
}

/// Sends the same request until the answer is final: an order, or nothing where it was refused for good.
async fn place_until_answered(
    person: &Person,
    request: PlaceOrderRequest,
    until: Instant,
) -> anyhow::Result<Option<Order>> {
    loop {
        match place(person, request.clone()).await {
            Ok(order) => return Ok(Some(order)),
            Err(refusal) if refusal.code() == Code::FailedPrecondition => return Ok(None),
            Err(refusal) => {
                ensure!(is_unclear(&refusal) && Instant::now() < until, "{refusal:?}");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

/// All orders of somebody, once none of them is under way.
async fn ended(scene: &Scene, person: &Person, until: Instant) -> anyhow::Result<Vec<Order>> {
    loop {
        let mut orders = Vec::new();
        let mut request = ListOrdersRequest { page_size: 1000, ..ListOrdersRequest::default() };
        loop {
            let page = person.orders().list_orders(request.clone()).await?.into_inner();
            orders.extend(page.orders);
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        let under_way = orders.iter().filter(|order| order.state() == State::Placed).count();
        if under_way == 0 {
            return Ok(orders);
        }
        ensure!(Instant::now() < until, "{under_way} orders are under way for ever\n{}", scene.shop.logs());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
