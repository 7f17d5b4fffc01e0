//! A peer of which one RPC is played.
use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    task::{Context, Poll},
};

use contract::{codec::Codec, validate::Input};
use tonic::{
    Request, Response, Status,
    body::Body,
    codegen::{Service, http},
    server::{Grpc, NamedService, UnaryService},
};

pub(crate) trait Played: Clone + Send + Sync + 'static {
    const NAME: &'static str;
    type Request: prost::Message + Default + Input + 'static;
    type Reply: prost::Message + Default + 'static;

    fn answer(&self, request: Self::Request) -> Result<Self::Reply, Status>;
}

#[derive(Clone)]
pub(crate) struct StandIn<P>(pub(crate) P);

impl<P: Played> NamedService for StandIn<P> {
    const NAME: &'static str = P::NAME;
}

impl<P: Played> UnaryService<P::Request> for StandIn<P> {
    type Response = P::Reply;
    type Future = Ready<Result<Response<P::Reply>, Status>>;

    fn call(&mut self, request: Request<P::Request>) -> Self::Future {
        ready(self.0.answer(request.into_inner()).map(Response::new))
    }
}

impl<P: Played> Service<http::Request<Body>> for StandIn<P> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let act = self.clone();
        Box::pin(
            async move { Ok(Grpc::new(Codec::<P::Reply, P::Request>::default()).unary(act, request).await) },
        )
    }
}
