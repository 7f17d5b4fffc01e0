//! Logs, traces and metrics of the process, and the trace context that travels with calls and events.
use std::{collections::HashMap, sync::LazyLock, time::Duration};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use opentelemetry::{
    propagation::TextMapPropagator,
    trace::{TraceContextExt, TracerProvider},
};
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, layer::SubscriberExt};

use crate::{
    Error,
    config::{LogFormat, Settings},
};

mod help;

/// The header, and the message property, that carries the trace (W3C Trace Context).
pub const TRACEPARENT: &str = "traceparent";

/// Libraries that say too much: lapin logs returned messages whole, and personal data would be in the logs.
const QUIET: &str = "lapin=error,h2=warn,hyper=warn,hyper_util=warn,tower=warn,sqlx=warn,sea_orm=warn,sea_orm_migration=warn,opentelemetry=warn,opentelemetry_sdk=warn,opentelemetry-otlp=warn";

/// The upper bounds of the buckets of every histogram in seconds.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// The running telemetry of a process. Call `stop` at the end, so that the last spans are sent.
#[derive(Debug)]
pub struct Telemetry {
    provider: SdkTracerProvider,
}

/// Starts logs, traces and metrics for the process. A second start in one process is refused by the log library.
pub fn start(settings: &Settings, process: &'static str) -> Result<Telemetry, Error> {
    let (subscriber, provider) = subscriber(settings, process, std::io::stderr)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|error| Error::Other(error.into()))?;
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "a task panicked: this is a bug")));
    LazyLock::force(&METRICS);
    Ok(Telemetry { provider })
}

impl Telemetry {
    /// Sends what is left, within bounds.
    pub async fn stop(self) {
        // The exporter blocks, and would stall the runtime it sends with.
        let sent =
            tokio::task::spawn_blocking(move || self.provider.shutdown_with_timeout(Duration::from_secs(5)))
                .await;
        if let Ok(Err(error)) = sent {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

type Subscriber = Box<dyn tracing::Subscriber + Send + Sync>;

fn subscriber<W>(
    settings: &Settings,
    process: &'static str,
    writer: W,
) -> Result<(Subscriber, SdkTracerProvider), Error>
where
    W: for<'w> tracing_subscriber::fmt::MakeWriter<'w> + Send + Sync + 'static,
{
    let directives = format!("{QUIET},{}", settings.log);
    let filter = EnvFilter::try_new(directives).map_err(|error| Error::Settings(format!("LOG: {error}")))?;
    let provider = tracer_provider(settings.otlp_endpoint.as_deref(), process)?;
    // Without an endpoint spans are made all the same: their ids join the log lines of one request.
    let traces = tracing_opentelemetry::layer().with_tracer(provider.tracer("chassis"));
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_target(true);
    let lines: Box<dyn Layer<_> + Send + Sync> = match settings.log_format {
        LogFormat::Text => lines.with_ansi(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    Ok((Box::new(Registry::default().with(filter).with(traces).with(lines)), provider))
}

fn tracer_provider(endpoint: Option<&str>, process: &'static str) -> Result<SdkTracerProvider, Error> {
    let resource = Resource::builder().with_service_name(process).build();
    let builder = SdkTracerProvider::builder().with_resource(resource);
    let Some(endpoint) = endpoint else { return Ok(builder.build()) };
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(Duration::from_secs(5))
        .build()
        .map_err(|error| Error::Settings(format!("OTEL_EXPORTER_OTLP_ENDPOINT: {error}")))?;
    Ok(builder.with_batch_exporter(exporter).build())
}

static METRICS: LazyLock<PrometheusHandle> = LazyLock::new(|| {
    // The only ways to fail are no buckets at all, and a second recorder: neither can be.
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("seconds".to_owned()), &SECONDS)
        .expect("buckets");
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::warn!("another metrics recorder is installed; /metrics will be empty");
    }
    help::describe();
    handle
});

/// The metrics of the process, one recorder however many services it holds.
pub fn metrics() -> &'static PrometheusHandle {
    &METRICS
}

/// The `traceparent` of the current span, to send along with a call or an event.
pub fn traceparent() -> Option<String> {
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut carrier);
    carrier.remove(TRACEPARENT)
}

/// Makes the span part of the trace that a call or an event brought, and notes the trace's id in its `trace_id` field
/// where it declares one. An empty or malformed `traceparent` starts a new trace. Call it before the span is entered.
pub fn set_parent(span: &Span, traceparent: &str) {
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    let parent = TraceContextPropagator::new().extract(&carrier);
    if parent.span().span_context().is_valid() && span.set_parent(parent).is_err() {
        tracing::debug!("the span had begun before its parent was known");
    }
    note_trace_id(span);
}

/// Notes the id of its trace in the span's `trace_id` field, which log lines then show.
pub fn note_trace_id(span: &Span) {
    let context = span.context();
    let trace_id = context.span().span_context().trace_id();
    if trace_id != opentelemetry::TraceId::INVALID {
        span.record("trace_id", tracing::field::display(trace_id));
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests play clients and peers, which nobody drains")]
mod tests;
