//! A catalog under test, and the verbs that fill it.
use catalog::Config;
use chassis::testing::{Client, TestHost};
use contract::Money;
use contract::catalog::v1::catalog_service_client::CatalogServiceClient;
use contract::catalog::v1::{self as pb};
use tonic::{Code, Status};

pub(crate) const STAFF: [&str; 3] = ["product.write", "price.write", "category.write"];

pub(crate) type Calls = CatalogServiceClient<Client>;

/// A catalog that serves, and whoever may call it.
pub(crate) struct Catalog {
    pub(crate) host: TestHost,
    pub(crate) staff: Calls,
    pub(crate) anyone: Calls,
}

impl Catalog {
    pub(crate) async fn start() -> Catalog {
        let host = TestHost::new("catalog").await;
        host.serve(catalog::serve(host.host(), Config::default()));
        let staff = CatalogServiceClient::new(host.as_staff(&STAFF));
        let anyone = CatalogServiceClient::new(host.as_anyone());
        Catalog { host, staff, anyone }
    }

    pub(crate) fn staff(&self) -> Calls {
        self.staff.clone()
    }

    pub(crate) fn anyone(&self) -> Calls {
        self.anyone.clone()
    }

    pub(crate) fn service(&self, noun: &'static str) -> Calls {
        CatalogServiceClient::new(self.host.as_service(noun))
    }

    /// A product on sale with one variant.
    pub(crate) async fn product(&self, title: &str, sku: &str, minor: i64) -> pb::Product {
        self.create(new(product(title), vec![variant(sku, minor)])).await
    }

    pub(crate) async fn create(&self, request: pb::CreateProductRequest) -> pb::Product {
        self.staff().create_product(request).await.expect("a product").into_inner()
    }

    pub(crate) async fn category(&self, title: &str, parent: &str) -> pb::Category {
        self.try_category(title, parent).await.expect("a category")
    }

    pub(crate) async fn try_category(&self, title: &str, parent: &str) -> Result<pb::Category, Status> {
        let category = pb::Category { title: title.into(), parent: parent.into(), ..Default::default() };
        let request = pb::CreateCategoryRequest { category: Some(category), ..Default::default() };
        Ok(self.staff().create_category(request).await?.into_inner())
    }

    pub(crate) async fn variants(&self, calls: &mut Calls, skus: &[&str]) -> Vec<pb::Variant> {
        let skus = skus.iter().map(ToString::to_string).collect();
        let request = pb::BatchGetVariantsRequest { skus, ..Default::default() };
        calls.batch_get_variants(request).await.expect("variants").into_inner().variants
    }
}

pub(crate) fn new(product: pb::Product, variants: Vec<pb::Variant>) -> pb::CreateProductRequest {
    pb::CreateProductRequest { product: Some(product), variants, ..Default::default() }
}

/// A product on sale.
pub(crate) fn product(title: &str) -> pb::Product {
    pb::Product { title: title.into(), state: pb::product::State::Active.into(), ..Default::default() }
}

pub(crate) fn variant(sku: &str, minor: i64) -> pb::Variant {
    pb::Variant { sku: sku.into(), price: Some(gbp(minor)), ..Default::default() }
}

pub(crate) fn gbp(minor: i64) -> Money {
    Money {
        currency_code: "GBP".into(),
        units: minor / 100,
        nanos: i32::try_from(minor % 100).unwrap() * 10_000_000,
    }
}

pub(crate) fn attribute(name: &str, value: &str) -> pb::Attribute {
    pb::Attribute { name: name.into(), value: value.into() }
}

pub(crate) fn mask(paths: &[&str]) -> Option<prost_types::FieldMask> {
    Some(prost_types::FieldMask { paths: paths.iter().map(ToString::to_string).collect() })
}

/// Code and reason of a refusal.
pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, Status>) -> (Code, String) {
    let status = result.expect_err("a refusal");
    (status.code(), chassis::status::reason(&status).unwrap_or_default())
}

pub(crate) fn said(code: Code, reason: &str) -> (Code, String) {
    (code, reason.into())
}

/// The first field a refusal is about.
pub(crate) fn field_at_fault<T: std::fmt::Debug>(result: Result<T, Status>) -> String {
    let status = result.expect_err("a refusal");
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    chassis::status::violations(&status).into_iter().next().map(|(field, _)| field).unwrap_or_default()
}
