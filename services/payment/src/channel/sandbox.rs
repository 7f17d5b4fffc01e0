//! The sandbox within this process: it moves no money and does what its tokens say. It keeps its own book, as a provider
//! does.
//!
//! | token | what happens |
//! |---|---|
//! | `tok_visa`, `tok_mastercard` | all goes well |
//! | `tok_declined`, `tok_insufficient_funds` | refused as `CARD_DECLINED`, `INSUFFICIENT_FUNDS` |
//! | `tok_timeout` | the money is promised, but the answer never comes |
//! | `tok_timeout_declined` | the money is refused, but the answer never comes |
//! | `tok_unavailable_once` | the first authorization finds the channel closed |
//! | `tok_capture_fails_once`, `tok_refund_fails_once` | the first capture or refund finds it closed |
//! | any other | refused as `UNKNOWN_TOKEN` |

use std::collections::HashMap;

use async_trait::async_trait;
use chassis::db::Db;
use chassis::id::Id;
use chassis::money::Money;
use chassis::rows::{self, Column, Rows};
use chassis::status;
use chassis::time::Timestamp;
use chassis::together::{Served, Together, Wish};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, FromQueryResult, Value};
use tonic::Status;

use super::{Accepted, Answer, Authorization, Channel, Charge, Fault, Outcome, Page, statement};
use crate::domain::reconcile::Day;
use crate::store::{money, sql};

pub(super) struct Sandbox {
    db: Db,
    calls: Together<Asked>,
}

/// An authorization or a capture, as it is asked for.
#[derive(Clone)]
struct Asked {
    key: String,
    kind: &'static str,
    authorization: String,
    /// Empty for a capture, as is its token: it has its authorization's.
    order: String,
    token: String,
    reference: String,
    amount: Money,
}

impl Wish for Asked {
    type Answer = Call;

    fn about(&self) -> &str {
        &self.key
    }
}

/// A call as it is booked.
#[derive(FromQueryResult)]
struct Call {
    key: String,
    token: String,
    tries: i64,
    done: bool,
    refusal: String,
    reference: String,
    amount_minor: i64,
    amount_currency: String,
}

const VISA: &str = "tok_visa";
const MASTERCARD: &str = "tok_mastercard";

impl Call {
    fn outcome(&self) -> Answer {
        if !self.refusal.is_empty() {
            return Ok(Outcome::Refused(self.refusal.clone()));
        }
        let summary = if self.token == MASTERCARD { "Mastercard ending 4444" } else { "Visa ending 4242" };
        Ok(Outcome::Accepted(Accepted {
            reference: self.reference.clone(),
            method_summary: summary.to_owned(),
            amount: money(self.amount_minor, &self.amount_currency)?,
            fee: 0,
        }))
    }
}

/// What a token has the sandbox refuse. Empty is nothing.
fn refusal_of(token: &str) -> &'static str {
    match token {
        VISA
        | MASTERCARD
        | "tok_timeout"
        | "tok_unavailable_once"
        | "tok_capture_fails_once"
        | "tok_refund_fails_once" => "",
        "tok_declined" | "tok_timeout_declined" => "CARD_DECLINED",
        "tok_insufficient_funds" => "INSUFFICIENT_FUNDS",
        _ => "UNKNOWN_TOKEN",
    }
}

impl From<DbErr> for Fault {
    fn from(error: DbErr) -> Fault {
        Fault::Unavailable(error.to_string())
    }
}

impl Sandbox {
    pub(super) fn new(db: &Db) -> Sandbox {
        let book = db.clone();
        let calls = Together::new(move |asked| {
            let book = book.clone();
            async move { serve(&book, &asked).await }
        });
        Sandbox { db: db.clone(), calls }
    }

    /// Has an authorization or a capture booked, together with those that are asked for at the same time.
    async fn ask(
        &self,
        kind: &'static str,
        key: &str,
        charge: &Charge<'_>,
        token: &str,
        order: &str,
    ) -> Result<Call, Fault> {
        let asked = Asked {
            key: key.to_owned(),
            kind,
            authorization: charge.authorization.to_owned(),
            order: order.to_owned(),
            token: token.to_owned(),
            reference: reference(charge),
            amount: charge.amount,
        };
        let booked = self.calls.ask_however_late(asked).await;
        booked.map_err(|status| Fault::Unavailable(status.message().to_owned()))
    }

    /// Books one more try of a void or a refund, and finishes it unless it fails the first time.
    async fn run(
        &self,
        kind: &'static str,
        key: &str,
        charge: &Charge<'_>,
        token: &str,
        fails_once: bool,
    ) -> Result<Call, Fault> {
        self.db
            .write(async |tx| {
                let call = book(tx, kind, key, charge, token).await?;
                if call.done || (fails_once && call.tries == 1) {
                    return Ok(call);
                }
                let refusal = rule(tx, kind, charge).await?;
                finish(tx, key, &refusal).await?;
                Ok(Call { done: true, refusal, ..call })
            })
            .await
    }

    async fn token_of(&self, authorization: &str) -> Result<String, Fault> {
        Ok(find(self.db.writer(), authorization).await?.map(|call| call.token).unwrap_or_default())
    }
}

/// What has been done.
fn answer(call: &Call) -> Answer {
    if call.done {
        call.outcome()
    } else {
        Err(Fault::Unavailable("the sandbox is closed this once".to_owned()))
    }
}

#[async_trait]
impl Channel for Sandbox {
    async fn authorize(&self, key: &str, asked: &Authorization<'_>) -> Answer {
        let charge = Charge { authorization: key, reference: "", amount: asked.amount };
        let call = self.ask("AUTHORIZE", key, &charge, asked.token, asked.order).await?;
        if matches!(asked.token, "tok_timeout" | "tok_timeout_declined") {
            tracing::debug!(order.id = asked.order, "the sandbox keeps its answer to itself");
            std::future::pending::<()>().await;
        }
        answer(&call)
    }

    async fn capture(&self, key: &str, charge: &Charge<'_>) -> Answer {
        answer(&self.ask("CAPTURE", key, charge, "", "").await?)
    }

    async fn void(&self, key: &str, charge: &Charge<'_>) -> Answer {
        answer(&self.run("VOID", key, charge, "", false).await?)
    }

    async fn refund(&self, key: &str, charge: &Charge<'_>) -> Answer {
        let token = self.token_of(charge.authorization).await?;
        answer(&self.run("REFUND", key, charge, &token, token == "tok_refund_fails_once").await?)
    }

    async fn statement(&self, day: Day, after: &str) -> Result<Page, Fault> {
        Ok(statement::read(self.db.writer(), day, after).await?)
    }

    async fn query(&self, key: &str) -> Result<Option<Outcome>, Fault> {
        find(self.db.writer(), key).await?.filter(|call| call.done).map(|call| call.outcome()).transpose()
    }
}

/// Books calls that are made at the same time.
async fn serve(db: &Db, asked: &[Asked]) -> Served<Asked> {
    let booked = book_all(db, asked).await.map_err(|error| status::internal(&error))?;
    let mut booked: HashMap<String, Call> = booked.into_iter().map(|call| (call.key.clone(), call)).collect();
    let lost = || Status::unavailable("the call was not booked");
    Ok(asked.iter().map(|asked| booked.remove(&asked.key).ok_or_else(lost)).collect())
}

const ASKED: [Column; 9] = [
    rows::text("key"),
    rows::text("kind"),
    rows::text("authorization_key"),
    rows::text("order_name"),
    rows::text("token"),
    rows::text("refusal"),
    rows::text("reference"),
    rows::bigint("amount_minor"),
    rows::text("amount_currency"),
];

/// Books one more try of each call, by what a provider would refuse. Those whose token fails once are done the second
/// time; what was done stays as it was.
async fn book_all(db: &Db, asked: &[Asked]) -> Result<Vec<Call>, DbErr> {
    let text = format!(
        "INSERT INTO sandbox_calls (key, kind, authorization_key, create_time, order_name, {COLUMNS})
         SELECT new.key, new.kind, new.authorization_key, $1, new.order_name,
            CASE WHEN new.kind = 'AUTHORIZE' THEN new.token ELSE COALESCE(promised.token, '') END,
            1,
            CASE WHEN new.kind = 'AUTHORIZE' THEN new.token <> 'tok_unavailable_once'
                ELSE COALESCE(promised.token, '') <> 'tok_capture_fails_once' END,
            CASE WHEN new.kind = 'AUTHORIZE' THEN new.refusal
                WHEN EXISTS (SELECT 1 FROM sandbox_calls AS voided WHERE voided.authorization_key = new.authorization_key
                    AND voided.kind = 'VOID' AND voided.done AND voided.refusal = '') THEN 'ALREADY_VOIDED'
                WHEN promised.done AND promised.refusal = '' AND promised.amount_minor >= new.amount_minor THEN ''
                ELSE 'NOT_AUTHORIZED' END,
            new.reference, new.amount_minor, new.amount_currency
         FROM {{rows}} AS new LEFT JOIN sandbox_calls AS promised ON promised.key = new.authorization_key
         WHERE TRUE
         ON CONFLICT (key) DO UPDATE SET tries = sandbox_calls.tries + 1, done = TRUE,
            refusal = CASE WHEN sandbox_calls.done THEN sandbox_calls.refusal ELSE excluded.refusal END
         RETURNING key, {COLUMNS}"
    );
    let mut sorted: Vec<&Asked> = asked.iter().collect();
    sorted.sort_by(|one, other| one.key.cmp(&other.key));
    let row = |asked: &Asked| -> [Value; 9] {
        [
            asked.key.as_str().into(),
            asked.kind.into(),
            asked.authorization.as_str().into(),
            asked.order.as_str().into(),
            asked.token.as_str().into(),
            refusal_of(&asked.token).into(),
            asked.reference.as_str().into(),
            asked.amount.minor.into(),
            asked.amount.currency.as_str().into(),
        ]
    };
    Rows::new(&ASKED, sorted.into_iter().map(row)).alone(db, &text, &[Timestamp::now().into()]).await
}

/// What the sandbox calls promised money.
fn reference(charge: &Charge<'_>) -> String {
    match charge.reference {
        "" => format!("sbx_{}", Id::<Sandbox>::derived(&["sandbox", charge.authorization]).uuid().simple()),
        known => known.to_owned(),
    }
}

const COLUMNS: &str = "token, tries, done, refusal, reference, amount_minor, amount_currency";

async fn book(
    tx: &DatabaseTransaction,
    kind: &str,
    key: &str,
    charge: &Charge<'_>,
    token: &str,
) -> Result<Call, DbErr> {
    let text = format!(
        "INSERT INTO sandbox_calls (key, kind, authorization_key, create_time, {COLUMNS})
         VALUES ($1, $2, $3, $6, $7, 1, FALSE, '', $8, $4, $5)
         ON CONFLICT (key) DO UPDATE SET tries = sandbox_calls.tries + 1 RETURNING key, {COLUMNS}"
    );
    let values = [
        key.into(),
        kind.into(),
        charge.authorization.into(),
        charge.amount.minor.into(),
        charge.amount.currency.as_str().into(),
        Timestamp::now().into(),
        token.into(),
        reference(charge).into(),
    ];
    Call::find_by_statement(sql(tx, &text, values)).one(tx).await?.ok_or(DbErr::RecordNotInserted)
}

async fn finish(tx: &DatabaseTransaction, key: &str, refusal: &str) -> Result<(), DbErr> {
    let text = "UPDATE sandbox_calls SET done = TRUE, refusal = $2 WHERE key = $1";
    tx.execute_raw(sql(tx, text, [key.into(), refusal.into()])).await?;
    Ok(())
}

async fn find(on: &impl ConnectionTrait, key: &str) -> Result<Option<Call>, DbErr> {
    let text = format!("SELECT key, {COLUMNS} FROM sandbox_calls WHERE key = $1");
    Call::find_by_statement(sql(on, &text, [key.into()])).one(on).await
}

/// What a provider would refuse about a void or a refund. Empty is nothing.
async fn rule(tx: &DatabaseTransaction, kind: &str, charge: &Charge<'_>) -> Result<String, DbErr> {
    let captured = done(tx, "CAPTURE", charge).await?;
    let refunded = done(tx, "REFUND", charge).await?;
    let refusal = match kind {
        "VOID" if captured.is_some() => "ALREADY_CAPTURED",
        "VOID" => {
            if done(tx, "AUTHORIZE", charge).await?.is_none() {
                forestall(tx, charge).await?;
            }
            ""
        }
        "REFUND" if captured.unwrap_or(0) - refunded.unwrap_or(0) < charge.amount.minor => "NOT_CAPTURED",
        _ => "",
    };
    Ok(refusal.to_owned())
}

/// How much was done of a kind for one authorization; nothing where none was.
async fn done(tx: &DatabaseTransaction, kind: &str, charge: &Charge<'_>) -> Result<Option<i64>, DbErr> {
    let text = "SELECT CAST(SUM(amount_minor) AS BIGINT) FROM sandbox_calls
        WHERE authorization_key = $1 AND kind = $2 AND done AND refusal = ''";
    let row = tx.query_one_raw(sql(tx, text, [charge.authorization.into(), kind.into()])).await?;
    row.map_or(Ok(None), |row| row.try_get_by_index(0))
}

/// Books an authorization as refused before it arrives, so that it does nothing when it does.
async fn forestall(tx: &DatabaseTransaction, charge: &Charge<'_>) -> Result<(), DbErr> {
    let unused = Money::zero(charge.amount.currency);
    let call = book(tx, "AUTHORIZE", charge.authorization, &Charge { amount: unused, ..*charge }, "").await?;
    if call.done { Ok(()) } else { finish(tx, charge.authorization, "ALREADY_VOIDED").await }
}
