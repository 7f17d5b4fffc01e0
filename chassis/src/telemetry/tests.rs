//! A trace from one process to the next, and what a log line shows of it.
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    trace::v1::Span as Sent,
};
use tonic::transport::{Server, server::TcpIncoming};
use tonic::{Request, Response, Status};

use super::*;
use crate::testing::eventually;

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Sent>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let scopes =
            request.into_inner().resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        self.0.lock().unwrap().extend(scopes.flat_map(|scope| scope.spans));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn settings() -> Settings {
    Settings::defaults(std::path::Path::new("data"))
}

#[tokio::test]
async fn spans_join_their_callers_trace_and_reach_the_collector() {
    let collector = Collector::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let server = Server::builder().add_service(TraceServiceServer::new(collector.clone()));
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));

    let settings = Settings { otlp_endpoint: Some(endpoint), ..settings() };
    let (subscriber, provider) = subscriber(&settings, "order", std::io::sink).unwrap();
    let sent_on = tracing::subscriber::with_default(subscriber, || {
        let span = tracing::info_span!("rpc", trace_id = tracing::field::Empty);
        set_parent(&span, PARENT);
        span.in_scope(traceparent).unwrap()
    });
    assert!(sent_on.starts_with("00-0af7651916cd43dd8448eb211c80319c-"), "{sent_on}");
    assert_ne!(sent_on, PARENT);

    Telemetry { provider }.stop().await;
    let span =
        eventually(async || collector.0.lock().unwrap().iter().find(|span| span.name == "rpc").cloned())
            .await;
    assert_eq!(span.parent_span_id, [0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31]);
}

#[test]
fn log_lines_carry_the_trace_and_stay_one_line() {
    for format in [LogFormat::Json, LogFormat::Text] {
        let lines = Lines::default();
        let settings = Settings { log_format: format, ..settings() };
        let writer = lines.clone();
        let (subscriber, _provider) = subscriber(&settings, "order", move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("rpc", trace_id = tracing::field::Empty);
            set_parent(&span, PARENT);
            span.in_scope(|| {
                tracing::info!(order.id = "orders/1", reason = "a\n{\"level\":\"ERROR\"}", "order placed")
            });
            tracing::debug!("not at this level");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.trim_end().lines().count(), 1, "{text}");
        assert!(text.contains("0af7651916cd43dd8448eb211c80319c") && text.contains("orders/1"), "{text}");
    }
}

#[test]
fn a_malformed_traceparent_starts_a_new_trace() {
    let (subscriber, _provider) = subscriber(&settings(), "order", std::io::sink).unwrap();
    tracing::subscriber::with_default(subscriber, || {
        for malformed in ["", "abc", "00-00000000000000000000000000000000-b7ad6b7169203331-01"] {
            let span = tracing::info_span!("rpc");
            set_parent(&span, malformed);
            let own = span.in_scope(traceparent).unwrap();
            assert!(!own.contains("00000000000000000000000000000000"), "{own}");
        }
    });
}

#[test]
fn a_wrong_log_filter_is_refused_by_name() {
    let settings = Settings { log: "info,chassis=loud".to_owned(), ..settings() };
    let error = subscriber(&settings, "order", std::io::sink).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("LOG"), "{error}");
}
