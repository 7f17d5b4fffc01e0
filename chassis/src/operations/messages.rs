//! The messages that could not be handled: listed, and put back in line.

use contract::operations::v1 as pb;
use contract::operations::v1::parked_message::State;
use sea_orm::{FromQueryResult, Statement};
use tonic::Status;
use uuid::Uuid;

use super::Error;
use crate::caller::Caller;
use crate::consumer::{PARKED, Parked, redrive as put_back};
use crate::db::Db;
use crate::page::Page;
use crate::status;
use crate::time::Timestamp;

const COLLECTION: &str = "parkedMessages";

pub(super) fn id(name: &str) -> Result<Uuid, Status> {
    name.strip_prefix(COLLECTION)
        .and_then(|rest| rest.strip_prefix('/'))
        .and_then(super::parse_uuid)
        .ok_or_else(|| status::invalid("name", format!("must be a name like {COLLECTION}/{{id}}")))
}

pub(super) async fn list(
    db: &Db,
    page_size: i32,
    page_token: &str,
) -> Result<pb::ListParkedMessagesResponse, Status> {
    let page = Page::of(page_size, page_token, COLLECTION)?;
    let after: i64 =
        page.after.as_ref().and_then(|keys| keys.first()).and_then(|seq| seq.parse().ok()).unwrap_or(0);
    let messages = Parked::find_by_statement(Statement::from_sql_and_values(
        db.backend(),
        format!("SELECT {} FROM parked WHERE seq > $1 ORDER BY seq LIMIT {}", Parked::COLUMNS, page.size + 1),
        [after.into()],
    ))
    .all(db.writer())
    .await
    .map_err(Error::from)?;
    let (messages, next_page_token) = page.cut(messages, |message| vec![message.seq.to_string()]);
    let parked_messages = messages.into_iter().map(pb::ParkedMessage::from).collect();
    Ok(pb::ListParkedMessagesResponse { parked_messages, next_page_token })
}

/// Repeating this is harmless by itself: a message already in line stays where it is.
pub(super) async fn redrive(
    db: &Db,
    caller: &Caller,
    id: Uuid,
    request: &pb::RedriveParkedMessageRequest,
) -> Result<pb::ParkedMessage, Status> {
    let message = put_back(db, id)
        .await
        .map_err(Error::from)?
        .ok_or_else(|| Error::MessageNotFound(request.name.clone()))?;
    tracing::info!(
        message.name = request.name,
        caller = caller.key(),
        "a parked message is put back in line"
    );
    Ok(message.into())
}

impl From<Parked> for pb::ParkedMessage {
    fn from(message: Parked) -> pb::ParkedMessage {
        let state = if message.state == PARKED { State::Parked } else { State::Retrying };
        let time = |micros| prost_types::Timestamp::from(Timestamp::from_micros(micros));
        pb::ParkedMessage {
            name: format!("{COLLECTION}/{}", message.id),
            event_id: message.event_id.to_string(),
            r#type: message.kind,
            key: message.key,
            state: state.into(),
            reason: message.reason,
            attempts: message.attempts,
            create_time: Some(time(message.create_time)),
            retry_time: message.next_attempt_at.map(time),
        }
    }
}
