//! Events: what a service announces, and the envelope they travel in.

use bytes::Bytes;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use uuid::Uuid;

use crate::time::Timestamp;

/// A message of the contract that announces a fact. Its full name is its routing key.
pub trait Event: prost::Message + prost::Name + Default + 'static {}

impl<M: prost::Message + prost::Name + Default + 'static> Event for M {}

/// An event on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// What the inbox knows it by: a `UUIDv7`.
    pub id: Uuid,
    /// The full name of the message, such as `cartwright.order.v1.OrderPlaced`.
    pub kind: String,
    /// The resource name of the aggregate it speaks of. Events of one key keep their order.
    pub key: String,
    /// The service that announced it.
    pub source: String,
    /// When it was announced.
    pub time: Timestamp,
    /// The W3C `traceparent` of the work that announced it.
    pub trace: Option<String>,
    /// The encoded message.
    pub payload: Bytes,
}

impl Envelope {
    /// An envelope around an event announced now. The outbox makes these; tests may.
    pub fn new<E: Event>(source: &str, key: &str, event: &E) -> Envelope {
        Envelope {
            id: Uuid::now_v7(),
            kind: E::full_name(),
            key: key.to_owned(),
            source: source.to_owned(),
            time: Timestamp::now(),
            trace: traceparent(),
            payload: event.encode_to_vec().into(),
        }
    }
}

/// The `traceparent` of the current span, when it belongs to a trace.
pub(crate) fn traceparent() -> Option<String> {
    let context = tracing::Span::current().context();
    let span = context.span();
    let span = span.span_context();
    span.is_valid()
        .then(|| format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags().to_u8()))
}

/// Makes a span a child of the work that announced the event, however long ago.
pub(crate) fn continue_trace(span: &tracing::Span, traceparent: &str) {
    if let Some(parent) = parse(traceparent) {
        let context = opentelemetry::Context::new().with_remote_span_context(parent);
        // Without a tracing subscriber there is no trace to continue.
        let _ = span.set_parent(context);
    }
}

fn parse(traceparent: &str) -> Option<SpanContext> {
    let mut parts = traceparent.split('-');
    let (_version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let flags = u8::from_str_radix(flags, 16).ok()?;
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::default().with_sampled(flags & 1 == 1),
        true,
        TraceState::default(),
    );
    context.is_valid().then_some(context)
}
