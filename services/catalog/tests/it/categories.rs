//! The tree of categories.
use contract::catalog::v1 as pb;
use tonic::Code;

use crate::support::{Catalog, mask, new, product, refusal, said, variant};

fn relocate(name: &str, parent: &str) -> pb::MoveCategoryRequest {
    pb::MoveCategoryRequest { name: name.into(), parent: parent.into(), ..Default::default() }
}

async fn below(shop: &Catalog, ancestor: &str) -> Vec<String> {
    let request = pb::ListCategoriesRequest { ancestor: ancestor.into(), ..Default::default() };
    let listed = shop.anyone().list_categories(request).await.unwrap().into_inner();
    listed.categories.into_iter().map(|category| category.title).collect()
}

async fn products_in(shop: &Catalog, category: &str) -> usize {
    let request = pb::ListProductsRequest { category: category.into(), ..Default::default() };
    shop.anyone().list_products(request).await.unwrap().into_inner().products.len()
}

#[tokio::test]
async fn a_subtree_moves_with_its_products() {
    let shop = Catalog::start().await;
    let home = shop.category("Home", "").await;
    let kitchen = shop.category("Kitchen", &home.name).await;
    let cups = shop.category("Cups", &kitchen.name).await;
    let garden = shop.category("Garden", "").await;
    assert_eq!(cups.ancestors, [home.name.clone(), kitchen.name.clone()]);
    shop.create(new(
        pb::Product { categories: vec![cups.name.clone()], ..product("Cup") },
        vec![variant("C", 1)],
    ))
    .await;
    assert_eq!((products_in(&shop, &home.name).await, products_in(&shop, &garden.name).await), (1, 0));
    let moved = shop.staff().move_category(relocate(&kitchen.name, &garden.name)).await.unwrap().into_inner();
    assert_eq!((moved.parent.as_str(), moved.ancestors), (garden.name.as_str(), vec![garden.name.clone()]));
    assert_eq!((products_in(&shop, &home.name).await, products_in(&shop, &garden.name).await), (0, 1));
    let read =
        shop.anyone().get_category(pb::GetCategoryRequest { name: cups.name }).await.unwrap().into_inner();
    assert_eq!(read.ancestors, [garden.name.clone(), kitchen.name.clone()]);
    assert_eq!(below(&shop, &garden.name).await, ["Kitchen", "Cups"]);
    assert_eq!(below(&shop, &home.name).await, Vec::<String>::new());
    let top = shop.staff().move_category(relocate(&kitchen.name, "")).await.unwrap().into_inner();
    assert_eq!((top.parent.as_str(), top.ancestors.len()), ("", 0));
}

#[tokio::test]
async fn the_tree_stays_a_tree_of_eight_levels() {
    let shop = Catalog::start().await;
    let mut chain = vec![shop.category("1", "").await];
    for level in 2..=8 {
        chain.push(shop.category(&level.to_string(), &chain[level - 2].name).await);
    }
    assert_eq!(
        refusal(shop.try_category("9", &chain[7].name).await),
        said(Code::FailedPrecondition, "CATEGORY_TOO_DEEP")
    );
    let cycle = shop.staff().move_category(relocate(&chain[1].name, &chain[4].name)).await;
    assert_eq!(refusal(cycle), said(Code::FailedPrecondition, "CATEGORY_CYCLE"));
    let itself = shop.staff().move_category(relocate(&chain[1].name, &chain[1].name)).await;
    assert_eq!(refusal(itself), said(Code::FailedPrecondition, "CATEGORY_CYCLE"));
    let other = shop.category("other", "").await;
    shop.category("below", &other.name).await;
    let deep = shop.staff().move_category(relocate(&other.name, &chain[6].name)).await;
    assert_eq!(refusal(deep), said(Code::FailedPrecondition, "CATEGORY_TOO_DEEP"));
    shop.staff().move_category(relocate(&other.name, &chain[5].name)).await.unwrap();
}

#[tokio::test]
async fn two_moves_at_once_close_no_circle() {
    let shop = Catalog::start().await;
    let (one, other) = (shop.category("One", "").await.name, shop.category("Other", "").await.name);
    let (mut first, mut second) = (shop.staff(), shop.staff());
    let (there, back) = tokio::join!(
        first.move_category(relocate(&one, &other)),
        second.move_category(relocate(&other, &one))
    );
    assert!(there.is_ok() != back.is_ok());
}

#[tokio::test]
async fn a_category_in_use_cannot_be_deleted() {
    let shop = Catalog::start().await;
    let home = shop.category("Home", "").await;
    let cups = shop.category("Cups", &home.name).await;
    let made =
        shop.create(new(pb::Product { categories: vec![cups.name.clone()], ..product("Cup") }, vec![])).await;
    let delete = |name: &str| pb::DeleteCategoryRequest { name: name.into(), ..Default::default() };
    for name in [&home.name, &cups.name] {
        assert_eq!(
            refusal(shop.staff().delete_category(delete(name)).await),
            said(Code::FailedPrecondition, "CATEGORY_IN_USE")
        );
    }
    let sent = pb::Product { name: made.name, ..Default::default() };
    let request = pb::UpdateProductRequest {
        product: Some(sent),
        update_mask: mask(&["categories"]),
        ..Default::default()
    };
    shop.staff().update_product(request).await.unwrap();
    for name in [&cups.name, &home.name] {
        shop.staff().delete_category(delete(name)).await.unwrap();
    }
    assert_eq!(
        refusal(shop.staff().delete_category(delete(&home.name)).await),
        said(Code::NotFound, "CATEGORY_NOT_FOUND")
    );
}

#[tokio::test]
async fn siblings_are_listed_by_position_page_by_page() {
    let shop = Catalog::start().await;
    let home = shop.category("Home", "").await;
    for (title, position) in [("B", 2), ("A", 1), ("C", 3)] {
        let category = shop.category(title, &home.name).await;
        let sent = pb::Category { name: category.name, position, ..Default::default() };
        let request = pb::UpdateCategoryRequest {
            category: Some(sent),
            update_mask: mask(&["position"]),
            ..Default::default()
        };
        assert_eq!(shop.staff().update_category(request).await.unwrap().into_inner().title, title);
    }
    let (mut seen, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListCategoriesRequest { page_size: 1, page_token, ..Default::default() };
        let page = shop.anyone().list_categories(request).await.unwrap().into_inner();
        seen.extend(page.categories.into_iter().map(|category| category.title));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["Home", "A", "B", "C"]);
}
