//! The right to write a saga, and to end it in the transaction of its pivot.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sea_orm::{DatabaseTransaction, Value};
use uuid::Uuid;

use super::log::{Direction, Log, State, StepOutcome, entry, find, row, upsert};
use super::{Failure, request_id};
use crate::rows::{self, Column, Rows};
use crate::time::Timestamp;

/// The right to write a saga's rows: good until another owner claims them. Clones are the same right.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// The saga.
    pub saga: Uuid,
    /// Grows with each owner; a write under an old one changes nothing.
    pub fence: i64,
    unwritten: Arc<Mutex<Unwritten>>,
}

/// What the end of a saga writes besides: what its steps left, and the lines of its log that it closes.
#[derive(Debug, Default)]
struct Unwritten {
    data: String,
    lines: Vec<entry::Model>,
}

impl Ticket {
    pub(super) fn of(row: &row::Model) -> Ticket {
        Ticket { saga: row.id, fence: row.fence, unwritten: Arc::default() }
    }

    /// Says what stands in the log and is not written, or not ended.
    pub(super) fn hold(&self, log: &Log, saved: &Log) {
        let open = |entry: &&entry::Model| entry.end_time.is_none() || !saved.entries.contains(entry);
        let lines = log.entries.iter().filter(open).cloned().collect();
        *self.unwritten() = Unwritten { data: log.row.data.clone(), lines };
    }

    fn closed(&self, now: i64) -> Vec<entry::Model> {
        let mut lines = self.unwritten().lines.clone();
        for line in lines.iter_mut().filter(|line| line.end_time.is_none()) {
            line.outcome = StepOutcome::Done;
            line.end_time = Some(now);
        }
        lines
    }

    fn unwritten(&self) -> MutexGuard<'_, Unwritten> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The `request_id` of the step's own call.
    #[must_use]
    pub fn request_id(&self, step: impl Debug) -> String {
        request_id(self.saga, step, Direction::Run)
    }

    /// The `request_id` of the call that undoes the step.
    #[must_use]
    pub fn undo_id(&self, step: impl Debug) -> String {
        request_id(self.saga, step, Direction::Undo)
    }
}

/// Ends the saga as completed in the caller's transaction, so that the pivot's effect and the end are one fact.
///
/// Doing it twice under one ticket changes nothing. A ticket that another owner has outdated fails, and with it the
/// caller's transaction.
pub async fn finish(tx: &DatabaseTransaction, ticket: &Ticket) -> Result<(), Failure> {
    finish_all(tx, std::slice::from_ref(ticket)).await
}

/// Ends many sagas as completed. One outdated ticket fails all.
pub async fn finish_all(tx: &DatabaseTransaction, tickets: &[Ticket]) -> Result<(), Failure> {
    const COLUMNS: [Column; 3] = [rows::uuid("id"), rows::bigint("fence"), rows::text("data")];
    let now = Timestamp::now().micros();
    let row = |ticket: &Ticket| -> [Value; 3] {
        [ticket.saga.into(), ticket.fence.into(), ticket.unwritten().data.as_str().into()]
    };
    let ended = Rows::new(&COLUMNS, tickets.iter().map(row))
        .run(
            tx,
            "UPDATE saga SET state = 'COMPLETED', data = done.data, lease_until = $1, update_time = $2, end_time = $2
             FROM {rows} AS done WHERE saga.id = done.id AND saga.fence = done.fence AND saga.state = 'RUNNING'",
            &[i64::MAX.into(), now.into()],
        )
        .await?;
    if ended < tickets.len() as u64 {
        for ticket in tickets {
            match find(tx, ticket.saga).await? {
                Some(row) if row.fence == ticket.fence && row.state == State::Completed => {}
                _ => return Err(Failure::Unknown("another owner has this saga".to_owned())),
            }
        }
    }
    let closed: Vec<_> = tickets.iter().flat_map(|ticket| ticket.closed(now)).collect();
    Ok(upsert(tx, &closed).await?)
}
