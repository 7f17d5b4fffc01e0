//! A stand-in for inventory on a runtime of its own, so that it can be killed with its connections.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::runtime::{Builder, Runtime};
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Status};
use tower::Service;

#[derive(Clone, Copy, Debug)]
pub(super) enum Reply {
    Fine,
    Refuse(Code, &'static str),
    /// It is there, and says that something it needs is not, in its own words.
    Lacks(&'static str),
    Hang,
    HangInBody,
}

pub(super) struct Peer {
    port: u16,
    stub: Stub,
    runtime: Option<Runtime>,
}

#[derive(Clone)]
struct Stub {
    reply: Arc<Mutex<Reply>>,
    calls: Arc<Mutex<Vec<HeaderMap>>>,
}

impl Peer {
    pub(super) fn start(reply: Reply) -> Peer {
        Peer::start_on(0, reply)
    }

    pub(super) fn start_on(port: u16, reply: Reply) -> Peer {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let stub = Stub { reply: Arc::new(Mutex::new(reply)), calls: Arc::default() };
        let incoming = {
            let _guard = runtime.enter();
            TcpIncoming::bind(([127, 0, 0, 1], port).into()).unwrap()
        };
        let port = incoming.local_addr().unwrap().port();
        runtime.spawn(Server::builder().add_service(stub.clone()).serve_with_incoming(incoming));
        Peer { port, stub, runtime: Some(runtime) }
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn reply_with(&self, reply: Reply) {
        *self.stub.reply.lock().unwrap() = reply;
    }

    /// The headers of each call so far.
    pub(super) fn calls(&self) -> Vec<HeaderMap> {
        self.stub.calls.lock().unwrap().clone()
    }

    /// Drops every connection at once, as a crash does. Tells the port that is free now.
    pub(super) fn kill(mut self) -> u16 {
        if let Some(runtime) = self.runtime.take() {
            // Waits until the last task is gone, which only a thread outside our own runtime may do.
            std::thread::spawn(move || runtime.shutdown_timeout(std::time::Duration::from_secs(5)))
                .join()
                .unwrap();
        }
        self.port
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl NamedService for Stub {
    const NAME: &'static str = "cartwright.inventory.v1.InventoryService";
}

impl Service<Request<Body>> for Stub {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.calls.lock().unwrap().push(request.headers().clone());
        let reply = *self.reply.lock().unwrap();
        Box::pin(async move {
            let body = match reply {
                Reply::Fine => fine(),
                Reply::HangInBody => {
                    Body::new(StreamBody::new(futures::stream::pending::<Result<Frame<Bytes>, Status>>()))
                }
                Reply::Hang => std::future::pending().await,
                Reply::Lacks(domain) => {
                    let lacking =
                        crate::status::plain(Code::Unavailable, "CHANNEL_SILENT", domain, "not now", &[]);
                    return Ok(lacking.into_http());
                }
                Reply::Refuse(code, message) => return Ok(Status::new(code, message).into_http()),
            };
            let mut answer = Response::new(body);
            answer.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
            Ok(answer)
        })
    }
}

/// An empty message and the trailers of success.
fn fine() -> Body {
    let trailers =
        HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))]);
    let frames = [Frame::data(Bytes::from_static(&[0; 5])), Frame::trailers(trailers)];
    Body::new(StreamBody::new(futures::stream::iter(frames.map(Ok::<_, Status>))))
}
