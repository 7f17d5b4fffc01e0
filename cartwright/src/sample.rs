//! A few products, ways to send them and a coupon, so that a new shop has something to look at and to buy.
use chassis::config::Settings;
use chassis::{Id, Money};
use contract::catalog::v1::catalog_service_client::CatalogServiceClient;
use contract::catalog::v1::{
    Attribute, BatchCreateProductsRequest, Category, CreateCategoryRequest, CreateProductRequest,
    ListProductsRequest, Product, Variant, product,
};
use contract::inventory::v1::inventory_service_client::InventoryServiceClient;
use contract::inventory::v1::{BatchReceiveStockRequest, ReceiveStockRequest};
use contract::promotion::v1::promotion_service_client::PromotionServiceClient;
use contract::promotion::v1::{Coupon, CreateCouponRequest};
use contract::shipping::v1::shipping_service_client::ShippingServiceClient;
use contract::shipping::v1::{CreateRateRequest, CreateZoneRequest, ListZonesRequest, Rate, Zone};
use tonic::Code;

use crate::operator::Operator;

/// SKU, title, category, material, price in pence, grams, description.
const GOODS: [(&str, &str, &str, &str, i64, i64, &str); 12] = [
    (
        "MUG-STONE",
        "Stoneware mug",
        "Kitchen",
        "Stoneware",
        1_250,
        420,
        "Holds a generous cup, and the heat as long as you hold on to it.",
    ),
    (
        "POT-ENAMEL",
        "Enamel coffee pot",
        "Kitchen",
        "Enamel",
        3_400,
        900,
        "For two litres of coffee on any stove, campfires included.",
    ),
    (
        "BOARD-OAK",
        "Oak chopping board",
        "Kitchen",
        "Oak",
        2_800,
        1_600,
        "End grain that forgives the knife. Oil it once a season.",
    ),
    (
        "TOWEL-LINEN",
        "Linen tea towel",
        "Kitchen",
        "Linen",
        950,
        130,
        "Dries glasses without a trace, and gets softer with every wash.",
    ),
    (
        "LAMP-DESK",
        "Brass desk lamp",
        "Study",
        "Brass",
        8_900,
        2_300,
        "Warm light, two joints, one switch that clicks as it should.",
    ),
    (
        "NOTE-DOT",
        "Dotted notebook",
        "Study",
        "Paper",
        1_450,
        310,
        "Thread-bound, opens flat, 192 pages that fountain pens like.",
    ),
    (
        "PEN-FOUNTAIN",
        "Fountain pen",
        "Study",
        "Brass",
        4_200,
        60,
        "A steel nib that writes at once, after weeks in a drawer.",
    ),
    (
        "CLOCK-WALL",
        "Wall clock",
        "Living",
        "Oak",
        5_600,
        1_100,
        "Silent sweep and numerals that can be read from the other room.",
    ),
    (
        "BLANKET-WOOL",
        "Wool blanket",
        "Living",
        "Wool",
        9_800,
        1_800,
        "Woven from lambswool, large enough for two and a film.",
    ),
    (
        "VASE-GLASS",
        "Recycled glass vase",
        "Living",
        "Glass",
        2_450,
        950,
        "Mouth-blown from bottles; no two are quite alike.",
    ),
    (
        "BASKET-WILLOW",
        "Willow basket",
        "Living",
        "Willow",
        3_900,
        1_200,
        "For logs, laundry or a picnic. The handles hold.",
    ),
    (
        "CANDLE-BEES",
        "Beeswax candle",
        "Living",
        "Beeswax",
        1_150,
        240,
        "Forty hours of light that smells of summer.",
    ),
];
const STOCK: i64 = 40;

/// Fills a shop that has no products, and says how many it made. One that has some is left alone.
pub(crate) async fn fill(settings: &Settings) -> anyhow::Result<usize> {
    let operator = Operator::new(settings)?;
    ways_to_send(&operator).await?;
    welcome_coupon(&operator).await?;
    let mut catalog = CatalogServiceClient::new(operator.channel("catalog")?);
    let any =
        catalog.list_products(ListProductsRequest { page_size: 1, ..Default::default() }).await?.into_inner();
    if !any.products.is_empty() {
        return Ok(0);
    }
    let mut categories = std::collections::HashMap::new();
    for (position, title) in ["Kitchen", "Study", "Living"].into_iter().enumerate() {
        let category =
            Category { title: title.into(), position: i32::try_from(position)?, ..Category::default() };
        let request = CreateCategoryRequest { category: Some(category), request_id: request_id(title) };
        categories.insert(title, catalog.create_category(operator.ask(request)).await?.into_inner().name);
    }
    let requests = GOODS
        .iter()
        .map(|(sku, title, category, material, pence, grams, description)| {
            Ok(CreateProductRequest {
                product: Some(Product {
                    title: (*title).into(),
                    description: (*description).into(),
                    state: product::State::Active.into(),
                    kind: product::Kind::Goods.into(),
                    categories: vec![categories[category].clone()],
                    attributes: vec![Attribute { name: "Material".into(), value: (*material).into() }],
                    ..Product::default()
                }),
                variants: vec![Variant {
                    sku: (*sku).into(),
                    price: Some(pounds(*pence)?),
                    weight_grams: *grams,
                    ..Variant::default()
                }],
                request_id: String::new(),
            })
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let request = BatchCreateProductsRequest { requests, request_id: request_id("products") };
    let made = catalog.batch_create_products(operator.ask(request)).await?.into_inner();
    if let Some(error) = made.errors.first() {
        anyhow::bail!("a sample product could not be made: {}", error.message);
    }
    let receive = |sku: &str| ReceiveStockRequest {
        sku: sku.into(),
        quantity: STOCK,
        reason: "first delivery".into(),
        ..ReceiveStockRequest::default()
    };
    let request = BatchReceiveStockRequest {
        requests: GOODS.iter().map(|(sku, ..)| receive(sku)).collect(),
        request_id: request_id("stock"),
    };
    InventoryServiceClient::new(operator.channel("inventory")?)
        .batch_receive_stock(operator.ask(request))
        .await?;
    Ok(GOODS.len())
}

async fn ways_to_send(operator: &Operator) -> anyhow::Result<()> {
    let mut shipping = ShippingServiceClient::new(operator.channel("shipping")?);
    if !shipping.list_zones(ListZonesRequest::default()).await?.into_inner().zones.is_empty() {
        return Ok(());
    }
    for (title, countries, standard, express) in
        [("United Kingdom", "GB", 395, 795), ("Everywhere else", "*", 1_295, 2_495)]
    {
        let zone = Zone { title: title.into(), country_codes: vec![countries.into()], ..Zone::default() };
        let request = CreateZoneRequest { zone: Some(zone), request_id: request_id(title) };
        let zone = shipping.create_zone(operator.ask(request)).await?.into_inner();
        for (way, pence, days) in [("Standard", standard, (3, 5)), ("Express", express, (1, 2))] {
            let rate = Rate {
                title: way.into(),
                carrier: "Cartwright Post".into(),
                base_price: Some(pounds(pence)?),
                free_from: if way == "Standard" { Some(pounds(10_000)?) } else { None },
                days_min: days.0,
                days_max: days.1,
                ..Rate::default()
            };
            let request = CreateRateRequest {
                parent: zone.name.clone(),
                rate: Some(rate),
                request_id: request_id(&format!("{title} {way}")),
            };
            shipping.create_rate(operator.ask(request)).await?;
        }
    }
    Ok(())
}

async fn welcome_coupon(operator: &Operator) -> anyhow::Result<()> {
    let coupon = Coupon {
        code: "WELCOME10".into(),
        title: "Ten percent for newcomers".into(),
        percent_off_basis_points: 1_000,
        redemption_limit_per_customer: 1,
        ..Coupon::default()
    };
    let request = CreateCouponRequest { coupon: Some(coupon), request_id: request_id("WELCOME10") };
    let made = PromotionServiceClient::new(operator.channel("promotion")?)
        .create_coupon(operator.ask(request))
        .await;
    match made {
        Err(refusal) if refusal.code() != Code::AlreadyExists => Err(refusal.into()),
        _ => Ok(()),
    }
}

fn pounds(pence: i64) -> anyhow::Result<contract::Money> {
    Ok(Money::new(pence, "GBP".parse()?).into())
}

/// The same id for the same thing: filling twice makes nothing twice.
fn request_id(what: &str) -> String {
    Id::<Coupon>::derived(&["sample", what]).to_string()
}
