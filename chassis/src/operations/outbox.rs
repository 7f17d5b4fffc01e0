//! The outbox, read by other services over gRPC: what they missed is still here.

use async_trait::async_trait;
use contract::operations::v1 as pb;
use contract::operations::v1::operations_service_client::OperationsServiceClient;
use sea_orm::{FromQueryResult, Statement, Value};
use tonic::Status;
use uuid::Uuid;

use super::Error;
use crate::bus::Unavailable;
use crate::consumer::{Announced, Outboxes, PAGE};
use crate::db::Db;
use crate::event::Envelope;
use crate::host::Host;
use crate::time::Timestamp;

const PAGE_DEFAULT: i32 = 50;
const PAGE_MAX: i32 = 200;
/// An answer stays well below what a client takes.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

#[derive(FromQueryResult)]
struct Row {
    seq: i64,
    id: Uuid,
    kind: String,
    key: String,
    trace: Option<String>,
    payload: Vec<u8>,
    create_time: i64,
}

pub(super) async fn read(db: &Db, request: pb::ReadEventsRequest) -> Result<pb::ReadEventsResponse, Status> {
    let limit = if request.page_size == 0 { PAGE_DEFAULT } else { request.page_size.min(PAGE_MAX) };
    let places: Vec<String> = (2..request.types.len() + 2).map(|place| format!("${place}")).collect();
    let sql = format!(
        "SELECT seq, id, kind, key, trace, payload, create_time FROM outbox
         WHERE seq > $1 AND kind IN ({}) ORDER BY seq LIMIT {limit}",
        places.join(", ")
    );
    let values: Vec<Value> = std::iter::once(request.after_sequence.into())
        .chain(request.types.into_iter().map(Value::from))
        .collect();
    let rows = Row::find_by_statement(Statement::from_sql_and_values(db.backend(), sql, values))
        .all(db.writer())
        .await
        .map_err(Error::from)?;
    let mut bytes = 0;
    // The first is answered however large it is, or nobody would get past it.
    let fitting = rows.into_iter().enumerate().take_while(|(place, row)| {
        bytes += row.payload.len();
        *place == 0 || bytes <= ANSWER_BYTES_MAX
    });
    Ok(pb::ReadEventsResponse { events: fitting.map(|(_, row)| row.into()).collect() })
}

impl From<Row> for pb::AnnouncedEvent {
    fn from(row: Row) -> pb::AnnouncedEvent {
        pb::AnnouncedEvent {
            sequence: row.seq,
            event_id: row.id.to_string(),
            r#type: row.kind,
            key: row.key,
            create_time: Some(Timestamp::from_micros(row.create_time).into()),
            traceparent: row.trace.unwrap_or_default(),
            payload: row.payload,
        }
    }
}

/// The outboxes of the services that a host reaches.
pub(crate) struct RemoteOutboxes(Host);

impl RemoteOutboxes {
    pub(crate) fn new(host: &Host) -> RemoteOutboxes {
        RemoteOutboxes(host.clone())
    }
}

#[async_trait]
impl Outboxes for RemoteOutboxes {
    async fn read(&self, source: &str, kinds: &[String], after: i64) -> Result<Vec<Announced>, Unavailable> {
        let noun = crate::config::NOUNS.into_iter().find(|noun| *noun == source);
        let noun = noun.ok_or_else(|| Unavailable(format!("no service is called {source}")))?;
        let channel = self.0.client(noun).map_err(|error| Unavailable(error.chain()))?;
        let request = pb::ReadEventsRequest {
            types: kinds.to_vec(),
            after_sequence: after,
            page_size: i32::try_from(PAGE).unwrap_or(PAGE_DEFAULT),
        };
        let answer = OperationsServiceClient::new(channel)
            .read_events(request)
            .await
            .map_err(|status| Unavailable(format!("{noun}: {}", status.message())))?;
        answer.into_inner().events.into_iter().map(|event| announced(source, event)).collect()
    }
}

fn announced(source: &str, event: pb::AnnouncedEvent) -> Result<Announced, Unavailable> {
    let id = Uuid::parse_str(&event.event_id);
    let time = event.create_time.as_ref().and_then(|time| Timestamp::try_from(time).ok());
    let (Ok(id), Some(time)) = (id, time) else {
        return Err(Unavailable(format!("{source} answers an event that is none: {}", event.event_id)));
    };
    let envelope = Envelope {
        id,
        kind: event.r#type,
        key: event.key,
        source: source.to_owned(),
        time,
        trace: Some(event.traceparent).filter(|trace| !trace.is_empty()),
        payload: event.payload.into(),
    };
    Ok(Announced { sequence: event.sequence, envelope })
}
