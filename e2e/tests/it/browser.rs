//! A customer in a real browser buys through the storefront.
use std::path::Path;

use e2e::{Scene, Setting};
use tokio::process::Command;

#[tokio::test]
async fn a_customer_buys_in_a_browser() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let (page, driver) = (root.join("storefront/dist/index.html"), root.join("e2e/browser/node_modules"));
    for needed in [page.as_path(), driver.as_path(), Path::new("/usr/bin/chromium")] {
        if !needed.exists() {
            eprintln!("skipped: {} is not there; `./just test` makes it", needed.display());
            return Ok(());
        }
    }
    let Some(scene) = Scene::open(Setting::Embedded).await? else { return Ok(()) };
    let output = Command::new("node")
        .arg(root.join("e2e/browser/buy.mjs"))
        .env("SHOP", scene.shop.edge())
        .env("SCREENSHOTS", scene.shop.folder())
        .output()
        .await?;
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{}", scene.shop.logs());
    scene.shop.audit().await?;
    Ok(())
}
