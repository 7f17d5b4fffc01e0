//! Variants: added, changed, archived, and read by those who sell.
use contract::catalog::v1::{self as pb, variant::State};
use tonic::Code;
use uuid::Uuid;

use crate::support::{Catalog, field_at_fault, gbp, mask, new, product, refusal, said, variant};

fn create(parent: &str, variant: pb::Variant) -> pb::CreateVariantRequest {
    pb::CreateVariantRequest { parent: parent.into(), variant: Some(variant), ..Default::default() }
}

#[tokio::test]
async fn a_sku_names_one_variant_for_ever() {
    let shop = Catalog::start().await;
    let cup = shop.product("Cup", "C", 100).await;
    let mug = shop.product("Mug", "c", 100).await;
    assert_eq!(
        refusal(shop.staff().create_variant(create(&mug.name, variant("C", 1))).await),
        said(Code::AlreadyExists, "SKU_TAKEN")
    );
    let name = cup.variants[0].name.clone();
    shop.staff().delete_variant(pb::DeleteVariantRequest { name, ..Default::default() }).await.unwrap();
    assert_eq!(
        refusal(shop.staff().create_variant(create(&mug.name, variant("C", 1))).await),
        said(Code::AlreadyExists, "SKU_TAKEN")
    );
    let taken = shop.staff().create_product(new(product("Glass"), vec![variant("C", 1)])).await;
    assert_eq!(refusal(taken), said(Code::AlreadyExists, "SKU_TAKEN"));
}

#[tokio::test]
async fn variants_are_read_by_name_and_by_sku_each_once() {
    let shop = Catalog::start().await;
    let cup = shop.product("Cup", "C", 100).await;
    let service = shop
        .create(new(
            pb::Product { kind: pb::product::Kind::Service.into(), ..product("Post") },
            vec![variant("POST & packing", 250)],
        ))
        .await;
    let elsewhere = cup.variants[0].name.replace(&cup.name, &service.name);
    let request = pb::BatchGetVariantsRequest {
        names: vec![
            cup.variants[0].name.clone(),
            elsewhere,
            "products/x/variants/y".into(),
            cup.variants[0].name.clone(),
        ],
        skus: vec!["POST & packing".into(), "C".into(), "absent".into(), "post & packing".into()],
    };
    for mut calls in [shop.anyone(), shop.service("order"), shop.service("cart"), shop.anyone()] {
        let mut found = calls.batch_get_variants(request.clone()).await.unwrap().into_inner().variants;
        found.sort_by(|one, other| one.sku.cmp(&other.sku));
        assert_eq!(found, [cup.variants[0].clone(), service.variants[0].clone()]);
        assert_eq!((found[0].stocked, found[1].stocked), (true, false));
    }
}

#[tokio::test]
async fn nobody_is_shown_a_variant_as_it_was() {
    let shop = Catalog::start().await;
    let cup = shop.product("Cup", "C", 100).await;
    let name = cup.variants[0].name.clone();
    assert_eq!(shop.variants(&mut shop.anyone(), &["C"]).await[0].state(), State::Active);
    let sent =
        pb::Variant { name: name.clone(), title: "Large".into(), weight_grams: 5, ..Default::default() };
    let request = pb::UpdateVariantRequest {
        variant: Some(sent),
        update_mask: mask(&["title", "weight_grams"]),
        ..Default::default()
    };
    let updated = shop.staff().update_variant(request).await.unwrap().into_inner();
    assert_eq!(
        (updated.title.as_str(), updated.weight_grams, updated.price.clone()),
        ("Large", 5, Some(gbp(100)))
    );
    assert_eq!(shop.variants(&mut shop.anyone(), &["C"]).await, std::slice::from_ref(&updated));
    assert_eq!(
        shop.anyone().get_variant(pb::GetVariantRequest { name: name.clone() }).await.unwrap().into_inner(),
        updated
    );
    let renamed = pb::Product { name: cup.name.clone(), title: "Mug".into(), ..Default::default() };
    shop.staff()
        .update_product(pb::UpdateProductRequest { product: Some(renamed), ..Default::default() })
        .await
        .unwrap();
    assert_eq!(shop.variants(&mut shop.anyone(), &["C"]).await[0].product_title, "Mug");
    for _ in 0..2 {
        shop.staff()
            .delete_variant(pb::DeleteVariantRequest { name: name.clone(), ..Default::default() })
            .await
            .unwrap();
    }
    assert_eq!(shop.variants(&mut shop.anyone(), &["C"]).await[0].state(), State::Archived);
}

#[tokio::test]
async fn a_new_variant_joins_its_product() {
    let shop = Catalog::start().await;
    let cup = shop.product("Cup", "C", 100).await;
    let get = pb::GetProductRequest { name: cup.name.clone() };
    shop.anyone().get_product(get.clone()).await.unwrap();
    let made = shop.staff().create_variant(create(&cup.name, variant("C2", 200))).await.unwrap().into_inner();
    let read = shop.anyone().get_product(get).await.unwrap().into_inner();
    assert_eq!(read.variants, [cup.variants[0].clone(), made]);
    let unfit = pb::Variant { option_values: vec!["L".into()], ..variant("C3", 1) };
    assert_eq!(
        field_at_fault(shop.staff().create_variant(create(&cup.name, unfit)).await),
        "variant.option_values"
    );
    let nowhere = create(&format!("products/{}", Uuid::now_v7()), variant("C4", 1));
    assert_eq!(
        refusal(shop.staff().create_variant(nowhere).await),
        said(Code::NotFound, "PRODUCT_NOT_FOUND")
    );
}
