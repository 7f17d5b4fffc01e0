//! What a client sees of the shell: each transport case of the contract with callers, over real HTTP/2.
use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use contract::codec::Codec;
use contract::inventory::v1::{GetStockRequest, Stock};
use futures::{FutureExt, StreamExt, future::BoxFuture};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::{net::TcpStream, sync::Notify};
use tonic::{
    Code, Request, Response, Status,
    body::Body,
    client::Grpc,
    codegen::BoxStream,
    server::NamedService,
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;
use tonic_types::StatusExt;
use tower::{Service, service_fn};

use crate::{
    caller, deadline,
    server::Server,
    status,
    testing::{Client, TestHost, TestProcess, eventually},
};

mod access;
mod health;
mod transport;

const PACKAGE: &str = "/cartwright.inventory.v1.InventoryService";

/// Answers every method of the inventory as the request's name says.
#[derive(Clone, Default)]
struct Desk {
    began: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
    go: Arc<Notify>,
}

impl NamedService for Desk {
    const NAME: &'static str = "cartwright.inventory.v1.InventoryService";
}

impl Desk {
    async fn answer(self, request: Request<GetStockRequest>) -> Result<Response<Stock>, Status> {
        let (caller, request) = caller::of(request)?;
        self.began.fetch_add(1, Ordering::SeqCst);
        let name = match request.name.as_str() {
            "panic" => panic!("as the test asks"),
            "wait" => {
                self.go.notified().await;
                self.ended.fetch_add(1, Ordering::SeqCst);
                "waited".to_owned()
            }
            "time left" => deadline::remaining().unwrap_or_default().as_millis().to_string(),
            "who" => caller.key(),
            name => name.to_owned(),
        };
        Ok(Response::new(Stock { name, ..Stock::default() }))
    }
}

impl Service<http::Request<Body>> for Desk {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: http::Request<Body>) -> Self::Future {
        let desk = self.clone();
        let mut grpc = tonic::server::Grpc::new(ProstCodec::<Stock, GetStockRequest>::default());
        async move {
            Ok(match call.uri().path().rsplit('/').next() {
                Some("WatchStock") => {
                    let endless = |_: Request<GetStockRequest>| async {
                        let first = futures::stream::iter([Ok(Stock::default())]);
                        Ok(Response::new(first.chain(futures::stream::pending()).boxed() as BoxStream<Stock>))
                    };
                    grpc.server_streaming(service_fn(endless), call).await
                }
                Some("GetStock") => {
                    let mut grpc = tonic::server::Grpc::new(Codec::<Stock, GetStockRequest>::default());
                    grpc.unary(service_fn(move |request| desk.clone().answer(request)), call).await
                }
                Some("Missing") => Status::unimplemented("").into_http(),
                _ => grpc.unary(service_fn(move |request| desk.clone().answer(request)), call).await,
            })
        }
        .boxed()
    }
}

/// The desk behind the shell, and whoever may call it.
struct Shop {
    host: TestHost,
    desk: Desk,
}

impl Shop {
    async fn open() -> Self {
        Self::open_with(|_| {}).await
    }

    async fn open_with(change: impl FnOnce(&mut crate::config::Settings)) -> Self {
        let host = TestProcess::new().await.host("inventory");
        let mut surroundings = host.host();
        change(Arc::make_mut(&mut surroundings.settings));
        let desk = Desk::default();
        host.serve(Server::without_database(&surroundings).grpc(desk.clone()).run());
        Self { host, desk }
    }

    fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.host.address().unwrap())).unwrap().connect_lazy()
    }

    /// Sends bytes as they are: tonic's client would look after the headers, and see to the deadline itself.
    async fn raw(&self, mut call: http::Request<Body>) -> http::Response<Body> {
        let address = self.host.address().unwrap().to_string();
        let stream = TokioIo::new(TcpStream::connect(&address).await.unwrap());
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        tokio::spawn(connection);
        let mut parts = call.uri().clone().into_parts();
        (parts.scheme, parts.authority) = (Some(http::uri::Scheme::HTTP), Some(address.parse().unwrap()));
        *call.uri_mut() = http::Uri::from_parts(parts).unwrap();
        sender.send_request(call).await.unwrap().map(Body::new)
    }
}

/// Calls a method that anybody may call, and gives back the name in the answer.
async fn ask(client: Client, method: &str, name: &str) -> Result<String, Status> {
    ask_with(client, method, Request::new(GetStockRequest { name: name.to_owned() })).await
}

async fn ask_with(client: Client, method: &str, request: Request<GetStockRequest>) -> Result<String, Status> {
    let mut grpc = Grpc::new(client);
    grpc.ready().await.map_err(|error| Status::unknown(error.to_string()))?;
    let path = format!("{PACKAGE}/{method}").parse().unwrap();
    let answer = grpc.unary(request, path, ProstCodec::<GetStockRequest, Stock>::default()).await?;
    Ok(answer.into_inner().name)
}

/// A well-formed request in one piece.
fn call(path: &str, body: impl Into<Bytes>) -> http::Request<Body> {
    http::Request::post(path)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::new(Full::new(body.into())))
        .unwrap()
}

/// A message with its prefix.
fn frame(flag: u8, message: &[u8]) -> Bytes {
    let mut framed = BytesMut::from(&[flag][..]);
    framed.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    framed.extend_from_slice(message);
    framed.freeze()
}

fn named(name: &str) -> Vec<u8> {
    GetStockRequest { name: name.to_owned() }.encode_to_vec()
}

/// The code of an answer.
async fn code(answer: http::Response<Body>) -> Code {
    ended(answer).await.code()
}

/// The status of an answer, wherever it stands.
async fn ended(answer: http::Response<Body>) -> Status {
    let (parts, body) = answer.into_parts();
    if let Some(status) = Status::from_header_map(&parts.headers) {
        return status;
    }
    let trailers = body.collect().await.unwrap().trailers().cloned().unwrap_or_default();
    Status::from_header_map(&trailers).unwrap_or_else(|| Status::unknown("an answer without an end"))
}
