//! Finding products.
use catalog::Config;
use chassis::testing::eventually;
use contract::catalog::v1::catalog_service_client::CatalogServiceClient;
use contract::catalog::v1::{self as pb, search_products_request::Order};

use crate::support::{Calls, Catalog, attribute, field_at_fault, gbp, new, product, variant};

fn query(words: &str) -> pb::SearchProductsRequest {
    pb::SearchProductsRequest { query: words.into(), ..Default::default() }
}

async fn search(mut calls: Calls, request: pb::SearchProductsRequest) -> pb::SearchProductsResponse {
    calls.search_products(request).await.expect("an answer").into_inner()
}

fn titles(found: &pb::SearchProductsResponse) -> Vec<&str> {
    found.products.iter().map(|product| product.title.as_str()).collect()
}

/// Waits until so many products are found in all.
async fn indexed(shop: &Catalog, count: i64) {
    eventually(async || (search(shop.anyone(), query("")).await.total_size == count).then_some(())).await;
}

/// A shop with something of everything.
async fn filled() -> Catalog {
    let shop = Catalog::start().await;
    let kitchen = shop.category("Kitchen", "").await.name;
    let cups = shop.category("Cups", &kitchen).await.name;
    let of = |title: &str, description: &str, category: &str, facts: &[(&str, &str)]| pb::Product {
        description: description.into(),
        categories: vec![category.into()],
        attributes: facts.iter().map(|(name, value)| attribute(name, value)).collect(),
        ..product(title)
    };
    for request in [
        new(
            of("Café cup", "For strong coffee.", &cups, &[("Material", "Clay"), ("Colour", "Red")]),
            vec![variant("CUP-1", 500), variant("CUP-2", 900)],
        ),
        new(
            of(
                "Cutlery set",
                "Knives and forks for the kitchen, 100% steel.",
                &kitchen,
                &[("Material", "Steel")],
            ),
            vec![variant("CUT", 2_000)],
        ),
        new(
            of("红茶杯", "喝茶用的杯子", &cups, &[("Material", "Clay"), ("Colour", "White")]),
            vec![variant("CN-1", 700)],
        ),
        new(product("Gift card"), vec![variant("GIFT", 10_000)]),
        new(pb::Product { title: "Draft cup".into(), ..Default::default() }, vec![variant("DRAFT", 1)]),
    ] {
        shop.create(request).await;
    }
    indexed(&shop, 4).await;
    shop
}

#[tokio::test]
async fn products_are_found_by_words() {
    let shop = filled().await;
    for (words, wanted) in [
        ("cup", vec!["Café cup"]),
        ("CAFE", vec!["Café cup"]),
        ("coffe", vec!["Café cup"]),
        ("cofee strong", vec!["Café cup"]),
        ("cutlrey", vec!["Cutlery set"]),
        ("kni", vec!["Cutlery set"]),
        ("kni forks", vec![]),
        ("forks kni", vec!["Cutlery set"]),
        ("cup gift", vec![]),
        ("cut-2", vec![]),
        ("cup-2", vec!["Café cup"]),
        ("gift", vec!["Gift card"]),
        ("clay cup", vec!["Café cup"]),
        ("红茶", vec!["红茶杯"]),
        ("茶", vec!["红茶杯"]),
        ("喝红茶", vec![]),
        ("绿茶", vec![]),
        ("draft", vec![]),
        ("%", vec!["Cutlery set"]),
        ("100%", vec!["Cutlery set"]),
        ("_", vec![]),
        ("\\", vec![]),
        ("*", vec![]),
        ("-", vec![]),
        (" - -- . ", vec![]),
        ("?!…", vec![]),
        ("☕\u{fe0f}", vec![]),
        ("title:cup", vec![]),
        ("cup AND NOT cup", vec![]),
        ("' OR '1'='1", vec![]),
        ("; DROP TABLE", vec![]),
        ("\"", vec![]),
    ] {
        assert_eq!(titles(&search(shop.anyone(), query(words)).await), wanted, "{words}");
    }
}

#[tokio::test]
async fn what_is_found_can_be_narrowed_and_counted() {
    let shop = filled().await;
    let categories = shop
        .anyone()
        .list_categories(pb::ListCategoriesRequest::default())
        .await
        .unwrap()
        .into_inner()
        .categories;
    let (kitchen, cups) = (&categories[0].name, &categories[1].name);
    let all = search(shop.anyone(), query("")).await;
    let facet = |name: &str| {
        let facet = all.facets.iter().find(|facet| facet.name == name).expect("a facet");
        facet.values.iter().map(|value| (value.value.as_str(), value.count)).collect::<Vec<_>>()
    };
    assert_eq!(facet("category"), [(kitchen.as_str(), 3), (cups.as_str(), 2)]);
    assert_eq!(facet("Material"), [("Clay", 2), ("Steel", 1)]);
    assert_eq!(facet("Colour"), [("Red", 1), ("White", 1)]);
    let by = |request: pb::SearchProductsRequest| async {
        let found = search(shop.anyone(), request).await;
        let mut titles: Vec<String> = found.products.into_iter().map(|product| product.title).collect();
        titles.sort();
        assert_eq!(i64::try_from(titles.len()).unwrap(), found.total_size);
        titles
    };
    let none = pb::SearchProductsRequest::default;
    assert_eq!(
        by(pb::SearchProductsRequest { category: cups.clone(), ..none() }).await,
        ["Café cup", "红茶杯"]
    );
    let clay = vec![attribute("Material", "Clay"), attribute("Colour", "Red")];
    assert_eq!(by(pb::SearchProductsRequest { attributes: clay, ..none() }).await, ["Café cup"]);
    assert_eq!(
        by(pb::SearchProductsRequest { attributes: vec![attribute("Material", "clay")], ..none() }).await,
        Vec::<String>::new()
    );
    assert_eq!(by(pb::SearchProductsRequest { price_max: Some(gbp(600)), ..none() }).await, ["Café cup"]);
    assert_eq!(
        by(pb::SearchProductsRequest { price_min: Some(gbp(800)), price_max: Some(gbp(2_000)), ..none() })
            .await,
        ["Café cup", "Cutlery set"]
    );
    let euros = contract::Money { currency_code: "EUR".into(), units: 1, nanos: 0 };
    assert_eq!(
        by(pb::SearchProductsRequest { price_min: Some(euros.clone()), ..none() }).await,
        Vec::<String>::new()
    );
    let mixed = pb::SearchProductsRequest { price_min: Some(euros), price_max: Some(gbp(1)), ..none() };
    assert_eq!(field_at_fault(shop.anyone().search_products(mixed).await), "price_max");
}

#[tokio::test]
async fn what_is_found_is_ordered_and_paged() {
    let shop = filled().await;
    for (order, wanted) in [
        (Order::PriceAscending, ["Café cup", "红茶杯", "Cutlery set", "Gift card"]),
        (Order::PriceDescending, ["Gift card", "Cutlery set", "Café cup", "红茶杯"]),
        (Order::Newest, ["Gift card", "红茶杯", "Cutlery set", "Café cup"]),
    ] {
        let (mut seen, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = pb::SearchProductsRequest {
                order: order.into(),
                page_size: 3,
                page_token,
                ..Default::default()
            };
            let page = search(shop.anyone(), request).await;
            assert_eq!(page.total_size, 4);
            seen.extend(page.products.into_iter().map(|product| product.title));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, wanted, "{order:?}");
    }
    let first = search(shop.anyone(), pb::SearchProductsRequest { page_size: 1, ..Default::default() }).await;
    let elsewhere = pb::SearchProductsRequest { page_token: first.next_page_token, ..query("cup") };
    assert_eq!(field_at_fault(shop.anyone().search_products(elsewhere).await), "page_token");
}

#[tokio::test]
async fn the_title_weighs_more_than_the_rest() {
    let shop = Catalog::start().await;
    shop.create(new(
        pb::Product { description: "Goes with any teapot.".into(), ..product("Saucer") },
        vec![],
    ))
    .await;
    shop.create(new(product("Teapot"), vec![])).await;
    shop.create(new(product("Teapots for two"), vec![])).await;
    indexed(&shop, 3).await;
    assert_eq!(titles(&search(shop.anyone(), query("teapot")).await)[0], "Teapot");
    assert_eq!(search(shop.anyone(), query("teapot")).await.total_size, 3);
}

#[tokio::test]
async fn changes_are_found_within_two_seconds() {
    let shop = filled().await;
    let found = async |words: &str| search(shop.anyone(), query(words)).await;
    let cup = found("café").await.products.remove(0);
    let renamed = pb::Product { name: cup.name.clone(), title: "Beaker".into(), ..Default::default() };
    shop.staff()
        .update_product(pb::UpdateProductRequest { product: Some(renamed), ..Default::default() })
        .await
        .unwrap();
    let within = std::time::Instant::now();
    eventually(async || (found("beaker").await.total_size == 1).then_some(())).await;
    assert!(within.elapsed() < std::time::Duration::from_secs(2));
    assert_eq!(found("café").await.total_size, 0);
    shop.staff()
        .delete_product(pb::DeleteProductRequest { name: cup.name, ..Default::default() })
        .await
        .unwrap();
    eventually(async || (found("beaker").await.total_size == 0).then_some(())).await;
    let cutlery = found("cutlery").await.products.remove(0);
    let price = pb::Price { amount: Some(gbp(10)), ..Default::default() };
    let set = pb::SetPriceRequest {
        variant: cutlery.variants[0].name.clone(),
        price: Some(price),
        ..Default::default()
    };
    shop.staff().set_price(set).await.unwrap();
    let cheap = pb::SearchProductsRequest { price_max: Some(gbp(10)), ..Default::default() };
    eventually(async || (search(shop.anyone(), cheap.clone()).await.total_size == 1).then_some(())).await;
}

#[tokio::test]
async fn products_are_found_below_where_their_category_was_moved() {
    let shop = filled().await;
    let categories = shop
        .anyone()
        .list_categories(pb::ListCategoriesRequest::default())
        .await
        .unwrap()
        .into_inner()
        .categories;
    let garden = shop.category("Garden", "").await.name;
    let below =
        |category: &str| pb::SearchProductsRequest { category: category.into(), ..Default::default() };
    assert_eq!(search(shop.anyone(), below(&garden)).await.total_size, 0);
    let request = pb::MoveCategoryRequest {
        name: categories[1].name.clone(),
        parent: garden.clone(),
        ..Default::default()
    };
    shop.staff().move_category(request).await.unwrap();
    eventually(async || (search(shop.anyone(), below(&garden)).await.total_size == 2).then_some(())).await;
    assert_eq!(search(shop.anyone(), below(&categories[0].name)).await.total_size, 1);
}

#[tokio::test]
async fn an_index_that_is_lost_is_built_again() {
    let shop = filled().await;
    let process = shop.host.process().clone();
    let folder = shop.host.settings.data_dir.join("search");
    let again = process.host("catalog");
    // The next replica on this data finds its own folder empty, and damaged files in place of an index.
    for index in std::fs::read_dir(&folder).unwrap().flatten() {
        // The first replica may be writing there at this moment.
        let gone = || std::fs::remove_dir_all(index.path()).is_ok() || !index.path().exists();
        eventually(async || gone().then_some(())).await;
        std::fs::create_dir_all(index.path()).unwrap();
        std::fs::write(index.path().join("meta.json"), "{").unwrap();
    }
    std::fs::create_dir_all(folder.join("v0")).unwrap();
    again.serve(catalog::serve(again.host(), Config::default()));
    let calls = CatalogServiceClient::new(again.as_anyone());
    eventually(async || {
        let found = calls.clone().search_products(query("cup")).await.ok()?.into_inner();
        (found.total_size == 1).then_some(())
    })
    .await;
    assert!(!folder.join("v0").exists());
}
