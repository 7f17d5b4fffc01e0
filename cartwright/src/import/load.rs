//! Carries a plan out through the services' own APIs, in batches, with progress.
use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use chassis::Id;
use contract::catalog::v1::catalog_service_client::CatalogServiceClient;
use contract::catalog::v1::{
    BatchCreateProductsRequest, BatchGetVariantsRequest, CreateProductRequest, Product, Variant, product,
};
use contract::identity::v1::identity_service_client::IdentityServiceClient;
use contract::identity::v1::{ImportUsersRequest, ImportedUser};
use contract::order::v1::order_service_client::OrderServiceClient;
use contract::order::v1::{
    ImportOrdersRequest, ImportedLine, ImportedOrder, ImportedReturn, ReturnLine, import_result::Outcome,
};
use indicatif::{ProgressBar, ProgressStyle};

use super::file::Refused;
use super::plan::{Order, Plan};
use crate::operator::{ANSWER_BYTES_MAX, Operator};

/// Where everything comes from, as the services know it.
const SOURCE: &str = "online-retail";
const PRODUCTS_A_BATCH: usize = 250;
const SKUS_A_LOOKUP: usize = 1000;
const USERS_A_BATCH: usize = 500;
const ORDERS_A_BATCH: usize = 50;
const LINES_A_BATCH: usize = 2000;
/// How long the services may take to apply everything that follows from the last order.
const SETTLED_WITHIN: Duration = Duration::from_secs(600);

/// What became of the plan.
#[derive(Default)]
pub(crate) struct Outcomes {
    pub(crate) products_made: usize,
    pub(crate) orders_made: usize,
    pub(crate) orders_unchanged: usize,
    pub(crate) refused: Vec<Refused>,
}

/// Carries the plan out, and waits until its effects have reached every service.
pub(crate) async fn load(operator: &Operator, plan: &Plan) -> anyhow::Result<Outcomes> {
    let mut outcomes = Outcomes::default();
    let variants = products(operator, plan, &mut outcomes).await?;
    let customers = customers(operator, plan).await?;
    orders(operator, plan, &variants, &customers, &mut outcomes).await?;
    settle(operator).await?;
    Ok(outcomes)
}

fn bar(title: &'static str, length: usize) -> anyhow::Result<ProgressBar> {
    let bar = ProgressBar::new(u64::try_from(length)?);
    bar.set_style(ProgressStyle::with_template("{msg:<10} {bar:30} {pos}/{len}  {elapsed}")?);
    bar.set_message(title);
    Ok(bar)
}

/// Makes the products that are not there yet. Answers the variant's name by stock code.
async fn products(
    operator: &Operator,
    plan: &Plan,
    outcomes: &mut Outcomes,
) -> anyhow::Result<HashMap<String, String>> {
    let mut catalog =
        CatalogServiceClient::new(operator.channel("catalog")?).max_decoding_message_size(ANSWER_BYTES_MAX);
    let skus: Vec<String> = plan.products.keys().cloned().collect();
    let mut variants = HashMap::new();
    for skus in skus.chunks(SKUS_A_LOOKUP) {
        let request = BatchGetVariantsRequest { names: Vec::new(), skus: skus.to_vec() };
        let found = catalog.batch_get_variants(operator.ask(request)).await?.into_inner().variants;
        variants.extend(found.into_iter().map(|variant| (variant.sku, variant.name)));
    }
    let missing: Vec<&String> = skus.iter().filter(|sku| !variants.contains_key(*sku)).collect();
    let bar = bar("products", skus.len())?;
    bar.inc(u64::try_from(variants.len())?);
    for batch in missing.chunks(PRODUCTS_A_BATCH) {
        let request = BatchCreateProductsRequest {
            requests: batch.iter().map(|sku| product(plan, sku)).collect(),
            request_id: String::new(),
        };
        let answer = catalog
            .batch_create_products(operator.ask(request))
            .await
            .context("making products")?
            .into_inner();
        if let Some(error) = answer.errors.first() {
            anyhow::bail!("a product could not be made: {} ({})", error.message, error.reason);
        }
        outcomes.products_made += answer.products.len();
        let made = answer.products.into_iter().flat_map(|product| product.variants);
        variants.extend(made.map(|variant| (variant.sku, variant.name)));
        bar.inc(u64::try_from(batch.len())?);
    }
    bar.finish();
    ensure!(variants.len() >= skus.len(), "catalog knows {} of {} stock codes", variants.len(), skus.len());
    Ok(variants)
}

fn product(plan: &Plan, sku: &str) -> CreateProductRequest {
    let known = &plan.products[sku];
    // What never had a price is nothing to sell.
    let state = if known.price.is_some() { product::State::Active } else { product::State::Draft };
    let kind = if known.stocked { product::Kind::Goods } else { product::Kind::Service };
    let free = chassis::Money::zero("GBP".parse().expect("pounds are a currency"));
    CreateProductRequest {
        product: Some(Product {
            title: known.title.clone(),
            state: state.into(),
            kind: kind.into(),
            ..Product::default()
        }),
        variants: vec![Variant {
            sku: sku.to_owned(),
            price: Some(known.price.unwrap_or(free).into()),
            ..Variant::default()
        }],
        request_id: String::new(),
    }
}

/// Makes the customers. Answers the user's name by customer number.
async fn customers(operator: &Operator, plan: &Plan) -> anyhow::Result<HashMap<String, String>> {
    let mut identity = IdentityServiceClient::new(operator.channel("identity")?);
    let numbers: Vec<&String> = plan.customers.iter().collect();
    let bar = bar("customers", numbers.len())?;
    let mut users = HashMap::new();
    for batch in numbers.chunks(USERS_A_BATCH) {
        let request = ImportUsersRequest {
            source: SOURCE.into(),
            users: batch
                .iter()
                .map(|number| ImportedUser {
                    external_id: (*number).clone(),
                    display_name: format!("Customer {number}"),
                })
                .collect(),
        };
        let names = identity
            .import_users(operator.ask(request))
            .await
            .context("making customers")?
            .into_inner()
            .users;
        users.extend(batch.iter().map(|number| (*number).clone()).zip(names));
        bar.inc(u64::try_from(batch.len())?);
    }
    bar.finish();
    Ok(users)
}

async fn orders(
    operator: &Operator,
    plan: &Plan,
    variants: &HashMap<String, String>,
    customers: &HashMap<String, String>,
    outcomes: &mut Outcomes,
) -> anyhow::Result<()> {
    let mut service = OrderServiceClient::new(operator.channel("order")?);
    let bar = bar("orders", plan.orders.len())?;
    let mut rest = plan.orders.as_slice();
    while !rest.is_empty() {
        let mut lines = 0;
        let fits = rest.iter().take(ORDERS_A_BATCH).take_while(|order| {
            lines += order.lines.len();
            lines <= LINES_A_BATCH
        });
        let (batch, after) = rest.split_at(fits.count().max(1));
        rest = after;
        let orders = batch.iter().map(|order| imported(plan, order, variants, customers)).collect();
        let request = ImportOrdersRequest { source: SOURCE.into(), orders };
        let results = service
            .import_orders(operator.ask(request))
            .await
            .context("taking over orders")?
            .into_inner()
            .results;
        for result in results {
            match result.outcome() {
                Outcome::Imported => outcomes.orders_made += 1,
                Outcome::Unchanged => outcomes.orders_unchanged += 1,
                Outcome::Refused | Outcome::Unspecified => {
                    anyhow::bail!("invoice {} was refused: {}", result.external_id, result.reason)
                }
            }
        }
        bar.inc(u64::try_from(batch.len())?);
    }
    bar.finish();
    Ok(())
}

fn imported(
    plan: &Plan,
    order: &Order,
    variants: &HashMap<String, String>,
    customers: &HashMap<String, String>,
) -> ImportedOrder {
    // A guest is known by nothing but the invoice.
    let guest = || format!("guests/{}", Id::<Order>::derived(&[SOURCE, &order.invoice]));
    ImportedOrder {
        external_id: order.invoice.clone(),
        customer: customers.get(&order.customer).cloned().unwrap_or_else(guest),
        order_time: Some(order.time.into()),
        country: order.country.clone(),
        currency_code: "GBP".into(),
        lines: order
            .lines
            .iter()
            .map(|line| ImportedLine {
                variant: variants[&line.sku].clone(),
                sku: line.sku.clone(),
                title: line.title.clone(),
                quantity: line.quantity,
                unit_price: Some(line.price.into()),
                stocked: plan.products[&line.sku].stocked,
            })
            .collect(),
        returns: order
            .returns
            .iter()
            .map(|taken| ImportedReturn {
                external_id: taken.invoice.clone(),
                return_time: Some(taken.time.into()),
                lines: taken
                    .lines
                    .iter()
                    .map(|(line, quantity)| ReturnLine {
                        line_id: (line + 1).to_string(),
                        quantity: *quantity,
                        refund: None,
                    })
                    .collect(),
            })
            .collect(),
    }
}

/// Waits until every service has applied what follows from the orders: their reports are complete only then.
async fn settle(operator: &Operator) -> anyhow::Result<()> {
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{msg}  {elapsed}")?);
    let settled = operator
        .settle(SETTLED_WITHIN, |left| {
            bar.set_message(format!("effects     {left} under way"));
            bar.tick();
        })
        .await?;
    bar.finish_and_clear();
    ensure!(
        settled,
        "the services have not applied everything after {SETTLED_WITHIN:?}; `cartwright audit` tells what is stuck"
    );
    Ok(())
}
