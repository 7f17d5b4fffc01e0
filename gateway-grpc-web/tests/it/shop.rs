//! The edge under test, with a stand-in for each service, the tokens of people, and the ways to call it.
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use chassis::auth::{AccessPolicy, SigningKey, Verifier, token};
use chassis::config::{NOUNS, Settings};
use chassis::testing::{TestHost, TestProcess};
use contract::order::v1::order_service_client::OrderServiceClient;
use gateway::Config;
use http::{HeaderMap, Request, Response, StatusCode, Uri, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_web::{GrpcWebCall, GrpcWebClientService};
use tower::util::BoxCloneService;
use tower::{ServiceExt, service_fn};

use crate::desk::{Desks, frame};

pub(crate) const GET_ORDER: &str = "/cartwright.order.v1.OrderService/GetOrder";
pub(crate) const PAGE: &str = "https://shop.example";
/// Known to people who hold a token that names it.
const EVERY_PERMISSION: &str = "every permission of ";

pub(crate) struct Shop {
    pub(crate) process: Arc<TestProcess>,
    pub(crate) edge: TestHost,
    pub(crate) address: SocketAddr,
    pub(crate) desks: Desks,
    pub(crate) serving: JoinHandle<Result<(), chassis::Error>>,
    pub(crate) services: HashMap<&'static str, SocketAddr>,
    key: SigningKey,
    pkcs8: Vec<u8>,
    _folder: TempDir,
}

/// A grpc-web client of orders.
pub(crate) type WebOrders = OrderServiceClient<
    GrpcWebClientService<BoxCloneService<Request<GrpcWebCall<Body>>, Response<Incoming>, Status>>,
>;

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    trailers: HeaderMap,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        Self::open_with(|_| {}, &[]).await
    }

    /// The nouns in `closed` have nobody who answers.
    pub(crate) async fn open_with(change: impl FnOnce(&mut Settings), closed: &[&str]) -> Self {
        let process = TestProcess::new().await;
        let edge = process.host("gateway");
        let (desks, mut services) = (Desks::new(), HashMap::new());
        for noun in NOUNS {
            let host = process.host(noun);
            services.insert(noun, host.address().unwrap());
            if !closed.contains(&noun) {
                let verifier = Verifier::new(host.keys.clone(), host.access.clone());
                let listener = host.listener().unwrap();
                chassis::task::spawn("desk", desks.clone().serve(noun, verifier, listener));
            }
        }
        let (key, pkcs8) = SigningKey::generate().unwrap();
        let permissions = chassis::policy::all().filter_map(|policy| match &policy.access {
            chassis::policy::Access::Permission(permission) => Some(permission.clone()),
            _ => None,
        });
        let known = permissions
            .fold(AccessPolicy::new(1000).key(key.id(), key.public(), None), |known, one| {
                known.role(&format!("{EVERY_PERMISSION}{one}"), [one])
            });
        edge.access.set(known);

        let folder = storefront();
        let mut surroundings = edge.host();
        change(Arc::make_mut(&mut surroundings.settings));
        let config = Config {
            storefront_dir: Some(folder.path().join("dist")),
            cors_origins: vec![PAGE.to_owned(), "https://console.example".to_owned()],
        };
        let serving = chassis::task::spawn("edge", gateway::serve(surroundings, config));
        let address = edge.address().unwrap();
        Shop { process, edge, address, desks, serving, services, key, pkcs8, _folder: folder }
    }

    /// The access token of someone with these permissions.
    pub(crate) fn token(&self, subject: &str, permissions: &[&str]) -> String {
        let roles: Vec<_> = permissions.iter().map(|one| format!("{EVERY_PERMISSION}{one}")).collect();
        token::access(&self.key, subject, "sessions/1", &roles).unwrap()
    }

    /// A token with this header and these claims, signed by identity's key.
    pub(crate) fn signed(&self, head: &str, claims: &str) -> String {
        use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};

        let pair = ring::signature::Ed25519KeyPair::from_pkcs8(&self.pkcs8).unwrap();
        let head = head.replace("KID", self.key.id());
        let said = format!("{}.{}", BASE64.encode(head), BASE64.encode(claims));
        let signature = pair.sign(said.as_bytes());
        format!("{said}.{}", BASE64.encode(signature))
    }

    pub(crate) fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.address)).unwrap().connect_lazy()
    }

    pub(crate) fn orders(&self) -> OrderServiceClient<Channel> {
        OrderServiceClient::new(self.channel())
    }

    /// A grpc-web client over this version of HTTP.
    pub(crate) fn web_orders(&self, version: Version) -> WebOrders {
        let address = self.address;
        let send = service_fn(move |request: Request<GrpcWebCall<Body>>| async move {
            Ok::<_, Status>(send(address, version, request.map(Body::new)).await)
        });
        OrderServiceClient::new(GrpcWebClientService::new(send.boxed_clone()))
    }

    /// Sends a request as it is, on a connection of its own.
    pub(crate) async fn send(&self, version: Version, request: Request<impl Into<Bytes>>) -> Answer {
        let request = request.map(|body| Body::new(Full::new(body.into())));
        read(send(self.address, version, request).await).await
    }

    /// A GET over HTTP/1.1.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Version::HTTP_11, Request::get(path).body("").unwrap()).await
    }
}

/// A well-formed call of no message fields.
pub(crate) fn call(path: &str, kind: &str) -> Request<Bytes> {
    Request::post(path).header("content-type", kind).header("te", "trailers").body(frame(0, &[])).unwrap()
}

/// The call with a token.
pub(crate) fn signed<T>(message: T, token: &str) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

pub(crate) async fn connect(address: SocketAddr) -> http2::SendRequest<Body> {
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    chassis::task::spawn("client", connection);
    sender
}

/// The request with the edge's address where this version of HTTP says it.
pub(crate) fn addressed(address: SocketAddr, version: Version, mut request: Request<Body>) -> Request<Body> {
    let path = request.uri().path_and_query().unwrap().clone();
    if version == Version::HTTP_2 {
        *request.uri_mut() = format!("http://{address}{path}").parse().unwrap();
    } else {
        *request.uri_mut() = Uri::from(path);
        request.headers_mut().entry("host").or_insert(address.to_string().parse().unwrap());
    }
    *request.version_mut() = version;
    request
}

pub(crate) async fn send(
    address: SocketAddr,
    version: Version,
    request: Request<Body>,
) -> Response<Incoming> {
    let request = addressed(address, version, request);
    if version == Version::HTTP_2 {
        return connect(address).await.send_request(request).await.unwrap();
    }
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut sender, connection) = http1::handshake(stream).await.unwrap();
    chassis::task::spawn("client", connection);
    sender.send_request(request).await.unwrap()
}

pub(crate) async fn read(response: Response<Incoming>) -> Answer {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().cloned().unwrap_or_default();
    Answer { status: parts.status, headers: parts.headers, body: body.to_bytes(), trailers }
}

impl Answer {
    pub(crate) fn text(&self, header: &str) -> &str {
        self.headers.get(header).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The code of a call, wherever it stands.
    pub(crate) fn code(&self) -> Code {
        self.rpc().code()
    }

    /// The status of a call: in the headers, in the trailers, or at the end of a grpc-web body.
    pub(crate) fn rpc(&self) -> Status {
        let in_body = HeaderMap::from_iter(
            self.frames().into_iter().filter(|(flag, _)| *flag == 0x80).flat_map(|(_, text)| {
                let text = String::from_utf8(text.to_vec()).unwrap();
                let lines = text.split("\r\n").filter_map(|line| line.split_once(':'));
                lines
                    .map(|(name, value)| (name.parse().unwrap(), value.trim().parse().unwrap()))
                    .collect::<Vec<(http::HeaderName, http::HeaderValue)>>()
            }),
        );
        [&self.headers, &self.trailers, &in_body]
            .into_iter()
            .find_map(Status::from_header_map)
            .unwrap_or_else(|| panic!("no status in {self:?}"))
    }

    /// The messages of a call.
    pub(crate) fn messages(&self) -> Vec<Bytes> {
        self.frames().into_iter().filter(|(flag, _)| *flag == 0).map(|(_, message)| message).collect()
    }

    fn frames(&self) -> Vec<(u8, Bytes)> {
        let (mut left, mut frames) = (self.unarmoured(), Vec::new());
        while left.remaining() >= 5 {
            let (flag, length) = (left.get_u8(), left.get_u32());
            frames.push((flag, left.split_to(length.try_into().unwrap())));
        }
        frames
    }

    /// The body of grpc-web-text is base64 in pieces, each padded for itself.
    fn unarmoured(&self) -> Bytes {
        use base64::{Engine, prelude::BASE64_STANDARD};

        if !self.text("content-type").starts_with("application/grpc-web-text") {
            return self.body.clone();
        }
        self.body.chunks(4).flat_map(|four| BASE64_STANDARD.decode(four).unwrap()).collect()
    }
}

/// A built storefront, and beside it a file that is nobody's business.
fn storefront() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("dist/index.html", "<title>the shop</title>");
    write("dist/assets/app-1f2e.js", "let app");
    write("dist/assets/app-1f2e.js.gz", "gzipped app");
    write("dist/favicon.svg", "<svg/>");
    write("secret.txt", "the secret");
    folder
}
