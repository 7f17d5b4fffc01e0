//! Requests that make no sense, and how they are refused.
use contract::Money;
use contract::catalog::v1 as pb;
use tonic::Code;

use crate::support::{Catalog, field_at_fault, gbp, new, product, refusal, variant};

fn priced(currency: &str, units: i64, nanos: i32) -> pb::CreateProductRequest {
    let price = Money { currency_code: currency.into(), units, nanos };
    new(product("Cup"), vec![pb::Variant { sku: "C".into(), price: Some(price), ..Default::default() }])
}

#[tokio::test]
async fn what_cannot_be_sold_is_refused_by_its_field() {
    let shop = Catalog::start().await;
    let none = new(product("Cup"), vec![pb::Variant { sku: "C".into(), ..Default::default() }]);
    let heavy = new(product("Cup"), vec![pb::Variant { weight_grams: 1_000_001, ..variant("C", 1) }]);
    let cheap = new(product("Cup"), vec![pb::Variant { compare_at_price: Some(gbp(1)), ..variant("C", 2) }]);
    let state = new(pb::Product { state: 99, ..product("Cup") }, vec![]);
    let twice = new(
        pb::Product {
            attributes: vec![pb::Attribute { name: "A".into(), value: "B".into() }; 2],
            ..product("Cup")
        },
        vec![],
    );
    let category = new(pb::Product { categories: vec!["shoes".into()], ..product("Cup") }, vec![]);
    for (request, field) in [
        (priced("GBP", -1, 0), "variants[0].price"),
        (priced("GBP", 1_000_000_001, 0), "variants[0].price"),
        (priced("GBP", i64::MAX, 0), "variants[0].price"),
        (priced("usd", 1, 0), "variants[0].price"),
        (priced("US$", 1, 0), "variants[0].price"),
        (priced("XXX", 1, 0), "variants[0].price"),
        (priced("JPY", 5, 500_000_000), "variants[0].price"),
        (priced("GBP", 1, 1), "variants[0].price"),
        (none, "variants[0].price"),
        (new(product(""), vec![]), "product.title"),
        (new(product(" \t"), vec![]), "product.title"),
        (new(product("\u{200b}"), vec![]), "product.title"),
        (new(product("\u{301}"), vec![]), "product.title"),
        (new(product("Cup\u{202e}puC"), vec![]), "product.title"),
        (new(product(&"x".repeat(201)), vec![]), "product.title"),
        (new(product("Cup\0"), vec![]), "product.title"),
        (new(product("Cup"), vec![variant("", 1)]), "variants[0].sku"),
        (new(product("Cup"), vec![variant(&"x".repeat(65), 1)]), "variants[0].sku"),
        (new(product("Cup"), vec![variant("a\nb", 1)]), "variants[0].sku"),
        (heavy, "variants[0].weight_grams"),
        (cheap, "variants[0].compare_at_price"),
        (state, "product.state"),
        (twice, "product.attributes"),
        (category, "product.categories"),
        (pb::CreateProductRequest::default(), "product"),
        (pb::CreateProductRequest { request_id: "1".into(), ..new(product("Cup"), vec![]) }, "request_id"),
    ] {
        assert_eq!(field_at_fault(shop.staff().create_product(request.clone()).await), field, "{request:?}");
    }
    let listed = shop
        .staff()
        .list_products(pb::ListProductsRequest { show_unlisted: true, ..Default::default() })
        .await
        .unwrap();
    assert_eq!(listed.into_inner().products, vec![]);
}

#[tokio::test]
async fn yen_have_no_decimals() {
    let shop = Catalog::start().await;
    let made = shop.create(priced("JPY", 500, 0)).await;
    assert_eq!(made.variants[0].price.as_ref().unwrap().units, 500);
}

#[tokio::test]
async fn pages_have_bounds() {
    let shop = Catalog::start().await;
    let list = |page_size, page_token: &str| pb::ListProductsRequest {
        page_size,
        page_token: page_token.into(),
        ..Default::default()
    };
    assert_eq!(field_at_fault(shop.anyone().list_products(list(-1, "")).await), "page_size");
    assert!(shop.anyone().list_products(list(1_000_000, "")).await.is_ok());
    assert_eq!(field_at_fault(shop.anyone().list_products(list(0, "AAAA")).await), "page_token");
    let search = |page_size, order, query: &str| pb::SearchProductsRequest {
        page_size,
        order,
        query: query.into(),
        ..Default::default()
    };
    assert_eq!(field_at_fault(shop.anyone().search_products(search(-1, 0, "")).await), "page_size");
    assert!(shop.anyone().search_products(search(1_000_000, 0, "")).await.is_ok());
    assert_eq!(field_at_fault(shop.anyone().search_products(search(0, 99, "")).await), "order");
    assert_eq!(
        field_at_fault(shop.anyone().search_products(search(0, 0, &"x".repeat(10_000))).await),
        "query"
    );
}

#[tokio::test]
async fn an_update_cannot_change_what_is_fixed() {
    let shop = Catalog::start().await;
    let cup = shop.product("Cup", "C", 1).await;
    for path in ["kind", "name", "variants", "nonsense"] {
        let request = pb::UpdateProductRequest {
            product: Some(cup.clone()),
            update_mask: crate::support::mask(&[path]),
            ..Default::default()
        };
        assert_eq!(field_at_fault(shop.staff().update_product(request).await), "update_mask", "{path}");
    }
    for path in ["sku", "price"] {
        let request = pb::UpdateVariantRequest {
            variant: Some(cup.variants[0].clone()),
            update_mask: crate::support::mask(&[path]),
            ..Default::default()
        };
        assert_eq!(field_at_fault(shop.staff().update_variant(request).await), "update_mask", "{path}");
    }
    let request = pb::UpdateProductRequest {
        product: Some(pb::Product { name: "cups/1".into(), ..cup }),
        ..Default::default()
    };
    assert_eq!(refusal(shop.staff().update_product(request).await).0, Code::InvalidArgument);
}
