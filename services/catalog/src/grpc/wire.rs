//! Between the wire and the domain, in both directions.
use chassis::id::Id;
use chassis::money::Money;
use chassis::wire;
use contract::catalog::v1 as pb;
use contract::validate::Input;
use prost::Message;
use prost_types::FieldMask;
use tonic::Status;

use crate::domain::product::{self, Attribute, Choice, Kind, NewProduct};
use crate::domain::variant::{self, NewVariant, Offer};
use crate::domain::{Category, Fault, Image, Price, Product, image, price};
use crate::error::Error;

/// Clients take answers of four MiB unless they say otherwise.
const ANSWER_BYTES_MAX: usize = 3 * 1024 * 1024;

pub(super) fn product_id(field: &str, name: &str) -> Result<Id<Product>, Status> {
    wire::name(field, name)
}

pub(super) fn category_id(field: &str, name: &str) -> Result<Id<Category>, Status> {
    wire::name(field, name)
}

/// A category that may be left out.
pub(super) fn optional_category(field: &str, name: &str) -> Result<Option<Id<Category>>, Status> {
    if name.is_empty() { Ok(None) } else { category_id(field, name).map(Some) }
}

pub(super) fn variant_name(field: &str, name: &str) -> Result<variant::Name, Status> {
    variant::Name::parse(name)
        .ok_or_else(|| chassis::status::invalid(field, "must be a name like products/{uuid}/variants/{uuid}"))
}

pub(super) fn image_name(field: &str, name: &str) -> Result<image::Name, Status> {
    image::Name::parse(name)
        .ok_or_else(|| chassis::status::invalid(field, "must be a name like products/{uuid}/images/{uuid}"))
}

/// A new product, as one request asks for it.
pub(super) fn new_product(request: pb::CreateProductRequest) -> Result<NewProduct, Error> {
    let product = request.product.ok_or_else(|| Fault::new("product", "is required"))?;
    let (state, kind) = (product.state(), product.kind());
    let variants = request.variants.into_iter().enumerate();
    let variants = variants.map(|(index, variant)| new_variant(&format!("variants[{index}]"), variant));
    Ok(NewProduct {
        categories: categories("product.categories", &product.categories)?,
        options: options(product.options),
        attributes: attributes(product.attributes),
        title: product.title,
        description: product.description,
        state: match state {
            pb::product::State::Unspecified | pb::product::State::Draft => product::State::Draft,
            pb::product::State::Active => product::State::Active,
            pb::product::State::Archived => product::State::Archived,
        },
        kind: match kind {
            pb::product::Kind::Unspecified | pb::product::Kind::Goods => Kind::Goods,
            pb::product::Kind::Service => Kind::Service,
        },
        variants: variants.collect::<Result<_, _>>()?,
    })
}

/// A row of a batch: its own form is checked here, so that one row's fault is not the others'.
pub(super) fn new_product_row(mut request: pb::CreateProductRequest) -> Result<NewProduct, Error> {
    request.request_id.clear();
    if let Some((field, description)) = request.violations().iter().next() {
        return Err(Fault::new(field, description).into());
    }
    new_product(request)
}

pub(super) fn new_variant(path: &str, variant: pb::Variant) -> Result<NewVariant, Error> {
    Ok(NewVariant {
        state: variant_state_of(variant.state()).unwrap_or(variant::State::Active),
        price: money(&format!("{path}.price"), variant.price.as_ref())?,
        compare_at: optional_money(&format!("{path}.compare_at_price"), variant.compare_at_price.as_ref())?,
        sku: variant.sku,
        title: variant.title,
        option_values: variant.option_values,
        weight_grams: variant.weight_grams,
    })
}

pub(super) fn product_change(
    product: pb::Product,
    mask: Option<&FieldMask>,
) -> Result<product::Change, Status> {
    const FIELDS: [&str; 6] = ["title", "description", "state", "categories", "options", "attributes"];
    let fields = changed(mask, &FIELDS, |field| match field {
        "title" => !product.title.is_empty(),
        "description" => !product.description.is_empty(),
        "state" => product.state != 0,
        "categories" => !product.categories.is_empty(),
        "options" => !product.options.is_empty(),
        _ => !product.attributes.is_empty(),
    })?;
    let changes = |field| fields.contains(&field);
    let state = match product.state() {
        pb::product::State::Unspecified if changes("state") => {
            return Err(chassis::status::invalid("product.state", "is required"));
        }
        pb::product::State::Unspecified | pb::product::State::Draft => product::State::Draft,
        pb::product::State::Active => product::State::Active,
        pb::product::State::Archived => product::State::Archived,
    };
    let categories =
        changes("categories").then(|| categories("product.categories", &product.categories)).transpose();
    Ok(product::Change {
        state: changes("state").then_some(state),
        categories: categories.map_err(Error::from)?,
        title: changes("title").then_some(product.title),
        description: changes("description").then_some(product.description),
        options: changes("options").then(|| options(product.options)),
        attributes: changes("attributes").then(|| attributes(product.attributes)),
    })
}

pub(super) fn variant_change(
    variant: pb::Variant,
    mask: Option<&FieldMask>,
) -> Result<variant::Change, Status> {
    const FIELDS: [&str; 5] = ["title", "option_values", "compare_at_price", "state", "weight_grams"];
    let fields = changed(mask, &FIELDS, |field| match field {
        "title" => !variant.title.is_empty(),
        "option_values" => !variant.option_values.is_empty(),
        "compare_at_price" => variant.compare_at_price.is_some(),
        "state" => variant.state != 0,
        _ => variant.weight_grams != 0,
    })?;
    let changes = |field| fields.contains(&field);
    let state = variant_state_of(variant.state());
    if changes("state") && state.is_none() {
        return Err(chassis::status::invalid("variant.state", "is required"));
    }
    let compare_at = optional_money("variant.compare_at_price", variant.compare_at_price.as_ref())?;
    Ok(variant::Change {
        title: changes("title").then_some(variant.title),
        option_values: changes("option_values").then_some(variant.option_values),
        compare_at: changes("compare_at_price").then_some(compare_at),
        state: state.filter(|_| changes("state")),
        weight_grams: changes("weight_grams").then_some(variant.weight_grams),
    })
}

/// Title and position, where they are to change.
pub(super) fn category_change(
    category: pb::Category,
    mask: Option<&FieldMask>,
) -> Result<(Option<String>, Option<i32>), Status> {
    let fields = changed(mask, &["title", "position"], |field| match field {
        "title" => !category.title.is_empty(),
        _ => category.position != 0,
    })?;
    let changes = |field| fields.contains(&field);
    Ok((changes("title").then_some(category.title), changes("position").then_some(category.position)))
}

/// The fields an update changes: those the mask names, or those that are set where there is no mask.
fn changed(
    mask: Option<&FieldMask>,
    allowed: &[&'static str],
    is_set: impl Fn(&str) -> bool,
) -> Result<Vec<&'static str>, Status> {
    let mut fields = wire::mask(mask, allowed)?;
    if mask.is_none_or(|mask| mask.paths.is_empty()) {
        fields.retain(|field| is_set(field));
    }
    Ok(fields)
}

fn categories(field: &str, names: &[String]) -> Result<Vec<Id<Category>>, Fault> {
    let id = |name: &String| {
        Id::parse_name(name).ok_or_else(|| Fault::new(field, "must be names like categories/{uuid}"))
    };
    names.iter().map(id).collect()
}

fn options(options: Vec<pb::Option>) -> Vec<Choice> {
    options.into_iter().map(|option| Choice { name: option.name, values: option.values }).collect()
}

pub(super) fn attributes(attributes: Vec<pb::Attribute>) -> Vec<Attribute> {
    let fact = |attribute: pb::Attribute| Attribute { name: attribute.name, value: attribute.value };
    attributes.into_iter().map(fact).collect()
}

fn money(field: &str, money: Option<&contract::Money>) -> Result<Money, Fault> {
    let money = money.ok_or_else(|| Fault::new(field, "is required"))?;
    Money::try_from(money).map_err(|error| Fault::new(field, error.to_string()))
}

fn optional_money(field: &str, amount: Option<&contract::Money>) -> Result<Option<Money>, Error> {
    Ok(amount.map(|amount| money(field, Some(amount))).transpose()?)
}

/// An amount to compare prices with.
pub(super) fn bound(field: &str, amount: Option<&contract::Money>) -> Result<Option<Money>, Error> {
    let amount = optional_money(field, amount)?;
    if let Some(amount) = amount {
        price::check(field, amount)?;
    }
    Ok(amount)
}

/// A price with the field it came in.
pub(super) fn amount(amount: Option<&contract::Money>) -> Result<Money, Error> {
    Ok(money("price.amount", amount)?)
}

pub(crate) const fn product_state(state: product::State) -> pb::product::State {
    match state {
        product::State::Draft => pb::product::State::Draft,
        product::State::Active => pb::product::State::Active,
        product::State::Archived => pb::product::State::Archived,
    }
}

pub(crate) const fn variant_state(state: variant::State) -> pb::variant::State {
    match state {
        variant::State::Active => pb::variant::State::Active,
        variant::State::Archived => pb::variant::State::Archived,
    }
}

const fn variant_state_of(state: pb::variant::State) -> Option<variant::State> {
    match state {
        pb::variant::State::Unspecified => None,
        pb::variant::State::Active => Some(variant::State::Active),
        pb::variant::State::Archived => Some(variant::State::Archived),
    }
}

impl From<Product> for pb::Product {
    fn from(product: Product) -> Self {
        let image = |image: &Id<Image>| image::Name { product: product.id, image: *image }.to_string();
        let variants = product.variants.iter().map(|variant| product.offer(variant.clone()).into()).collect();
        pb::Product {
            name: product.id.name(),
            state: product_state(product.state).into(),
            kind: match product.kind {
                Kind::Goods => pb::product::Kind::Goods,
                Kind::Service => pb::product::Kind::Service,
            }
            .into(),
            categories: product.categories.iter().map(|category| category.name()).collect(),
            options: product
                .options
                .into_iter()
                .map(|option| pb::Option { name: option.name, values: option.values })
                .collect(),
            attributes: product.attributes.into_iter().map(pb::Attribute::from).collect(),
            variants,
            images: product.images.iter().map(image).collect(),
            title: product.title,
            description: product.description,
            create_time: Some(product.create_time.into()),
            update_time: Some(product.update_time.into()),
            etag: product.version.to_string(),
        }
    }
}

impl From<Attribute> for pb::Attribute {
    fn from(attribute: Attribute) -> Self {
        pb::Attribute { name: attribute.name, value: attribute.value }
    }
}

impl From<Offer> for pb::Variant {
    fn from(offer: Offer) -> Self {
        let variant = offer.variant;
        let image = offer.image.map(|image| image::Name { product: variant.product, image }.to_string());
        pb::Variant {
            name: variant.name().to_string(),
            sku: variant.sku,
            title: variant.title,
            option_values: variant.option_values,
            price: Some(variant.price.into()),
            compare_at_price: variant.compare_at.map(Into::into),
            state: variant_state(variant.state).into(),
            weight_grams: variant.weight_grams,
            product_title: offer.product_title,
            product_state: product_state(offer.product_state).into(),
            stocked: offer.kind == Kind::Goods,
            price_version: variant.price_version,
            image: image.unwrap_or_default(),
            create_time: Some(variant.create_time.into()),
            update_time: Some(variant.update_time.into()),
        }
    }
}

impl From<Category> for pb::Category {
    fn from(category: Category) -> Self {
        pb::Category {
            name: category.id.name(),
            title: category.title,
            parent: category.path.parent().map(Id::name).unwrap_or_default(),
            position: category.position,
            ancestors: category.path.ancestors().iter().map(|id| id.name()).collect(),
        }
    }
}

impl From<Image> for pb::Image {
    fn from(image: Image) -> Self {
        let name = image::Name { product: image.product, image: image.id }.to_string();
        pb::Image {
            uri: format!("/media/{name}"),
            name,
            content_type: image.content_type,
            size_bytes: image.size_bytes,
            alt_text: image.alt_text,
        }
    }
}

/// As many of a page's products as an answer may hold; one at least. What is left out comes on the next page.
pub(super) fn fitting(products: impl IntoIterator<Item = Product>) -> Vec<pb::Product> {
    let mut bytes = 0;
    let mut fitting = Vec::new();
    for product in products.into_iter().map(pb::Product::from) {
        bytes += product.encoded_len();
        if bytes > ANSWER_BYTES_MAX && !fitting.is_empty() {
            break;
        }
        fitting.push(product);
    }
    fitting
}

/// A price, under the variant it is of.
pub(super) fn price(of: variant::Name, price: Price) -> pb::Price {
    pb::Price {
        name: format!("{of}/prices/{}", price.id),
        amount: Some(price.amount.into()),
        effective_time: Some(price.effective_time.into()),
        actor: price.actor,
        create_time: Some(price.create_time.into()),
    }
}

/// Why a row of a batch was refused, as the same refusal of a single call would say it.
pub(super) fn batch_error(index: usize, error: Error) -> pb::BatchError {
    let status = Status::from(error);
    let field = chassis::status::violations(&status).into_iter().next().map(|(field, _)| field);
    pb::BatchError {
        index: i32::try_from(index).unwrap_or(i32::MAX),
        reason: chassis::status::reason(&status).unwrap_or_default(),
        message: status.message().to_owned(),
        field: field.unwrap_or_default(),
    }
}
