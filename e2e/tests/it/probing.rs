//! What an operator sees with generic tools: every service described, called, and honest about its health.
use std::path::Path;
use std::time::Duration;

use chassis::status;
use contract::cart::v1::AddItemRequest;
use contract::identity::v1::RegisterRequest;
use e2e::{Installation, Person, Scene, Setting, Transport};
use sea_orm::ConnectionTrait;
use tokio::process::Command;
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus;

const SERVICES: [&str; 10] = [
    "Identity",
    "Catalog",
    "Inventory",
    "Cart",
    "Order",
    "Payment",
    "Shipping",
    "Promotion",
    "Notification",
    "Analytics",
];

fn full_name(service: &str) -> String {
    format!("cartwright.{}.v1.{service}Service", service.to_lowercase())
}

/// Runs `buf curl`. Nothing where buf is not installed; `./just tools` does that.
async fn curl(arguments: &[&str]) -> anyhow::Result<Option<(bool, String)>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let buf = root.join(".tools/node_modules/.bin/buf");
    if !buf.exists() {
        eprintln!("skipped: buf is not installed; `./just tools` installs it");
        return Ok(None);
    }
    let output = Command::new(buf)
        .arg("curl")
        .args(["--protocol", "grpc", "--http2-prior-knowledge"])
        .args(arguments)
        .output()
        .await?;
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Ok(Some((output.status.success(), said)))
}

#[tokio::test]
async fn a_generic_client_lists_and_calls_every_service() -> anyhow::Result<()> {
    let Some(scene) = Scene::open(Setting::Embedded).await? else { return Ok(()) };
    for service in SERVICES {
        let (name, noun) = (full_name(service), service.to_lowercase());
        for url in [scene.shop.edge(), scene.shop.service(&noun)] {
            let Some((listed, services)) = curl(&["--list-services", url]).await? else { return Ok(()) };
            assert!(listed && services.contains(&name), "{url}: {services}");
        }
        // Each has an operation that lists its facts; who is not signed in is told so, with details.
        let method =
            format!("{}/cartwright.operations.v1.OperationsService/GetEventLag", scene.shop.service(&noun));
        let (allowed, said) = curl(&[&method]).await?.expect("buf is there");
        assert!(
            !allowed && said.contains("unauthenticated") && said.contains("google.rpc.ErrorInfo"),
            "{said}"
        );
    }
    let search = format!("{}/cartwright.catalog.v1.CatalogService/SearchProducts", scene.shop.edge());
    chassis::testing::eventually(async || {
        let (found, said) = curl(&["-d", r#"{"query": "mug"}"#, &search]).await.ok()??;
        (found && said.contains("MUG-STONE")).then_some(())
    })
    .await;
    // What is internal is described, and yet not to be reached.
    let reserve = format!("{}/cartwright.inventory.v1.InventoryService/ReserveStock", scene.shop.edge());
    let (done, said) = curl(&["-d", "{}", &reserve]).await?.expect("buf is there");
    assert!(!done && said.contains("permission_denied") && said.contains("google.rpc.ErrorInfo"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_refusal_says_which_field_is_at_fault() -> anyhow::Result<()> {
    let Some(scene) = Scene::open(Setting::Embedded).await? else { return Ok(()) };
    for transport in [Transport::Grpc, Transport::GrpcWeb] {
        let anyone = Person::anyone(scene.shop.edge(), transport).await?;
        let short = RegisterRequest {
            email: "not an address".into(),
            password: "short".into(),
            ..RegisterRequest::default()
        };
        let refusal = anyone.identity().register(short).await.unwrap_err();
        let fields: Vec<String> = status::violations(&refusal).into_iter().map(|(field, _)| field).collect();
        assert_eq!(
            (refusal.code(), fields),
            (Code::InvalidArgument, vec!["email".into(), "password".into()])
        );
        let guest = Person::guest(scene.shop.edge(), transport).await?;
        for (quantity, code) in
            [(0, Code::InvalidArgument), (-1, Code::InvalidArgument), (1000, Code::InvalidArgument)]
        {
            let add = AddItemRequest {
                cart: "carts/current".into(),
                variant: scene.variant("MUG-STONE").await?,
                quantity,
                request_id: String::new(),
            };
            assert_eq!(guest.cart().add_item(add).await.unwrap_err().code(), code, "{quantity}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_service_that_loses_its_database_says_so_and_recovers() -> anyhow::Result<()> {
    let Some(shop) = Installation::start(Setting::Separate).await? else { return Ok(()) };
    #[expect(clippy::disallowed_methods, reason = "the test command tells where its servers are")]
    let server =
        sea_orm::Database::connect(format!("{}/postgres", std::env::var("TEST_DATABASE_URL")?)).await?;
    for noun in chassis::config::NOUNS {
        let database = shop.database(noun)?;
        let run = async |sql: &str| server.execute_unprepared(&sql.replace("NAME", &database)).await;
        run("ALTER DATABASE NAME ALLOW_CONNECTIONS false").await?;
        run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'NAME'").await?;
        shop.wait_until(noun, ServingStatus::NotServing, Duration::from_secs(5)).await?;
        run("ALTER DATABASE NAME ALLOW_CONNECTIONS true").await?;
        shop.wait_until(noun, ServingStatus::Serving, Duration::from_secs(10)).await?;
    }
    Ok(())
}
