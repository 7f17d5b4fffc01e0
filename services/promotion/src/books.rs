//! What an auditor may ask of promotion: whether its counts are right, and which orders used which coupon.

use async_trait::async_trait;
use chassis::db::Db;
use chassis::operations::{Books, Fact, Finding};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use crate::store::{limit, money, sql};

/// Promotion's books.
pub(crate) struct Coupons;

/// An invariant: what is counted, and who breaks it.
struct Check {
    number: &'static str,
    invariant: &'static str,
    counted: &'static str,
    offenders: &'static str,
}

const CHECKS: &[Check] = &[
    Check {
        number: "I28",
        invariant: "a coupon's count is the number of its uses that count",
        counted: "SELECT COUNT(*) FROM coupons",
        offenders: "SELECT code FROM coupons k WHERE redemption_count <>
            (SELECT COUNT(*) FROM redemptions r WHERE r.coupon = k.id AND r.state = 'REDEEMED')",
    },
    Check {
        number: "I28",
        invariant: "a coupon is used no more often than it allows",
        counted: "SELECT COUNT(*) FROM coupons WHERE redemption_limit > 0",
        offenders: "SELECT code FROM coupons WHERE redemption_limit > 0 AND redemption_count > redemption_limit",
    },
    Check {
        number: "I29",
        invariant: "what a coupon took off is the sum of its uses that count, within its budget",
        counted: "SELECT COUNT(*) FROM coupons WHERE discount_budget_minor IS NOT NULL",
        offenders: "SELECT code FROM coupons k WHERE discount_budget_minor IS NOT NULL
            AND (discount_total_minor > discount_budget_minor OR discount_total_minor <>
                (SELECT COALESCE(SUM(r.discount_minor), 0) FROM redemptions r WHERE r.coupon = k.id
                 AND r.state = 'REDEEMED' AND r.discount_currency = k.discount_budget_currency))",
    },
    Check {
        number: "I28",
        invariant: "a customer's count is the number of their uses that count",
        counted: "SELECT COUNT(*) FROM coupon_customers",
        offenders: "SELECT customer FROM coupon_customers c WHERE redemption_count <>
            (SELECT COUNT(*) FROM redemptions r
             WHERE r.coupon = c.coupon AND r.customer = c.customer AND r.state = 'REDEEMED')",
    },
    Check {
        number: "I28",
        invariant: "a customer uses a coupon no more often than it allows",
        counted: "SELECT COUNT(*) FROM coupon_customers",
        offenders: "SELECT c.customer FROM coupon_customers c JOIN coupons k ON k.id = c.coupon
            WHERE k.redemption_limit_per_customer > 0 AND c.redemption_count > k.redemption_limit_per_customer",
    },
];

const OFFENDERS_MAX: i64 = 100;

#[derive(FromQueryResult)]
struct UseRow {
    order_name: String,
    code: String,
    discount_minor: i64,
    discount_currency: String,
}

#[async_trait]
impl Books for Coupons {
    async fn check(&self, db: &Db) -> Result<Vec<Finding>, DbErr> {
        let on = db.writer();
        let mut findings = Vec::with_capacity(CHECKS.len());
        for check in CHECKS {
            let counted = on.query_one_raw(sql(on, check.counted, [])).await?;
            let counted = counted.map_or(Ok(0), |row| row.try_get_by_index::<i64>(0))?;
            let text = format!("{} LIMIT {OFFENDERS_MAX}", check.offenders);
            let rows = on.query_all_raw(sql(on, &text, [])).await?;
            let offenders = rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?;
            let checked = u64::try_from(counted).unwrap_or_default();
            findings.push(Finding { number: check.number, invariant: check.invariant, checked, offenders });
        }
        Ok(findings)
    }

    fn kinds(&self) -> &'static [&'static str] {
        &["promotion.redemption"]
    }

    async fn facts(&self, db: &Db, _: &str, after: &str, rows: u64) -> Result<Vec<Fact>, DbErr> {
        let on = db.writer();
        let text = "SELECT order_name, code, discount_minor, discount_currency FROM redemptions
            WHERE order_name > $1 AND state = 'REDEEMED' ORDER BY order_name LIMIT $2";
        let uses = UseRow::find_by_statement(sql(on, text, [after.into(), limit(rows)])).all(on).await?;
        let fact = |used: UseRow| {
            Ok(Fact {
                subject: used.order_name,
                amount: Some(money(used.discount_minor, &used.discount_currency)?),
                reference: used.code,
                ..Fact::default()
            })
        };
        uses.into_iter().map(fact).collect()
    }
}
