//! The ledger: what the database itself refuses, whoever asks.
use chassis::db::Db;
use contract::payment::v1 as pb;
use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr, Statement, Value};
use uuid::Uuid;

use super::support::Shop;

/// Runs statements in one transaction.
async fn commit(db: &Db, statements: Vec<(&str, Vec<Value>)>) -> Result<(), DbErr> {
    db.write(async |tx| {
        for (text, values) in &statements {
            tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), *text, values.clone()))
                .await?;
        }
        Ok(())
    })
    .await
}

const ENTRY: &str =
    "INSERT INTO journal_entries (id, kind, payment, order_name, lines, post_time, create_time)
    VALUES ($1, 'capture', $2, 'orders/1', $3, 0, 0)";
const LINE: &str = "INSERT INTO journal_lines (entry, line, account, amount_minor, amount_currency) VALUES ($1, $2, 'a', $3, $4)";

fn line(entry: Uuid, number: i64, minor: i64, currency: &str) -> (&'static str, Vec<Value>) {
    (LINE, vec![entry.into(), number.into(), minor.into(), currency.into()])
}

#[tokio::test]
async fn the_database_takes_only_entries_that_balance() {
    let shop = Shop::open().await;
    let payment = payment_id(&shop.authorized("tok_visa").await);
    let entry = |id: Uuid, lines: i64| (ENTRY, vec![id.into(), payment.into(), lines.into()]);
    let a = Uuid::now_v7;

    let id = a();
    let sound = vec![
        line(id, 1, 5, "GBP"),
        line(id, 2, -5, "GBP"),
        line(id, 3, 7, "EUR"),
        line(id, 4, -7, "EUR"),
        entry(id, 4),
    ];
    commit(&shop.db, sound).await.unwrap();

    let ids: [Uuid; 6] = std::array::from_fn(|_| a());
    let unsound = [
        (
            "it does not sum to zero",
            vec![line(ids[0], 1, 5, "GBP"), line(ids[0], 2, -4, "GBP"), entry(ids[0], 2)],
        ),
        (
            "its currencies do not",
            vec![line(ids[1], 1, 5, "GBP"), line(ids[1], 2, -5, "EUR"), entry(ids[1], 2)],
        ),
        ("it has one line", vec![line(ids[2], 1, 5, "GBP"), entry(ids[2], 1)]),
        ("it has no lines", vec![entry(ids[3], 2)]),
        (
            "it has fewer lines than it says",
            vec![line(ids[4], 1, 5, "GBP"), line(ids[4], 2, -5, "GBP"), entry(ids[4], 3)],
        ),
        ("its lines have no entry", vec![line(ids[5], 1, 5, "GBP"), line(ids[5], 2, -5, "GBP")]),
        ("it is closed", vec![line(id, 5, 5, "GBP"), line(id, 6, -5, "GBP")]),
        (
            "a line moves nothing",
            vec![line(ids[5], 1, 0, "GBP"), line(ids[5], 2, 0, "GBP"), entry(ids[5], 2)],
        ),
    ];
    for (why, statements) in unsound {
        assert!(commit(&shop.db, statements).await.is_err(), "{why}");
    }
    assert_eq!(shop.count("SELECT COUNT(*) FROM journal_lines").await, 6);
}

#[tokio::test]
async fn an_entry_takes_no_lines_of_who_does_not_see_it() {
    let shop = Shop::open().await;
    if shop.db.backend() == DatabaseBackend::Sqlite {
        return; // one writes after the other there, and sees it
    }
    let payment = payment_id(&shop.authorized("tok_visa").await);
    let id = Uuid::now_v7();
    let entry = (ENTRY, vec![id.into(), payment.into(), 2_i64.into()]);
    let sound = vec![line(id, 1, 5, "GBP"), line(id, 2, -5, "GBP"), entry];
    let late: Result<(), DbErr> = shop
        .db
        .write(async |tx| {
            for (text, values) in [line(id, 3, 7, "GBP"), line(id, 4, -7, "GBP")] {
                tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), text, values))
                    .await?;
            }
            commit(&shop.db, sound).await.expect("a sound entry");
            Ok(())
        })
        .await;
    assert!(late.is_err(), "lines of an entry that somebody else wrote");
    assert_eq!(shop.count("SELECT COUNT(*) FROM journal_lines").await, 4);
}

#[tokio::test]
async fn what_is_written_in_the_ledger_stays() {
    let shop = Shop::open().await;
    shop.captured("tok_visa").await;
    for change in [
        "UPDATE journal_entries SET kind = 'refund'",
        "UPDATE journal_lines SET amount_minor = -amount_minor",
        "DELETE FROM journal_entries",
        "DELETE FROM journal_lines",
    ] {
        assert!(commit(&shop.db, vec![(change, vec![])]).await.is_err(), "{change}");
    }
    shop.balances().await;
}

fn payment_id(payment: &pb::Payment) -> Uuid {
    payment.name.trim_start_matches("payments/").parse().expect("an id")
}
