//! What is between the processes: calls that are late, lost or doubled.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use chassis::simulated::{Door, Lost, Network};
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::sleep;
use tonic::body::Body;
use tower::ServiceExt;

use crate::provider::Provider;
use crate::world::World;

/// What becomes of a call.
struct Fate {
    there: Duration,
    back: Duration,
    lost: bool,
    unanswered: bool,
    twice: bool,
}

/// The network of a simulation.
pub(crate) struct Wires {
    world: World,
    provider: Arc<Mutex<Provider>>,
}

impl Wires {
    pub(crate) fn new(world: &World, provider: &Arc<Mutex<Provider>>) -> Wires {
        Wires { world: world.clone(), provider: Arc::clone(provider) }
    }
}

impl World {
    fn fate(&self, noun: &str, path: &str) -> Fate {
        let mut state = self.state();
        let rates = state.rates;
        let chance = &mut state.chance;
        let slow = if chance.falls(rates.slow) { 3000 } else { 3 };
        let fate = Fate {
            there: Duration::from_millis(chance.below(slow)),
            back: Duration::from_millis(chance.below(3)),
            lost: chance.falls(rates.lost),
            unanswered: chance.falls(rates.unanswered),
            twice: chance.falls(rates.twice),
        };
        state.counts.calls += 1;
        state.counts.calls_lost += u64::from(fate.lost || fate.unanswered);
        let (late, lost, unanswered, twice) =
            (fate.there.as_millis(), fate.lost, fate.unanswered, fate.twice);
        state.tell(format_args!(
            "call {noun} {path} +{late} ms{}{}{}",
            if lost { " lost" } else { "" },
            if unanswered { " unanswered" } else { "" },
            if twice { " twice" } else { "" },
        ));
        fate
    }

    /// Has a service carry out a call, as a task of its own process: it ends with that.
    fn deliver(&self, noun: &str, call: Request<Body>) -> Option<oneshot::Receiver<Response<Body>>> {
        let (handle, door): (Handle, Door) = self.state().doors.get(noun).cloned()?;
        let (answer, answered) = oneshot::channel();
        handle.spawn(async move {
            let Ok(response) = door.oneshot(call).await;
            // Whoever called may have gone.
            let _ = answer.send(response);
        });
        Some(answered)
    }
}

impl Network for Wires {
    fn open(&self, noun: &'static str, door: Door) {
        let mut state = self.world.state();
        state.doors.insert(noun, (Handle::current(), door));
        state.tell(format_args!("{noun} is there"));
    }

    fn call(&self, noun: &str, call: Request<Body>) -> BoxFuture<'static, Result<Response<Body>, Lost>> {
        let (world, noun) = (self.world.clone(), noun.to_owned());
        Box::pin(async move {
            let fate = world.fate(&noun, call.uri().path());
            let (head, body) = call.into_parts();
            let body = body.collect().await.map_err(|_| Lost)?.to_bytes();
            let copy = || Request::from_parts(head.clone(), Body::new(Full::new(body.clone())));
            sleep(fate.there).await;
            if fate.lost {
                return Err(Lost);
            }
            if fate.twice {
                // Nobody hears the second answer.
                drop(world.deliver(&noun, copy()));
            }
            let answer = world.deliver(&noun, copy()).ok_or(Lost)?.await.map_err(|_| Lost)?;
            sleep(fate.back).await;
            if fate.unanswered { Err(Lost) } else { Ok(answer) }
        })
    }

    fn fetch(&self, request: Request<Bytes>) -> BoxFuture<'static, Result<Response<Bytes>, Lost>> {
        let (world, provider) = (self.world.clone(), Arc::clone(&self.provider));
        Box::pin(async move {
            let fate = world.fate("provider", request.uri().path());
            sleep(fate.there).await;
            if fate.lost {
                return Err(Lost);
            }
            let answer = Provider::answer(&provider, &world, &request);
            sleep(fate.back).await;
            match answer {
                Some(answer) if !fate.unanswered => Ok(answer),
                Some(_) => Err(Lost),
                // It hangs: whoever asked gives up by itself.
                None => std::future::pending().await,
            }
        })
    }
}
