//! What is bought together, and what sells best.
use contract::order::v1::{EventLine, OrderConfirmed, OrderImported};
use contract::promotion::v1 as pb;
use tonic::Code;

use super::support::{Shop, an_order};

fn line(product: &str) -> EventLine {
    EventLine { variant: format!("products/{product}/variants/1"), quantity: 1, ..Default::default() }
}

fn bought(products: &[&str]) -> OrderConfirmed {
    OrderConfirmed {
        order: an_order(),
        lines: products.iter().map(|product| line(product)).collect(),
        ..Default::default()
    }
}

async fn ideas(shop: &Shop, product: &str, page_size: i32) -> Vec<String> {
    let request = pb::GetRecommendationsRequest { product: product.to_owned(), page_size };
    shop.anyone().get_recommendations(request).await.expect("ideas").into_inner().products
}

#[tokio::test]
async fn products_bought_together_come_first_then_what_sells_best() {
    let shop = Shop::open().await;
    assert!(ideas(&shop, "", 0).await.is_empty());
    let orders = [
        bought(&["tea", "pot", "pot"]),
        bought(&["tea", "pot"]),
        bought(&["tea", "cup"]),
        bought(&["hat"]),
        bought(&["hat"]),
        bought(&["hat"]),
        bought(&["hat"]),
    ];
    for order in &orders {
        let event = shop.announce(&order.order, order).await;
        shop.applied(event).await;
        shop.announce_again(event).await;
    }
    let imported =
        OrderImported { order: an_order(), lines: vec![line("hat"), line("bag")], ..Default::default() };
    let event = shop.announce(&imported.order, &imported).await;
    shop.applied(event).await;
    assert_eq!(
        ideas(&shop, "products/tea", 0).await,
        ["products/pot", "products/cup", "products/hat", "products/bag"]
    );
    assert_eq!(ideas(&shop, "products/tea", 1).await, ["products/pot"]);
    assert_eq!(ideas(&shop, "", 2).await, ["products/hat", "products/tea"]);
    assert_eq!(ideas(&shop, "products/never-sold", 1).await, ["products/hat"]);
    assert_eq!(ideas(&shop, "products/hat", 2).await, ["products/bag", "products/tea"]);
}

#[tokio::test]
async fn an_order_of_everything_counts_few_pairs() {
    let shop = Shop::open().await;
    let everything: Vec<String> = (10..60).map(|number| number.to_string()).collect();
    let order = bought(&everything.iter().map(String::as_str).collect::<Vec<_>>());
    let event = shop.announce(&order.order, &order).await;
    shop.applied(event).await;
    let pairs = shop.row("SELECT COUNT(*) FROM bought_together").await.unwrap();
    assert_eq!(pairs.try_get_by_index::<i64>(0).unwrap(), 90);
}

#[tokio::test]
async fn a_question_about_no_product_is_refused() {
    let shop = Shop::open().await;
    for (product, page_size) in [("tea", 0), ("products/", 0), ("products/tea", -1), ("products/tea", 51)] {
        let request = pb::GetRecommendationsRequest { product: product.to_owned(), page_size };
        let refusal = shop.anyone().get_recommendations(request).await.unwrap_err();
        assert_eq!(refusal.code(), Code::InvalidArgument, "{product} {page_size}");
    }
}
