//! Pictures of products.
use contract::catalog::v1 as pb;
use tonic::Code;
use uuid::Uuid;

use crate::support::{Catalog, field_at_fault, refusal, said};

fn png(width: u32, height: u32) -> Vec<u8> {
    [b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", &width.to_be_bytes()[..], &height.to_be_bytes(), b"\x08\x06\0\0\0"]
        .concat()
}

fn upload(parent: &str, content: &[u8]) -> pb::UploadImageRequest {
    pb::UploadImageRequest {
        parent: parent.into(),
        content: content.into(),
        alt_text: "A cup".into(),
        ..Default::default()
    }
}

fn get(name: &str) -> pb::GetImageRequest {
    pb::GetImageRequest { name: name.into() }
}

#[tokio::test]
async fn a_picture_is_kept_shown_and_forgotten() {
    let shop = Catalog::start().await;
    let cup = shop.product("Cup", "C", 100).await;
    let content = png(40, 30);
    let image = shop.staff().upload_image(upload(&cup.name, &content)).await.unwrap().into_inner();
    assert_eq!((image.content_type.as_str(), image.alt_text.as_str()), ("image/png", "A cup"));
    assert_eq!((image.size_bytes, image.uri.clone()), (29, format!("/media/{}", image.name)));
    let second = shop.staff().upload_image(upload(&cup.name, &png(1, 1))).await.unwrap().into_inner();
    let shown = shop.anyone().get_image(get(&image.name)).await.unwrap().into_inner();
    assert_eq!((shown.image, shown.content), (Some(image.clone()), content));
    let product = || async {
        shop.anyone()
            .get_product(pb::GetProductRequest { name: cup.name.clone() })
            .await
            .unwrap()
            .into_inner()
    };
    assert_eq!(product().await.images, [image.name.clone(), second.name.clone()]);
    assert_eq!(shop.variants(&mut shop.anyone(), &["C"]).await[0].image, image.name);
    let delete = pb::DeleteImageRequest { name: image.name.clone(), ..Default::default() };
    shop.staff().delete_image(delete.clone()).await.unwrap();
    assert_eq!(product().await.images, std::slice::from_ref(&second.name));
    assert_eq!(shop.variants(&mut shop.anyone(), &["C"]).await[0].image, second.name);
    for refused in [
        refusal(shop.anyone().get_image(get(&image.name)).await),
        refusal(shop.staff().delete_image(delete).await),
    ] {
        assert_eq!(refused, said(Code::NotFound, "IMAGE_NOT_FOUND"));
    }
}

#[tokio::test]
async fn a_repeated_upload_is_one_picture() {
    let shop = Catalog::start().await;
    let cup = shop.product("Cup", "C", 100).await;
    let request =
        pb::UploadImageRequest { request_id: Uuid::now_v7().to_string(), ..upload(&cup.name, &png(1, 1)) };
    let first = shop.staff().upload_image(request.clone()).await.unwrap().into_inner();
    assert_eq!(shop.staff().upload_image(request.clone()).await.unwrap().into_inner(), first);
    let other = pb::UploadImageRequest { content: png(2, 2), ..request };
    assert_eq!(refusal(shop.staff().upload_image(other).await).0, Code::AlreadyExists);
    assert_eq!(shop.anyone().get_image(get(&first.name)).await.unwrap().into_inner().content, png(1, 1));
}

#[tokio::test]
async fn only_pictures_of_a_decent_size_are_kept() {
    let shop = Catalog::start().await;
    let cup = shop.product("Cup", "C", 100).await;
    for content in [
        &b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>"[..],
        b"<!DOCTYPE html><html></html>",
        b"",
        &png(30_000, 30_000),
        &png(0, 10),
        &[0; 1_048_577],
    ] {
        assert_eq!(field_at_fault(shop.staff().upload_image(upload(&cup.name, content)).await), "content");
    }
    let nowhere = upload(&format!("products/{}", Uuid::now_v7()), &png(1, 1));
    assert_eq!(refusal(shop.staff().upload_image(nowhere).await), said(Code::NotFound, "PRODUCT_NOT_FOUND"));
    assert_eq!(
        refusal(shop.anyone().upload_image(upload(&cup.name, &png(1, 1))).await).0,
        Code::Unauthenticated
    );
}

#[tokio::test]
async fn a_name_leads_to_no_other_file() {
    let shop = Catalog::start().await;
    let cup = shop.product("Cup", "C", 100).await;
    for file in ["../../etc/passwd", "a/b.png", "a.png\0.svg", ".", &"x".repeat(300), ""] {
        let name = format!("{}/images/{file}", cup.name);
        assert_eq!(field_at_fault(shop.anyone().get_image(get(&name)).await), "name", "{file}");
    }
}
