//! A simulator with a journal of its own, a client for it, and somebody who listens to its announcements.
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use provider_simulator::{Config, Script, Simulator};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub(crate) const API_KEY: &str = "a key for tests";

pub(crate) struct World {
    pub(crate) simulator: Simulator,
    folder: tempfile::TempDir,
}

impl World {
    pub(crate) async fn start(script: Script) -> World {
        let folder = tempfile::tempdir().expect("a folder");
        World { simulator: start(folder.path(), script).await, folder }
    }

    /// Ends it as a crash would, and starts it on the same journal.
    pub(crate) async fn crash(self, script: Script) -> World {
        let World { simulator, folder } = self;
        simulator.stop().await;
        World { simulator: start(folder.path(), script).await, folder }
    }

    /// The same, and something happens to its files meanwhile.
    pub(crate) async fn crash_with(self, meanwhile: impl FnOnce()) -> World {
        let World { simulator, folder } = self;
        simulator.stop().await;
        meanwhile();
        World { simulator: start(folder.path(), Script::default()).await, folder }
    }

    pub(crate) fn journal(&self) -> std::path::PathBuf {
        self.folder.path().join("journal")
    }

    pub(crate) fn client(&self) -> Client {
        Client(self.simulator.url())
    }
}

async fn start(folder: &std::path::Path, script: Script) -> Simulator {
    let config = Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        journal: folder.join("journal"),
        api_key: API_KEY.to_owned(),
        script,
    };
    Simulator::start(config).await.expect("a simulator")
}

/// Calls a simulator, each time over a connection of its own.
#[derive(Clone)]
pub(crate) struct Client(pub(crate) String);

impl Client {
    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.call("GET", path, "", &Value::Null, API_KEY).await.expect("an answer")
    }

    pub(crate) async fn post(&self, path: &str, key: &str, body: &Value) -> (StatusCode, Value) {
        self.call("POST", path, key, body, API_KEY).await.expect("an answer")
    }

    /// A promise of forty pounds.
    pub(crate) async fn authorize(&self, key: &str, token: &str) -> (StatusCode, Value) {
        self.post("/v1/authorizations", key, &authorization(token)).await
    }

    pub(crate) async fn capture(&self, key: &str, of: &str, minor: i64) -> (StatusCode, Value) {
        self.post("/v1/captures", key, &movement(of, minor)).await
    }

    pub(crate) async fn refund(&self, key: &str, of: &str, minor: i64) -> (StatusCode, Value) {
        self.post("/v1/refunds", key, &movement(of, minor)).await
    }

    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        key: &str,
        body: &Value,
        api_key: &str,
    ) -> Result<(StatusCode, Value), Box<dyn std::error::Error + Send + Sync>> {
        let url: Uri = format!("{}{path}", self.0).parse()?;
        let authority = url.authority().ok_or("no host")?.clone();
        let stream = TcpStream::connect(authority.as_str()).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::builder()
            .method(method)
            .uri(url.path_and_query().map_or("/", |path| path.as_str()))
            .header(header::HOST, authority.as_str())
            .header(header::AUTHORIZATION, format!("Bearer {api_key}"))
            .header("idempotency-key", key)
            .body(Full::new(Bytes::from(body.to_string())))?;
        let exchange = async {
            let answer = sender.send_request(request).await?;
            let status = answer.status();
            let body = answer.into_body().collect().await?.to_bytes();
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>((status, serde_json::from_slice(&body)?))
        };
        tokio::select! {
            answer = exchange => answer,
            _ = connection => Err("the connection was closed".into()),
        }
    }
}

pub(crate) fn authorization(token: &str) -> Value {
    json!({ "order": "orders/1", "token": token, "amount_minor": 4000, "currency": "GBP" })
}

fn movement(of: &str, minor: i64) -> Value {
    json!({ "authorization": of, "amount_minor": minor, "currency": "GBP" })
}

/// An announcement as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Heard {
    pub(crate) fn kind(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).expect("JSON");
        body["type"].as_str().expect("a type").to_owned()
    }
}

/// Listens to announcements, and answers the first ones with failure where it is told to.
pub(crate) struct Listener {
    pub(crate) url: String,
    heard: Arc<Mutex<Vec<Heard>>>,
    _task: JoinSet<()>,
}

impl Listener {
    pub(crate) async fn start(failures: usize) -> Listener {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hooks", listener.local_addr().expect("an address"));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let mut task = JoinSet::new();
        let told = heard.clone();
        task.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let told = told.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    let told = told.clone();
                    async move {
                        let headers = request.headers().clone();
                        let body = request.into_body().collect().await?.to_bytes();
                        let mut told = told.lock().expect("the list");
                        told.push(Heard { headers, body });
                        let mut answer = Response::new(Full::<Bytes>::default());
                        if told.len() <= failures {
                            *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                        }
                        Ok::<_, hyper::Error>(answer)
                    }
                });
                let server = hyper::server::conn::http1::Builder::new();
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            }
        });
        Listener { url, heard, _task: task }
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().expect("the list").clone()
    }

    /// Waits until so many were heard.
    pub(crate) async fn until(&self, count: usize) -> Vec<Heard> {
        for _ in 0..1000 {
            let heard = self.heard();
            if heard.len() >= count {
                return heard;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("only {} announcements were heard", self.heard().len());
    }
}
