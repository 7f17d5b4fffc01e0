//! The shop in one process is stopped, killed, started again, and started where something is missing.
use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use contract::order::v1::order::State;
use contract::order::v1::{ListOrdersRequest, PlaceOrderRequest};
use e2e::{Person, Scene, Setting, program};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;
use tonic::Code;

const BUYERS: usize = 20;

#[tokio::test]
async fn checkouts_under_way_at_a_stop_are_finished_and_answered() -> anyhow::Result<()> {
    let Some(mut scene) = Scene::open(Setting::Embedded).await? else { return Ok(()) };
    let mug = scene.variant("MUG-STONE").await?;
    scene.receive("MUG-STONE", 10_000).await?;
    let buyers = futures::future::try_join_all((0..BUYERS).map(|_| scene.guest())).await?;
    let (told, mut answers) = tokio::sync::mpsc::unbounded_channel();
    let buying = futures::future::join_all(buyers.iter().map(|buyer| {
        let told = told.clone();
        let mug = mug.as_str();
        async move {
            let mut placed = Vec::new();
            // Until the shop is gone.
            while let Ok(order) = buyer.place(buyer.order_of(mug, 1, "tok_visa")).await {
                let _ = told.send(());
                placed.push(order);
            }
            placed
        }
    }));
    let program = scene.shop.program("order")?;
    let stopping = async {
        for _ in 0..BUYERS * 2 {
            answers.recv().await;
        }
        let asked = Instant::now();
        program.stop().await?;
        anyhow::Ok(asked.elapsed())
    };
    let (answered, took) = futures::join!(buying, stopping);
    assert!(took? < Duration::from_secs(30));
    let unfinished: Vec<_> =
        answered.iter().flatten().filter(|order| order.state() == State::Placed).collect();
    assert!(unfinished.is_empty(), "{} of the answers are PLACED", unfinished.len());

    // The edge has another port now.
    scene.shop.restart_together().await?;
    let mut untold = Vec::new();
    for (buyer, answered) in buyers.iter().zip(&answered) {
        let buyer = buyer.at(scene.shop.edge()).await?;
        for order in orders(&buyer).await? {
            assert_ne!(order.1, State::Placed, "{} waited for this start", order.0);
            if !answered.iter().any(|answer| answer.name == order.0) {
                untold.push(order.0);
            }
        }
    }
    assert!(untold.is_empty(), "placed, and nobody was told: {untold:?}");
    scene.shop.audit().await?;
    Ok(())
}

#[tokio::test]
async fn a_second_request_to_stop_ends_the_shop_at_once() -> anyhow::Result<()> {
    let Some(mut scene) = Scene::open(Setting::Embedded).await? else { return Ok(()) };
    // A client that never ends its request holds the door open for as long as its method's deadline.
    let edge = scene.shop.edge().trim_start_matches("http://").to_owned();
    let mut slow = TcpStream::connect(&edge).await?;
    let head = "POST /cartwright.order.v1.OrderService/QuoteOrder HTTP/1.1\r\nhost: shop\r\n\
                content-type: application/grpc-web\r\ncontent-length: 100\r\n\r\n";
    slow.write_all(head.as_bytes()).await?;
    let program = scene.shop.program("order")?;
    program.signal("TERM").await?;
    // The door is closed to others: the first was heard.
    chassis::testing::eventually(async || TcpStream::connect(&edge).await.is_err().then_some(())).await;
    assert!(!program.has_ended()?, "it waits for the client");
    program.signal("TERM").await?;
    let ended = tokio::time::timeout(Duration::from_secs(2), program.ended()).await??;
    assert_eq!(ended.code(), Some(143));
    Ok(())
}

#[tokio::test]
async fn after_a_kill_the_next_start_finishes_what_was_under_way_at_once() -> anyhow::Result<()> {
    let Some(mut scene) = Scene::open(Setting::Embedded).await? else { return Ok(()) };
    let mug = scene.variant("MUG-STONE").await?;
    scene.receive("MUG-STONE", 10_000).await?;
    let buyers = futures::future::try_join_all((0..BUYERS).map(|_| scene.guest())).await?;
    let mut cut = Vec::new();
    for _ in 0..5 {
        let requests: Vec<PlaceOrderRequest> =
            buyers.iter().map(|buyer| buyer.order_of(&mug, 1, "tok_visa")).collect();
        let mut clients = Vec::new();
        for buyer in &buyers {
            clients.push(buyer.at(scene.shop.edge()).await?);
        }
        let placing = futures::future::join_all(
            clients.iter().zip(&requests).map(|(client, request)| client.place(request.clone())),
        );
        let program = scene.shop.program("order")?;
        let killing = async {
            tokio::time::sleep(Duration::from_millis(60)).await;
            program.kill().await
        };
        let (answers, killed) = futures::join!(placing, killing);
        killed?;
        scene.shop.restart_together().await?;
        let began = Instant::now();
        for ((buyer, request), answer) in buyers.iter().zip(requests).zip(answers) {
            if answer.is_ok() {
                continue;
            }
            let buyer = buyer.at(scene.shop.edge()).await?;
            // A repeat is answered as soon as the saga that this start took over has ended.
            let order = loop {
                match buyer.place(request.clone()).await {
                    Ok(order) => break order,
                    Err(refusal) if matches!(refusal.code(), Code::Aborted | Code::Unavailable) => {
                        assert!(began.elapsed() < Duration::from_secs(8), "still {refusal:?}");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                    Err(refusal) => anyhow::bail!("{refusal:?}"),
                }
            };
            cut.push(order.name);
        }
    }
    assert!(!cut.is_empty(), "no kill hit a checkout");
    // A mail that was being sent is taken up again after its minute.
    scene.shop.audit_within(90).await?;
    Ok(())
}

#[tokio::test]
async fn a_healthy_start_warns_of_nothing() -> anyhow::Result<()> {
    let Some(scene) = Scene::open(Setting::Embedded).await? else { return Ok(()) };
    let log = std::fs::read_to_string(scene.shop.folder().join("cartwright.log"))?;
    let unbuilt = |line: &&str| !line.contains("STOREFRONT_DIR");
    let warned: Vec<_> = log
        .lines()
        .filter(|line| line.contains(" WARN ") || line.contains(" ERROR "))
        .filter(unbuilt)
        .collect();
    assert!(warned.is_empty(), "{warned:#?}");
    Ok(())
}

#[tokio::test]
async fn a_database_that_is_not_there_is_named_soon() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let free = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let environment = BTreeMap::from([
        ("DATA_DIR".to_owned(), folder.path().to_string_lossy().into_owned()),
        ("DATABASE_URL".to_owned(), format!("postgres://shop:hunter2@{free}")),
    ]);
    let began = Instant::now();
    let arguments =
        ["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--services-any-port"];
    let (started, said) = program::run("cartwright", &arguments, &environment).await?;
    assert!(!started && began.elapsed() < Duration::from_secs(20), "after {:?}", began.elapsed());
    assert!(said.contains("waiting up to") && said.contains(&free.to_string()), "{said}");
    assert!(said.contains("does not answer") && said.contains("DATABASE_URL"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    Ok(())
}

#[tokio::test]
async fn the_shop_goes_on_when_nobody_reads_what_it_says() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut shop = Command::new(program::built()?.join("cartwright"))
        .args(["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--services-any-port"])
        .env("DATA_DIR", folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    // The administrator is told after the first line, when the reader has gone.
    let mut first = String::new();
    let mut reader = BufReader::with_capacity(1, shop.stdout.take().unwrap());
    reader.read_line(&mut first).await?;
    drop(reader);
    assert!(first.starts_with("Cartwright is ready"), "{first}");
    let addresses = std::fs::read_to_string(folder.path().join("addresses.json"))?;
    let addresses: serde_json::Value = serde_json::from_str(&addresses)?;
    let edge = addresses["edge"].as_str().unwrap();
    for _ in 0..2 {
        let audit = Command::new(program::built()?.join("cartwright"))
            .arg("audit")
            .env("DATA_DIR", folder.path())
            .stdout(unread()?)
            .status()
            .await?;
        assert!(audit.success(), "{audit}");
        assert!(shop.try_wait()?.is_none(), "the shop has ended");
        Person::anyone(edge, e2e::Transport::Grpc).await?;
    }
    Ok(())
}

/// A pipe that nobody reads any more.
fn unread() -> anyhow::Result<Stdio> {
    let (reader, writer) = std::io::pipe()?;
    drop(reader);
    Ok(writer.into())
}

async fn orders(buyer: &Person) -> anyhow::Result<Vec<(String, State)>> {
    let request = ListOrdersRequest { page_size: 1000, ..ListOrdersRequest::default() };
    let orders = buyer.orders().list_orders(request).await?.into_inner().orders;
    Ok(orders.into_iter().map(|order| (order.name.clone(), order.state())).collect())
}
