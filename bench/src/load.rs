//! Load: so many clients at once, each asking again as soon as it is answered, for a while.
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How load is made.
pub(crate) struct Load {
    /// How long.
    pub(crate) lasting: Duration,
}

/// What came of it.
pub(crate) struct Outcome {
    /// How long it took until the last client was answered.
    pub(crate) took: Duration,
    /// How long each call took that succeeded, the shortest first.
    pub(crate) latencies: Vec<Duration>,
    /// How often calls ended otherwise, by what was said.
    pub(crate) refused: BTreeMap<String, u64>,
}

impl Load {
    /// Lets `clients` ask at once. A call that fails says why in a few words.
    pub(crate) async fn run<C, F>(&self, clients: Vec<C>, ask: F) -> Outcome
    where
        C: Send + 'static,
        F: AsyncAsk<C> + Clone + Send + 'static,
    {
        let started = Instant::now();
        let until = started + self.lasting;
        let tasks: Vec<_> = clients
            .into_iter()
            .map(|mut client| {
                let ask = ask.clone();
                tokio::spawn(async move {
                    let (mut latencies, mut refused) = (Vec::new(), BTreeMap::<String, u64>::new());
                    while Instant::now() < until {
                        let asked = Instant::now();
                        match ask.ask(&mut client).await {
                            Ok(()) => latencies.push(asked.elapsed()),
                            Err(why) => *refused.entry(why).or_default() += 1,
                        }
                    }
                    (latencies, refused)
                })
            })
            .collect();
        let (mut latencies, mut refused) = (Vec::new(), BTreeMap::<String, u64>::new());
        for task in tasks {
            let Ok((more, others)) = task.await else { continue };
            latencies.extend(more);
            for (why, count) in others {
                *refused.entry(why).or_default() += count;
            }
        }
        latencies.sort_unstable();
        Outcome { took: started.elapsed(), latencies, refused }
    }
}

/// One call of a client.
pub(crate) trait AsyncAsk<C> {
    /// Asks once. The error says why it was not served.
    fn ask(&self, client: &mut C) -> impl Future<Output = Result<(), String>> + Send;
}

impl Outcome {
    /// Calls served in a second.
    pub(crate) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.took.as_secs_f64()
    }

    /// The latency in milliseconds that so many percent of the calls did not pass.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let at = (self.latencies.len() * percent / 100).min(last);
        self.latencies.get(at).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1_000.0)
    }
}
