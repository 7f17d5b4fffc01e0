//! What a simulated process has instead of sockets, a broker and a database of its own pace.
//!
//! The crate `simulation` implements these and hands them to [`Process::simulated`](crate::host::Process::simulated);
//! nowhere else are they there.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tower::util::BoxCloneService;

use crate::bus::Unavailable;
use crate::consumer::Consumer;
use crate::event::Envelope;

/// Everything around a simulated process. Clones are the same world.
#[derive(Clone)]
pub struct World {
    /// How it reaches others.
    pub network: Arc<dyn Network>,
    /// How its events travel.
    pub broker: Arc<dyn Broker>,
    /// How its statements are run.
    pub statements: Statements,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}

/// A service with all its layers: what listens where there are sockets.
pub type Door = BoxCloneService<http::Request<Body>, http::Response<Body>, Infallible>;

/// A call was lost on its way, or its answer was.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the connection is lost")]
pub struct Lost;

/// What is between the processes.
pub trait Network: Send + Sync {
    /// Brings the calls of others to this door, from now on.
    fn open(&self, noun: &'static str, door: Door);

    /// Calls a service.
    fn call(
        &self,
        noun: &str,
        call: http::Request<Body>,
    ) -> BoxFuture<'static, Result<http::Response<Body>, Lost>>;

    /// Asks somebody outside of the shop, such as a payment provider.
    fn fetch(&self, request: http::Request<Bytes>)
    -> BoxFuture<'static, Result<http::Response<Bytes>, Lost>>;
}

/// What carries events.
pub trait Broker: Send + Sync {
    /// Takes an event over; `Ok` is its confirmation.
    fn publish(&self, envelope: Envelope) -> BoxFuture<'static, Result<(), Unavailable>>;

    /// Hands a consumer what it asks for, until told to stop.
    fn serve(&self, noun: &str, consumer: Consumer, shutdown: CancellationToken) -> BoxFuture<'static, ()>;
}

/// How statements are run: each in one go, whatever threads the driver has, so that the only moments at which something
/// else may happen are before and after it.
#[derive(Clone)]
pub struct Statements {
    runtime: Handle,
    pause: Arc<dyn Fn() -> Duration + Send + Sync>,
}

impl fmt::Debug for Statements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Statements")
    }
}

impl Statements {
    /// The driver's own tasks and timers run on `runtime`; `pause` says how long a statement waits for its turn.
    pub fn new(runtime: Handle, pause: impl Fn() -> Duration + Send + Sync + 'static) -> Statements {
        Statements { runtime, pause: Arc::new(pause) }
    }

    /// Runs a statement, or a whole transaction, to its end.
    pub(crate) async fn run<T>(&self, statement: Pin<&mut impl Future<Output = T>>) -> T {
        let pause = (self.pause)();
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        let done = self.at_once(statement);
        // Here its process may die, as between a commit and whatever follows.
        tokio::task::yield_now().await;
        done
    }

    fn at_once<T>(&self, statement: Pin<&mut impl Future<Output = T>>) -> T {
        let _entered = self.runtime.enter();
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        // A task's budget is spent within one poll here; it must not stop half-way for that.
        let mut statement = std::pin::pin!(tokio::task::coop::unconstrained(statement));
        loop {
            match statement.as_mut().poll(&mut context) {
                Poll::Ready(done) => return done,
                Poll::Pending => thread::park(),
            }
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
