//! A bare tonic server that says back what it hears: what calls cost before anything is done.
use std::net::SocketAddr;

use prost::Message;
use tonic::codegen::http;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

/// What is said and said back.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Words {
    #[prost(string, tag = "1")]
    pub(crate) words: String,
}

/// The one method.
pub(crate) const PATH: &str = "/bench.Echo/Say";

/// Calls the echo.
pub(crate) async fn say(channel: &mut tonic::transport::Channel, words: &str) -> Result<(), Status> {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let request = Request::new(Words { words: words.to_owned() });
    let path = http::uri::PathAndQuery::from_static(PATH);
    let answer: Response<Words> = client.unary(request, path, ProstCodec::<Words, Words>::default()).await?;
    if answer.into_inner().words == words {
        Ok(())
    } else {
        Err(Status::internal("something else came back"))
    }
}

/// Serves the echo until it is stopped.
pub(crate) async fn serve(address: SocketAddr) -> anyhow::Result<()> {
    Ok(tonic::transport::Server::builder().add_service(Echo).serve(address).await?)
}

#[derive(Clone)]
struct Echo;

impl tonic::server::NamedService for Echo {
    const NAME: &'static str = "bench.Echo";
}

impl tonic::server::UnaryService<Words> for Echo {
    type Response = Words;
    type Future = std::future::Ready<Result<Response<Words>, Status>>;

    fn call(&mut self, request: Request<Words>) -> Self::Future {
        std::future::ready(Ok(Response::new(request.into_inner())))
    }
}

impl tonic::codegen::Service<http::Request<tonic::body::Body>> for Echo {
    type Response = http::Response<tonic::body::Body>;
    type Error = std::convert::Infallible;
    type Future = tonic::codegen::BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(ProstCodec::<Words, Words>::default());
            Ok(grpc.unary(Echo, request).await)
        })
    }
}
