//! Many products at once.
use contract::catalog::v1 as pb;
use tonic::Code;
use uuid::Uuid;

use crate::support::{Catalog, gbp, new, product, refusal, variant};

fn batch(requests: Vec<pb::CreateProductRequest>) -> pb::BatchCreateProductsRequest {
    pb::BatchCreateProductsRequest { requests, ..Default::default() }
}

#[tokio::test]
async fn each_row_stands_alone() {
    let shop = Catalog::start().await;
    shop.product("Old", "TAKEN", 100).await;
    let absent = format!("categories/{}", Uuid::now_v7());
    let rows = vec![
        new(product("Good"), vec![variant("A", 100), variant("B", 100)]),
        new(product("Its SKU is taken"), vec![variant("C", 100), variant("TAKEN", 100)]),
        new(product(" "), vec![variant("D", 100)]),
        new(product("Its SKU is in the batch"), vec![variant("A", 100)]),
        new(product("Negative"), vec![variant("E", -1)]),
        new(pb::Product { categories: vec![absent], ..product("Nowhere") }, vec![variant("F", 100)]),
        new(product("Twice"), vec![variant("G", 100), variant("G", 100)]),
        pb::CreateProductRequest::default(),
        new(product(&"x".repeat(201)), vec![]),
        new(product("Case matters"), vec![variant("a", 100), variant("taken", 100)]),
        // The SKU of a refused row is free for another.
        new(product("Good, too"), vec![variant("C", 100)]),
    ];
    let done = shop.staff().batch_create_products(batch(rows)).await.unwrap().into_inner();
    let made: Vec<_> = done.products.iter().map(|product| product.title.as_str()).collect();
    assert_eq!(made[..2], ["Good", "Case matters"]);
    let errors: Vec<_> =
        done.errors.iter().map(|error| (error.index, error.reason.as_str(), error.field.as_str())).collect();
    assert_eq!(
        errors[..8],
        [
            (1, "SKU_TAKEN", ""),
            (2, "INVALID_FIELD", "product.title"),
            (3, "SKU_TAKEN", ""),
            (4, "INVALID_FIELD", "variants[0].price"),
            (5, "CATEGORY_NOT_FOUND", ""),
            (6, "INVALID_FIELD", "variants[1].sku"),
            (7, "INVALID_FIELD", "product"),
            (8, "INVALID_FIELD", "product.title"),
        ]
    );
    assert_eq!(made.len() + errors.len(), 11);
    for product in done.products {
        let read =
            shop.anyone().get_product(pb::GetProductRequest { name: product.name.clone() }).await.unwrap();
        assert_eq!(read.into_inner(), product);
    }
    let kept = shop.variants(&mut shop.staff(), &["D", "E", "F", "G"]).await;
    assert_eq!(kept, vec![], "a refused row leaves nothing behind");
}

#[tokio::test]
async fn five_hundred_products_are_made_at_once_and_once() {
    let shop = Catalog::start().await;
    let rows = (0..500)
        .map(|row| new(product(&format!("Product {row}")), vec![variant(&format!("SKU-{row}"), row)]));
    let request =
        pb::BatchCreateProductsRequest { request_id: Uuid::now_v7().to_string(), ..batch(rows.collect()) };
    let first = shop.staff().batch_create_products(request.clone()).await.unwrap().into_inner();
    assert_eq!((first.products.len(), first.errors.len()), (500, 0));
    assert_eq!(shop.staff().batch_create_products(request.clone()).await.unwrap().into_inner(), first);
    let again = shop.staff().batch_create_products(batch(request.requests)).await.unwrap().into_inner();
    assert_eq!((again.products.len(), again.errors.len()), (0, 500));
    let skus: Vec<String> = (0..500).map(|row| format!("SKU-{row}")).collect();
    let request = pb::BatchGetVariantsRequest { skus, ..Default::default() };
    let variants = shop.anyone().batch_get_variants(request).await.unwrap().into_inner().variants;
    assert_eq!(variants.len(), 500);
    assert!(variants.iter().any(|variant| variant.sku == "SKU-499" && variant.price == Some(gbp(499))));
}

#[tokio::test]
async fn two_batches_at_once_share_out_the_skus() {
    let shop = Catalog::start().await;
    let rows: Vec<_> = (0..20).map(|row| new(product("P"), vec![variant(&format!("S{row}"), 1)])).collect();
    let batches = (0..4).map(|_| {
        let (mut staff, request) = (shop.staff(), batch(rows.clone()));
        async move { staff.batch_create_products(request).await.unwrap().into_inner() }
    });
    let done = futures::future::join_all(batches).await;
    assert_eq!(done.iter().map(|done| done.products.len()).sum::<usize>(), 20);
    assert!(done.iter().flat_map(|done| &done.errors).all(|error| error.reason == "SKU_TAKEN"));
}

#[tokio::test]
async fn a_batch_has_bounds() {
    let shop = Catalog::start().await;
    for rows in [0, 501] {
        let request = batch(vec![new(product("P"), vec![]); rows]);
        assert_eq!(refusal(shop.staff().batch_create_products(request).await).0, Code::InvalidArgument);
    }
}
