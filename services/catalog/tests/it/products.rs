//! Products: made, read, changed, archived.
use contract::catalog::v1::{self as pb, product::State};
use tonic::Code;
use uuid::Uuid;

use crate::support::{Catalog, attribute, gbp, mask, new, product, refusal, said, variant};

fn get(name: &str) -> pb::GetProductRequest {
    pb::GetProductRequest { name: name.into() }
}

fn update(product: pb::Product, paths: &[&str]) -> pb::UpdateProductRequest {
    pb::UpdateProductRequest { product: Some(product), update_mask: mask(paths), ..Default::default() }
}

#[tokio::test]
async fn a_product_is_read_as_it_was_made() {
    let shop = Catalog::start().await;
    let category = shop.category("Cups", "").await;
    let size = pb::Option { name: "Size".into(), values: vec!["S".into(), "L".into()] };
    let wanted = pb::Product {
        description: "For tea.".into(),
        categories: vec![category.name],
        options: vec![size],
        attributes: vec![attribute("Material", "Clay")],
        ..product("Cup")
    };
    let large = pb::Variant {
        option_values: vec!["L".into()],
        weight_grams: 300,
        compare_at_price: Some(gbp(600)),
        ..variant("CUP L", 500)
    };
    let small = pb::Variant { option_values: vec!["S".into()], ..variant("CUP S", 0) };
    let made = shop.create(new(wanted.clone(), vec![large.clone(), small])).await;
    let read = shop.anyone().get_product(get(&made.name)).await.unwrap().into_inner();
    assert_eq!(read, made);
    assert_eq!(
        (read.title, read.description, read.categories, read.options, read.attributes),
        (wanted.title, wanted.description, wanted.categories, wanted.options, wanted.attributes)
    );
    let first = &read.variants[0];
    assert_eq!(
        (first.sku.as_str(), first.price.clone(), first.compare_at_price.clone()),
        ("CUP L", Some(gbp(500)), Some(gbp(600)))
    );
    assert_eq!((first.product_title.as_str(), first.stocked, first.price_version), ("Cup", true, 1));
    assert_eq!(read.variants[1].price, Some(gbp(0)));
}

#[tokio::test]
async fn a_draft_is_seen_by_staff_only() {
    let shop = Catalog::start().await;
    let draft = shop
        .create(new(pb::Product { title: "Secret".into(), ..Default::default() }, vec![variant("S", 1)]))
        .await;
    assert_eq!(draft.state(), State::Draft);
    assert!(shop.staff().get_product(get(&draft.name)).await.is_ok());
    let absent = format!("products/{}", Uuid::now_v7());
    for name in [&draft.name, &absent] {
        let refused = shop.anyone().get_product(get(name)).await.unwrap_err();
        assert_eq!(
            (refused.code(), refused.message().replace(name.as_str(), "X")),
            (Code::NotFound, "there is no product X".into())
        );
    }
    assert_eq!(shop.variants(&mut shop.anyone(), &["S"]).await, vec![]);
    assert_eq!(shop.variants(&mut shop.staff(), &["S"]).await.len(), 1);
    let name = draft.variants[0].name.clone();
    assert_eq!(
        shop.anyone().get_variant(pb::GetVariantRequest { name }).await.unwrap_err().code(),
        Code::NotFound
    );
    let names = vec![draft.name.clone()];
    let found =
        shop.anyone().batch_get_products(pb::BatchGetProductsRequest { names: names.clone() }).await.unwrap();
    assert_eq!(found.into_inner().products, vec![]);
    assert_eq!(
        shop.staff()
            .batch_get_products(pb::BatchGetProductsRequest { names })
            .await
            .unwrap()
            .into_inner()
            .products
            .len(),
        1
    );
    let listed = |show_unlisted| pb::ListProductsRequest { show_unlisted, ..Default::default() };
    assert_eq!(shop.anyone().list_products(listed(false)).await.unwrap().into_inner().products, vec![]);
    assert_eq!(refusal(shop.anyone().list_products(listed(true)).await).0, Code::PermissionDenied);
    assert_eq!(shop.staff().list_products(listed(true)).await.unwrap().into_inner().products.len(), 1);
}

#[tokio::test]
async fn an_update_changes_what_the_mask_names() {
    let shop = Catalog::start().await;
    let made = shop.product("Cup", "C", 100).await;
    let sent = pb::Product { name: made.name.clone(), description: "New".into(), ..Default::default() };
    let updated = shop.staff().update_product(update(sent, &["description"])).await.unwrap().into_inner();
    assert_eq!((updated.title.as_str(), updated.description.as_str()), ("Cup", "New"));
    assert_ne!(updated.etag, made.etag);
    let read = shop.anyone().get_product(get(&made.name)).await.unwrap().into_inner();
    assert_eq!(read, updated, "what was kept at hand is forgotten");
    let sent = pb::Product { name: made.name.clone(), ..Default::default() };
    let updated = shop.staff().update_product(update(sent, &["description"])).await.unwrap().into_inner();
    assert_eq!(updated.description, "", "a named field that is empty is emptied");
    let sent = pb::Product { name: made.name, title: "Mug".into(), ..Default::default() };
    let request = pb::UpdateProductRequest { product: Some(sent), ..Default::default() };
    let updated = shop.staff().update_product(request).await.unwrap().into_inner();
    assert_eq!(
        (updated.title.as_str(), updated.state()),
        ("Mug", State::Active),
        "without a mask, what is set changes"
    );
}

#[tokio::test]
async fn a_stale_etag_overwrites_nothing() {
    let shop = Catalog::start().await;
    let made = shop.product("Cup", "C", 100).await;
    let change = |title: &str| update(pb::Product { title: title.into(), ..made.clone() }, &["title"]);
    shop.staff().update_product(change("Mug")).await.unwrap();
    assert_eq!(
        refusal(shop.staff().update_product(change("Glass")).await),
        said(Code::Aborted, "PRODUCT_CHANGED")
    );
    assert_eq!(shop.anyone().get_product(get(&made.name)).await.unwrap().into_inner().title, "Mug");
}

#[tokio::test]
async fn of_two_who_edit_at_once_one_is_told() {
    let shop = Catalog::start().await;
    let made = shop.product("Cup", "C", 100).await;
    let edits = (0..8).map(|editor| {
        let (mut staff, made) = (shop.staff(), made.clone());
        async move {
            staff.update_product(update(pb::Product { title: format!("{editor}"), ..made }, &["title"])).await
        }
    });
    let results = futures::future::join_all(edits).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert!(results.into_iter().filter_map(Result::err).all(|refused| refused.code() == Code::Aborted));
}

#[tokio::test]
async fn an_archived_product_is_kept_but_no_longer_listed() {
    let shop = Catalog::start().await;
    let made = shop.product("Cup", "C", 100).await;
    let delete = pb::DeleteProductRequest { name: made.name.clone(), ..Default::default() };
    for _ in 0..2 {
        shop.staff().delete_product(delete.clone()).await.unwrap();
    }
    assert_eq!(
        shop.anyone().get_product(get(&made.name)).await.unwrap().into_inner().state(),
        State::Archived
    );
    assert_eq!(
        shop.anyone().list_products(pb::ListProductsRequest::default()).await.unwrap().into_inner().products,
        vec![]
    );
    let variant = &shop.variants(&mut shop.service("order"), &["C"]).await[0];
    assert_eq!(variant.product_state(), State::Archived);
    let absent =
        pb::DeleteProductRequest { name: format!("products/{}", Uuid::now_v7()), ..Default::default() };
    assert_eq!(refusal(shop.staff().delete_product(absent).await), said(Code::NotFound, "PRODUCT_NOT_FOUND"));
}

#[tokio::test]
async fn options_cannot_leave_a_variant_behind() {
    let shop = Catalog::start().await;
    let made = shop.product("Cup", "C", 100).await;
    let options = vec![pb::Option { name: "Size".into(), values: vec!["L".into()] }];
    let sent = pb::Product { name: made.name, options, ..Default::default() };
    assert_eq!(
        refusal(shop.staff().update_product(update(sent, &["options"])).await),
        said(Code::FailedPrecondition, "OPTIONS_IN_USE")
    );
}

#[tokio::test]
async fn a_repeated_request_makes_one_product() {
    let shop = Catalog::start().await;
    let request = pb::CreateProductRequest {
        request_id: Uuid::now_v7().to_string(),
        ..new(product("Cup"), vec![variant("C", 100)])
    };
    let first = shop.create(request.clone()).await;
    assert_eq!(shop.create(request.clone()).await, first);
    let other = pb::CreateProductRequest { product: Some(product("Mug")), ..request };
    assert_eq!(
        refusal(shop.staff().create_product(other).await),
        said(Code::AlreadyExists, "REQUEST_ID_REUSED")
    );
}

#[tokio::test]
async fn pages_go_through_all_products_once_newest_first() {
    let shop = Catalog::start().await;
    let mut made = Vec::new();
    for index in 0..5 {
        made.push(shop.product(&format!("P{index}"), &format!("S{index}"), 100).await.name);
    }
    made.reverse();
    let (mut seen, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListProductsRequest { page_size: 2, page_token, ..Default::default() };
        let page = shop.anyone().list_products(request).await.unwrap().into_inner();
        seen.extend(page.products.into_iter().map(|product| product.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, made);
}

#[tokio::test]
async fn customers_change_nothing() {
    let shop = Catalog::start().await;
    let mut customer = contract::catalog::v1::catalog_service_client::CatalogServiceClient::new(
        shop.host.as_customer("users/1"),
    );
    let request = new(product("Cup"), vec![]);
    assert_eq!(refusal(customer.create_product(request.clone()).await).0, Code::PermissionDenied);
    assert_eq!(refusal(shop.anyone().create_product(request).await).0, Code::Unauthenticated);
}

#[tokio::test]
async fn a_page_of_long_descriptions_is_shorter_but_leaves_nothing_out() {
    let shop = Catalog::start().await;
    let long =
        |index: usize| pb::Product { description: "茶".repeat(10_000), ..product(&format!("P{index}")) };
    for part in 0..5 {
        let requests = (0..30).map(|row| new(long(part * 30 + row), vec![])).collect();
        let request = pb::BatchCreateProductsRequest { requests, ..Default::default() };
        assert_eq!(shop.staff().batch_create_products(request).await.unwrap().into_inner().errors, vec![]);
    }
    let (mut seen, mut pages, mut page_token) = (std::collections::BTreeSet::new(), 0, String::new());
    loop {
        let request = pb::ListProductsRequest { page_size: 1000, page_token, ..Default::default() };
        let page = shop.anyone().list_products(request).await.unwrap().into_inner();
        seen.extend(page.products.into_iter().map(|product| product.name));
        (page_token, pages) = (page.next_page_token, pages + 1);
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!((seen.len(), pages), (150, 2));
}
