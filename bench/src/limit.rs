//! The limit: the least honest work of an order as one transaction, driven straight at the database.
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::Context;
use rand::seq::index;
use tokio_postgres::{Client, NoTls, Statement};

use crate::load::{AsyncAsk, Load};
use crate::report::{Report, Row};
use crate::usage;

/// How many goods there are.
const SKUS: usize = 10_000;
const LINES: usize = 3;
const DATABASE: &str = "limit_of_the_machine";

const SCHEMA: &str = "
    CREATE TABLE stock (sku INTEGER PRIMARY KEY, available BIGINT NOT NULL CHECK (available >= 0));
    CREATE TABLE orders (id UUID PRIMARY KEY, customer TEXT NOT NULL, total BIGINT NOT NULL, create_time BIGINT NOT NULL);
    CREATE TABLE lines (order_id UUID NOT NULL, position INTEGER NOT NULL, sku INTEGER NOT NULL, quantity BIGINT NOT NULL,
        price BIGINT NOT NULL, PRIMARY KEY (order_id, position));
    CREATE TABLE ledger (order_id UUID NOT NULL, account TEXT NOT NULL, amount BIGINT NOT NULL, PRIMARY KEY (order_id, account));
    CREATE TABLE outbox (id BIGSERIAL PRIMARY KEY, event_id UUID NOT NULL, payload BYTEA NOT NULL);";

/// How statements travel.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Each waits for the answer to the one before.
    OneByOne,
    /// All are sent together; then the commit.
    Pipelined,
}

#[derive(Clone)]
struct Orders {
    way: Way,
    hot: bool,
    clock: Arc<AtomicI64>,
}

struct Connection {
    client: Client,
    take: Statement,
    order: Statement,
    line: Statement,
    entry: Statement,
    event: Statement,
}

impl AsyncAsk<Connection> for Orders {
    async fn ask(&self, connection: &mut Connection) -> Result<(), String> {
        self.order(connection).await.map_err(|error| error.to_string())
    }
}

impl Orders {
    async fn order(&self, on: &Connection) -> Result<(), tokio_postgres::Error> {
        let Connection { client, take, order, line, entry, event } = on;
        let mut skus: Vec<i32> = match self.hot {
            true => vec![0],
            false => index::sample(&mut rand::rng(), SKUS, LINES)
                .iter()
                .filter_map(|sku| sku.try_into().ok())
                .collect(),
        };
        skus.sort_unstable(); // rows are always locked in one order
        let id = uuid::Uuid::now_v7();
        let time = self.clock.fetch_add(1, Ordering::Relaxed);
        let (total, price) = (1_200_i64, 400_i64);
        let payload = [7_u8; 200];

        let begin = client.batch_execute("BEGIN");
        let taken = skus.iter().map(|sku| async move { client.execute(take, &[sku]).await });
        let made = async { client.execute(order, &[&id, &"users/somebody", &total, &time]).await };
        let lines = (0_i32..).zip(&skus).map(|(position, sku)| async move {
            client.execute(line, &[&id, &position, sku, &1_i64, &price]).await
        });
        let debit = async { client.execute(entry, &[&id, &"cash", &total]).await };
        let owed = -total;
        let credit = async { client.execute(entry, &[&id, &"revenue", &owed]).await };
        let told = async { client.execute(event, &[&id, &payload.as_slice()]).await };
        let taken: u64 = match self.way {
            Way::Pipelined => {
                // The client sends what is polled before it waits, so these leave in this order and together.
                let (_, taken, ..) = futures::try_join!(
                    begin,
                    futures::future::try_join_all(taken),
                    made,
                    futures::future::try_join_all(lines),
                    debit,
                    credit,
                    told
                )?;
                taken.iter().sum()
            }
            Way::OneByOne => {
                begin.await?;
                let mut sum = 0;
                for taken in taken {
                    sum += taken.await?;
                }
                made.await?;
                for line in lines {
                    line.await?;
                }
                debit.await?;
                credit.await?;
                told.await?;
                sum
            }
        };
        let end = if taken == skus.len() as u64 { "COMMIT" } else { "ROLLBACK" };
        client.batch_execute(end).await
    }
}

/// Measures both ways with each number of clients, and one SKU.
pub(crate) async fn measure(load: &Load, clients: &[u16], report: &mut Report) -> anyhow::Result<()> {
    let server = crate::shop::postgres()?;
    let (admin, connection) = tokio_postgres::connect(&format!("{server}/postgres"), NoTls).await?;
    let _connection = tokio::spawn(connection);
    admin.batch_execute(&format!("CREATE DATABASE {DATABASE}")).await?;
    let url = format!("{server}/{DATABASE}");
    let (first, connection) = tokio_postgres::connect(&url, NoTls).await?;
    let _second_connection = tokio::spawn(connection);
    first.batch_execute(SCHEMA).await?;
    first
        .execute(
            "INSERT INTO stock SELECT sku, 1000000000 FROM generate_series(0, $1::INTEGER - 1) sku",
            &[&i32::try_from(SKUS)?],
        )
        .await?;
    let clock = Arc::new(AtomicI64::new(0));
    for (name, way, hot) in [
        ("limit, statement by statement", Way::OneByOne, false),
        ("limit, pipelined", Way::Pipelined, false),
        ("limit, pipelined, one SKU", Way::Pipelined, true),
    ] {
        for &count in clients {
            eprintln!("{name}: {count} clients");
            let connections =
                futures::future::try_join_all((0..count).map(|_| open(&url))).await.context("connecting")?;
            let processes = crate::shop::servers()?;
            let before = usage::cpu(&processes);
            let outcome = load.run(connections, Orders { way, hot, clock: Arc::clone(&clock) }).await;
            report.add(Row::of(name, count, &outcome, &before, &usage::cpu(&processes)));
        }
    }
    drop(first);
    admin.batch_execute(&format!("DROP DATABASE {DATABASE} WITH (FORCE)")).await?;
    Ok(())
}

async fn open(url: &str) -> anyhow::Result<Connection> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(Connection {
        take: client
            .prepare("UPDATE stock SET available = available - 1 WHERE sku = $1 AND available >= 1")
            .await?,
        order: client.prepare("INSERT INTO orders VALUES ($1, $2, $3, $4)").await?,
        line: client.prepare("INSERT INTO lines VALUES ($1, $2, $3, $4, $5)").await?,
        entry: client.prepare("INSERT INTO ledger VALUES ($1, $2, $3)").await?,
        event: client.prepare("INSERT INTO outbox (event_id, payload) VALUES ($1, $2)").await?,
        client,
    })
}
