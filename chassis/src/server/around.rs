//! A layer as one function: what to do around a call. It hides the types that tower asks for.
use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use tonic::{Status, body::Body};
use tower::{Layer, Service, ServiceExt};

/// A call as it arrives.
pub(crate) type Call = http::Request<Body>;
/// What goes back.
pub(crate) type Answer = http::Response<Body>;

/// What a layer does around a call.
pub(crate) trait Around: Clone + Send + Sync + 'static {
    /// Answers the call itself, or by `proceed`.
    fn around<S: Inner>(self, call: Call, inner: S) -> impl Future<Output = Answer> + Send;
}

/// The layers further in.
pub(crate) trait Inner:
    Service<Call, Response = Answer, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

impl<S> Inner for S where
    S: Service<Call, Response = Answer, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

/// Hands the call to the layers further in.
pub(crate) async fn proceed<S: Inner>(inner: S, call: Call) -> Answer {
    match inner.oneshot(call).await {
        Ok(answer) => answer,
        Err(never) => match never {},
    }
}

/// Answers with a status and no message.
pub(crate) fn refuse(status: Status) -> Answer {
    status.into_http()
}

/// Makes an `Around` a tower layer.
#[derive(Clone)]
pub(crate) struct Wrap<A>(pub(crate) A);

impl<A: Clone, S> Layer<S> for Wrap<A> {
    type Service = Wrapped<A, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Wrapped { around: self.0.clone(), inner }
    }
}

/// A service within a layer.
#[derive(Clone)]
pub(crate) struct Wrapped<A, S> {
    around: A,
    inner: S,
}

impl<A: Around, S: Inner> Service<Call> for Wrapped<A, S> {
    type Response = Answer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Whether there is room is decided per call, by the limit layer.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let (around, inner) = (self.around.clone(), self.inner.clone());
        Box::pin(async move { Ok(around.around(call, inner).await) })
    }
}
