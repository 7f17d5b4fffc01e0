//! Trying messages again: when they are due, the first of each key only, until they succeed or are parked.

use std::time::Duration;

use futures::StreamExt;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Statement};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::parked::{ATTEMPTS_MAX, PARKED, Parked, REASON_MAX, RETRYING, pause, storable};
use super::{Consumer, Error, Why, inbox, report_parked, run};
use crate::time::Timestamp;

/// Messages tried again together.
const BATCH: usize = 32;
const AT_ONCE: usize = 8;
/// A try that is not heard of for this long was lost with its process, and is made again.
const LOST_AFTER: Duration = Duration::from_secs(60);
/// The longest sleep: another process may have put a message in line.
const POLL: Duration = Duration::from_secs(2);

impl Consumer {
    /// Tries failed messages again until told to stop.
    pub(crate) async fn retry(&self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            let parked = self.db.parked().notified();
            tokio::pin!(parked);
            parked.as_mut().enable();
            let sleep = self.retry_due(&shutdown).await.unwrap_or_else(|error| {
                tracing::warn!(error = %error, "failed messages cannot be tried again now");
                POLL
            });
            let _ = shutdown.run_until_cancelled(tokio::time::timeout(sleep, parked)).await;
        }
    }

    /// Tries everything that is due and says how long nothing will be.
    async fn retry_due(&self, shutdown: &CancellationToken) -> Result<Duration, DbErr> {
        while !shutdown.is_cancelled() {
            let due = self.due().await?;
            if due.is_empty() {
                break;
            }
            let tried: Vec<Result<(), DbErr>> = futures::stream::iter(due)
                .map(|message| self.retry_one(message))
                .buffer_unordered(AT_ONCE)
                .collect()
                .await;
            // A database that reads and does not write gives the same again: it is left alone for a while.
            tried.into_iter().collect::<Result<(), DbErr>>()?;
        }
        let next = self
            .db
            .writer()
            .query_one_raw(Statement::from_string(
                self.db.backend(),
                "SELECT MIN(next_attempt_at) FROM parked WHERE state = 'RETRYING'",
            ))
            .await?;
        let next: Option<i64> = match next {
            Some(row) => row.try_get_by_index(0)?,
            None => None,
        };
        let until = next.map_or(POLL, |next| Timestamp::from_micros(next).since(Timestamp::now()));
        // A message that is due but waits behind another must not make this loop spin.
        Ok(until.clamp(Duration::from_millis(50), POLL))
    }

    async fn due(&self) -> Result<Vec<Parked>, DbErr> {
        Parked::find_by_statement(Statement::from_sql_and_values(
            self.db.backend(),
            format!(
                "SELECT {} FROM parked WHERE state = 'RETRYING' AND next_attempt_at <= $1
                 AND NOT EXISTS (SELECT 1 FROM parked earlier WHERE earlier.state = 'RETRYING'
                     AND earlier.key = parked.key AND earlier.key <> '' AND earlier.seq < parked.seq)
                 ORDER BY next_attempt_at LIMIT {BATCH}",
                Parked::COLUMNS
            ),
            [Timestamp::now().micros().into()],
        ))
        .all(self.db.writer())
        .await
    }

    async fn retry_one(&self, message: Parked) -> Result<(), DbErr> {
        let envelope = message.envelope();
        // An attempt is counted before it is made: what has had all of them and is still here killed its process.
        if message.attempts >= ATTEMPTS_MAX {
            let reason = "its process died in it again and again";
            self.finish(&message, PARKED, reason, message.attempts, None).await?;
            report_parked(&envelope, reason);
            return Ok(());
        }
        let attempts = message.attempts + 1;
        if !self.start(&message, attempts).await? {
            return Ok(());
        }
        let result = self.apply_again(&message).instrument(self.span(&envelope)).await;
        let (state, reason, wait) = match result {
            Ok(()) => {
                self.applied(&envelope);
                return Ok(());
            }
            Err(Error(Why::Poison(reason))) => (PARKED, reason, None),
            Err(Error(Why::Failed(reason))) if attempts >= ATTEMPTS_MAX => (PARKED, reason, None),
            Err(Error(Why::Failed(reason))) => (RETRYING, reason, Some(pause(self.pause, attempts))),
            // The database's trouble is not the message's fault, and costs it no attempt.
            Err(Error(Why::Outage(reason))) => {
                tracing::warn!(reason, "a failed message could not be tried again");
                return self
                    .finish(&message, RETRYING, &message.reason, attempts - 1, Some(pause(self.pause, 1)))
                    .await;
            }
        };
        self.finish(&message, state, &reason, attempts, wait).await?;
        if state == PARKED {
            report_parked(&envelope, &reason);
        }
        Ok(())
    }

    /// Takes the message for one attempt; false when another process was faster.
    async fn start(&self, message: &Parked, attempts: i32) -> Result<bool, DbErr> {
        let lost_at = Timestamp::now().plus(LOST_AFTER).micros();
        let taken = self
            .db
            .execute(Statement::from_sql_and_values(
                self.db.backend(),
                "UPDATE parked SET attempts = $2, next_attempt_at = $3
                 WHERE id = $1 AND state = 'RETRYING' AND next_attempt_at = $4",
                [message.id.into(), attempts.into(), lost_at.into(), message.next_attempt_at.into()],
            ))
            .await?;
        Ok(taken.rows_affected() == 1)
    }

    async fn apply_again(&self, message: &Parked) -> Result<(), Error> {
        let envelope = message.envelope();
        let handler = self.handler(&envelope)?;
        self.db
            .write(async |tx| {
                match inbox::claim_again(tx, &envelope).await? {
                    inbox::Claim::New => run(&handler, tx, &[&envelope]).await?,
                    inbox::Claim::Differs => {
                        return Err(Error::poison("its id is known with a different content"));
                    }
                    inbox::Claim::Applied | inbox::Claim::Kept | inbox::Claim::Behind => {}
                }
                tx.execute_raw(Statement::from_sql_and_values(
                    self.db.backend(),
                    "DELETE FROM parked WHERE id = $1",
                    [message.id.into()],
                ))
                .await?;
                Ok(())
            })
            .await
    }

    async fn finish(
        &self,
        message: &Parked,
        state: &str,
        reason: &str,
        attempts: i32,
        wait: Option<Duration>,
    ) -> Result<(), DbErr> {
        let next = wait.map(|wait| Timestamp::now().plus(wait).micros());
        self.db.execute(Statement::from_sql_and_values(
                self.db.backend(),
                "UPDATE parked SET state = $2, reason = $3, attempts = $4, next_attempt_at = $5 WHERE id = $1",
                [message.id.into(), state.into(), storable(reason, REASON_MAX).into(), attempts.into(), next.into()],
            ))
            .await?;
        Ok(())
    }
}
