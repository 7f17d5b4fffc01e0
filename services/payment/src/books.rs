//! What an auditor may ask of payment: whether its books are right, and what they say.

use async_trait::async_trait;
use chassis::db::Db;
use chassis::operations::{Books, Fact, Finding};
use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Value};
use std::time::Duration;

use crate::store::{money, sql};

/// How long the outcome of a payment may stay unknown.
const UNKNOWN_MAX: Duration = Duration::from_secs(15 * 60);

/// Payment's books.
pub(crate) struct Ledger;

/// An invariant: what is counted, and who breaks it. `$1` in the second is the time before which the unknown is too old.
struct Check {
    number: &'static str,
    invariant: &'static str,
    counted: &'static str,
    offenders: &'static str,
}

const CHECKS: &[Check] = &[
    Check {
        number: "I1",
        invariant: "the ledger sums to zero in each currency",
        counted: "SELECT COUNT(DISTINCT amount_currency) FROM journal_lines",
        offenders: "SELECT amount_currency FROM journal_lines GROUP BY amount_currency HAVING SUM(amount_minor) <> 0",
    },
    Check {
        number: "I2",
        invariant: "every journal entry sums to zero in each currency",
        counted: "SELECT COUNT(*) FROM journal_entries",
        offenders: "SELECT DISTINCT p.order_name FROM journal_lines l JOIN journal_entries e ON e.id = l.entry
            JOIN payments p ON p.id = e.payment GROUP BY p.order_name, l.entry, l.amount_currency
            HAVING SUM(l.amount_minor) <> 0",
    },
    Check {
        number: "I2",
        invariant: "every journal entry has the lines it says",
        counted: "SELECT COUNT(*) FROM journal_entries",
        offenders: "SELECT e.order_name FROM journal_entries e
            WHERE e.lines <> (SELECT COUNT(*) FROM journal_lines l WHERE l.entry = e.id)",
    },
    Check {
        number: "I2",
        invariant: "every journal entry has at least two lines",
        counted: "SELECT COUNT(*) FROM journal_entries",
        offenders: "SELECT order_name FROM journal_entries WHERE lines < 2",
    },
    Check {
        number: "I4",
        invariant: "no line of the journal is nothing, or more than ten million million",
        counted: "SELECT COUNT(*) FROM journal_lines",
        offenders: "SELECT e.order_name FROM journal_lines l JOIN journal_entries e ON e.id = l.entry
            WHERE l.amount_minor = 0 OR l.amount_minor > 10000000000000 OR l.amount_minor < -10000000000000",
    },
    Check {
        number: "I6",
        invariant: "an order has one payment",
        counted: "SELECT COUNT(*) FROM payments",
        offenders: "SELECT order_name FROM payments GROUP BY order_name HAVING COUNT(*) > 1",
    },
    Check {
        number: "I18",
        invariant: "a refund names who asked for it",
        counted: "SELECT COUNT(*) FROM refunds",
        offenders: "SELECT p.order_name FROM refunds r JOIN payments p ON p.id = r.payment WHERE r.actor = ''",
    },
    Check {
        number: "I5",
        invariant: "0 <= refunded <= captured <= authorized",
        counted: "SELECT COUNT(*) FROM payments",
        offenders: "SELECT order_name FROM payments WHERE refunded_minor < 0 OR refunding_minor < 0
            OR refunded_minor + refunding_minor > captured_minor OR captured_minor > amount_minor",
    },
    Check {
        number: "I5",
        invariant: "a payment's state is what its amounts say",
        counted: "SELECT COUNT(*) FROM payments",
        offenders: "SELECT order_name FROM payments WHERE state <> CASE
            WHEN captured_minor = 0 AND state IN ('PENDING', 'UNKNOWN', 'AUTHORIZED', 'VOIDED', 'DECLINED') THEN state
            WHEN captured_minor > 0 AND refunded_minor = 0 THEN 'CAPTURED'
            WHEN refunded_minor < captured_minor THEN 'PARTIALLY_REFUNDED'
            ELSE 'REFUNDED' END",
    },
    Check {
        number: "I5",
        invariant: "what a payment refunded is the sum of its refunds",
        counted: "SELECT COUNT(*) FROM payments",
        offenders: "SELECT p.order_name FROM payments p
            WHERE p.refunded_minor <> COALESCE((SELECT SUM(r.amount_minor) FROM refunds r
                    WHERE r.payment = p.id AND r.state = 'SUCCEEDED'), 0)
               OR p.refunding_minor <> COALESCE((SELECT SUM(r.amount_minor) FROM refunds r
                    WHERE r.payment = p.id AND r.state = 'PENDING'), 0)",
    },
    Check {
        number: "I4",
        invariant: "what the ledger says channels hold is what payments captured less refunds and fees",
        counted: "SELECT COUNT(*) FROM payments",
        offenders: "SELECT p.order_name FROM payments p LEFT JOIN (
                SELECT e.payment, SUM(l.amount_minor) AS held FROM journal_entries e JOIN journal_lines l ON l.entry = e.id
                WHERE l.account LIKE 'channel-clearing-%' GROUP BY e.payment) b ON b.payment = p.id
            WHERE COALESCE(b.held, 0) <> p.captured_minor - p.refunded_minor - p.fee_minor",
    },
    Check {
        number: "I4",
        invariant: "what the ledger says customers promised is what is authorized",
        counted: "SELECT COUNT(*) FROM payments",
        offenders: "SELECT p.order_name FROM payments p LEFT JOIN (
                SELECT e.payment, SUM(l.amount_minor) AS promised FROM journal_entries e JOIN journal_lines l ON l.entry = e.id
                WHERE l.account = 'customer-receivable' GROUP BY e.payment) b ON b.payment = p.id
            WHERE COALESCE(b.promised, 0) <> CASE WHEN p.state = 'AUTHORIZED' THEN p.amount_minor ELSE 0 END",
    },
    Check {
        number: "I9",
        invariant: "an unknown outcome is asked about, and known within fifteen minutes",
        counted: "SELECT COUNT(*) FROM payments WHERE state IN ('PENDING', 'UNKNOWN')",
        offenders: "SELECT order_name FROM payments
            WHERE state IN ('PENDING', 'UNKNOWN') AND (next_check_at IS NULL OR create_time < $1)",
    },
    Check {
        number: "I9",
        invariant: "no capture was given up",
        counted: "SELECT COUNT(*) FROM payments WHERE goal = 'CAPTURE'",
        offenders: "SELECT order_name FROM payments WHERE state = 'AUTHORIZED' AND goal = 'CAPTURE' AND next_check_at IS NULL",
    },
    Check {
        number: "I7",
        invariant: "nothing is taken before somebody has approved, where somebody has to",
        counted: "SELECT COUNT(*) FROM payments WHERE review <> ''",
        offenders: "SELECT order_name FROM payments
            WHERE review IN ('WAITING', 'HELD', 'REFUSED') AND captured_minor > refunded_minor + refunding_minor",
    },
    Check {
        number: "I17",
        invariant: "nothing is kept of a payment that was given up",
        counted: "SELECT COUNT(*) FROM payments WHERE goal = 'GIVE_UP'",
        offenders: "SELECT order_name FROM payments
            WHERE goal = 'GIVE_UP' AND captured_minor > refunded_minor + refunding_minor",
    },
    Check {
        number: "I8",
        invariant: "the sandbox's own book agrees with ours",
        counted: "SELECT COUNT(*) FROM payments WHERE channel = 'sandbox' AND channel_reference LIKE 'sbx_%'",
        // What is still being carried out may differ for a moment.
        offenders: "SELECT p.order_name FROM payments p LEFT JOIN (
                SELECT reference, SUM(CASE WHEN kind = 'CAPTURE' THEN amount_minor ELSE 0 END) AS captured,
                    SUM(CASE WHEN kind = 'REFUND' THEN amount_minor ELSE 0 END) AS refunded
                FROM sandbox_calls WHERE done AND refusal = '' GROUP BY reference) s ON s.reference = p.channel_reference
            WHERE p.channel = 'sandbox' AND p.channel_reference LIKE 'sbx_%' AND p.next_check_at IS NULL AND p.refunding_minor = 0
              AND (COALESCE(s.captured, 0) <> p.captured_minor OR COALESCE(s.refunded, 0) <> p.refunded_minor)",
    },
];

const OFFENDERS_MAX: i64 = 100;

#[derive(FromQueryResult)]
struct FactRow {
    order_name: String,
    id: chassis::id::Id<crate::domain::Payment>,
    minor: i64,
    amount_currency: String,
    state: String,
}

#[async_trait]
impl Books for Ledger {
    async fn check(&self, db: &Db) -> Result<Vec<Finding>, DbErr> {
        let on = db.writer();
        let too_old = Timestamp::now().minus(UNKNOWN_MAX);
        let mut findings = Vec::with_capacity(CHECKS.len());
        for check in CHECKS {
            let counted = count(db, check.counted).await?;
            let dated: Vec<Value> =
                if check.offenders.contains("$1") { vec![too_old.into()] } else { Vec::new() };
            let text = format!("{} LIMIT {OFFENDERS_MAX}", check.offenders);
            let rows = on.query_all_raw(sql(on, &text, dated)).await?;
            let offenders = rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?;
            findings.push(Finding {
                number: check.number,
                invariant: check.invariant,
                checked: counted,
                offenders,
            });
        }
        Ok(findings)
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["payment.captured", "payment.refunded", "payment.held"]
    }

    async fn facts(&self, db: &Db, kind: &str, after: &str, limit: u64) -> Result<Vec<Fact>, DbErr> {
        let (minor, state, which) = match kind {
            "payment.captured" => (
                "captured_minor",
                "CASE WHEN captured_minor < amount_minor THEN 'PARTIAL' ELSE '' END",
                "captured_minor > 0",
            ),
            "payment.refunded" => ("refunded_minor", "''", "refunded_minor > 0"),
            "payment.held" => (
                "amount_minor",
                // Somebody has yet to decide whether it is taken.
                "CASE WHEN review IN ('WAITING', 'HELD') AND goal <> 'GIVE_UP' THEN 'REVIEW' ELSE '' END",
                "state = 'AUTHORIZED'",
            ),
            _ => return Ok(Vec::new()),
        };
        let on = db.writer();
        let text = format!(
            "SELECT order_name, id, {minor} AS minor, amount_currency, {state} AS state FROM payments
             WHERE order_name > $1 AND {which} ORDER BY order_name LIMIT $2"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = FactRow::find_by_statement(sql(on, &text, [after.into(), limit.into()])).all(on).await?;
        let fact = |row: FactRow| {
            Ok(Fact {
                subject: row.order_name,
                amount: Some(money(row.minor, &row.amount_currency)?),
                reference: row.id.name(),
                state: row.state,
                ..Fact::default()
            })
        };
        rows.into_iter().map(fact).collect()
    }

    async fn pending(&self, db: &Db) -> Result<u64, DbErr> {
        let waiting = "SELECT (SELECT COUNT(*) FROM payments WHERE next_check_at IS NOT NULL)
            + (SELECT COUNT(*) FROM refunds WHERE next_check_at IS NOT NULL)";
        count(db, waiting).await
    }
}

async fn count(db: &Db, text: &str) -> Result<u64, DbErr> {
    let on = db.writer();
    let row =
        on.query_one_raw(sql(on, text, [])).await?.ok_or(DbErr::RecordNotFound("a count".to_owned()))?;
    Ok(u64::try_from(row.try_get_by_index::<i64>(0)?).unwrap_or_default())
}
