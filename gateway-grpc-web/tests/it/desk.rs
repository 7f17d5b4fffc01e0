//! A stand-in for any service: it notes what reaches it and answers as the test says.
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use chassis::auth::Verifier;
use chassis::caller::Caller;
use futures::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tonic::Status;
use tonic::body::Body;

/// What the services answer from now on.
#[derive(Clone)]
pub(crate) enum Reply {
    Message(Bytes),
    Refuse(Box<Status>),
    /// An empty message, when told to go on.
    Wait(Arc<Notify>),
    /// An empty message, after a while.
    After(Duration),
    Stream(Vec<Bytes>),
    /// Some messages, and then silence.
    Open(Vec<Bytes>),
    /// Some messages, and then the stream is reset.
    Torn(Vec<Bytes>),
}

/// A call that reached a service.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) noun: &'static str,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    /// Whom the service would take it to come from.
    pub(crate) caller: Caller,
    pub(crate) body: Bytes,
}

/// What all stand-ins of a test share.
#[derive(Clone)]
pub(crate) struct Desks {
    reply: Arc<Mutex<Reply>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Desks {
    pub(crate) fn new() -> Self {
        Desks { reply: Arc::new(Mutex::new(Reply::Message(Bytes::new()))), seen: Arc::default() }
    }

    pub(crate) fn reply_with(&self, reply: Reply) {
        *self.reply.lock().unwrap() = reply;
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Answers for one service, for as long as the test runs.
    pub(crate) async fn serve(self, noun: &'static str, verifier: Verifier, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let (desks, verifier) = (self.clone(), verifier.clone());
            let service = hyper::service::service_fn(move |request| {
                let (desks, verifier) = (desks.clone(), verifier.clone());
                async move { Ok::<_, Infallible>(desks.answer(noun, &verifier, request).await) }
            });
            let connection = http2::Builder::new(TokioExecutor::new())
                .max_concurrent_streams(1280)
                .serve_connection(TokioIo::new(stream), service);
            chassis::task::spawn("desk", connection);
        }
    }

    async fn answer(
        self,
        noun: &'static str,
        verifier: &Verifier,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let seen = Seen {
            noun,
            path: parts.uri.path().to_owned(),
            caller: verifier.caller(&parts.headers).unwrap(),
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        };
        self.seen.lock().unwrap().push(seen);
        let reply = self.reply.lock().unwrap().clone();
        match reply {
            Reply::Message(message) => messages(vec![message], End::Well),
            Reply::Refuse(status) => status.into_http(),
            Reply::Wait(go) => {
                go.notified().await;
                messages(vec![Bytes::new()], End::Well)
            }
            Reply::After(pause) => {
                tokio::time::sleep(pause).await;
                messages(vec![Bytes::new()], End::Well)
            }
            Reply::Stream(sent) => messages(sent, End::Well),
            Reply::Open(sent) => messages(sent, End::Never),
            Reply::Torn(sent) => messages(sent, End::Torn),
        }
    }
}

enum End {
    Well,
    Never,
    Torn,
}

fn messages(sent: Vec<Bytes>, end: End) -> Response<Body> {
    let frames = stream::iter(sent.into_iter().map(|message| Ok(Frame::data(frame(0, &message)))));
    let ok = HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static("0"))]);
    let end = match end {
        End::Well => stream::iter([Ok(Frame::trailers(ok))]).boxed(),
        End::Never => stream::pending().boxed(),
        // Late enough for what was sent before to leave.
        End::Torn => stream::once(async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Err(Status::unknown("torn"))
        })
        .boxed(),
    };
    let mut response = Response::new(Body::new(StreamBody::new(frames.chain(end))));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}

/// A message with its prefix.
pub(crate) fn frame(flag: u8, message: &[u8]) -> Bytes {
    let mut framed = BytesMut::from(&[flag][..]);
    framed.put_u32(u32::try_from(message.len()).unwrap());
    framed.extend_from_slice(message);
    framed.freeze()
}
