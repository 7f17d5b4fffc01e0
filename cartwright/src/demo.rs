//! `cartwright demo`: one purchase, told step by step, from registration to delivery, and the audit at its end.
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use chassis::config::Settings;
use chassis::{Id, Money};
use clap::Args;
use contract::cart::v1::{AddItemRequest, Cart};
use contract::catalog::v1::{Product, SearchProductsRequest};
use contract::common::v1::PostalAddress;
use contract::identity::v1::{LoginRequest, RegisterRequest, VerifyContactRequest};
use contract::notification::v1::ListInboxMessagesRequest;
use contract::order::v1::{
    Order, PaymentMethod, PlaceOrderRequest, QuoteOrderRequest, WatchOrderRequest, order,
};
use contract::shipping::v1::shipping_service_client::ShippingServiceClient;
use contract::shipping::v1::{
    ListShipmentsRequest, RecordTrackingRequest, Shipment, TrackingEvent, shipment,
};

use crate::addresses::Addresses;
use crate::customer::Customer;
use crate::operator::Operator;
use crate::serve::Temporary;
use crate::{audit, sample};

/// Makes one purchase and tells it step by step.
#[derive(Args)]
pub(crate) struct Demo {
    #[command(flatten)]
    pub(crate) settings: Settings,
}

/// How long any single thing in the story may take.
const PATIENCE: Duration = Duration::from_secs(30);

impl Demo {
    /// Tells the story in the shop that runs, or in one of its own. Ends with success only if everything held.
    pub(crate) async fn run(mut self) -> anyhow::Result<ExitCode> {
        if let Some(running) = Addresses::read(&self.settings.data_dir)
            && Customer::connect(&running.edge).await.is_ok()
        {
            say!("A shop is running at {}: the story happens there.", running.edge);
            return tell(&self.settings, &running.edge).await;
        }
        let folder = Folder::make()?;
        self.settings.data_dir.clone_from(&folder.0);
        self.settings.keys_dir = None;
        say!("No shop is running: starting one for the length of this story.");
        let shop = Temporary::start(&self.settings).await?;
        let edge = Addresses::read(&folder.0).context("the shop has not said where it listens")?.edge;
        let code = tell(&self.settings, &edge).await;
        shop.stop().await?;
        code
    }
}

/// A folder that is gone when the story is over.
struct Folder(PathBuf);

impl Folder {
    fn make() -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("cartwright-demo-{}", Id::<Folder>::new()));
        std::fs::create_dir_all(&folder)?;
        Ok(Folder(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is the system's to clean: it is in its folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Counts the steps and says them.
#[derive(Default)]
struct Teller(u32);

impl Teller {
    fn say(&mut self, words: impl std::fmt::Display) {
        self.0 += 1;
        say!("{:>3}. {words}", self.0);
    }
}

async fn tell(settings: &Settings, edge: &str) -> anyhow::Result<ExitCode> {
    let mut teller = Teller::default();
    let operator = Operator::new(settings)?;
    sample::fill(settings).await?;
    let mut customer = Customer::connect(edge).await?;

    let email = format!("ada.{}@example.com", Id::<Demo>::new().uuid().simple());
    sign_in(&mut customer, &email, &mut teller).await?;
    let cart = fill_cart(&customer, &mut teller).await?;
    let order = buy(&customer, &cart, &mut teller).await?;
    let order = deliver(&operator, &customer, &order, &mut teller).await?;
    ensure!(order.state() == order::State::Delivered, "the order is {:?}, not delivered", order.state());

    let subjects = inbox(&customer, &email, 3).await?;
    teller.say(format!("Meanwhile these mails reached {email}: {}.", subjects.join("; ")));

    say!("\nThe audit, over every service:");
    let report = audit::check(&operator, audit::Scope::Everything, PATIENCE).await?;
    report.print();
    Ok(if report.clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn sign_in(customer: &mut Customer, email: &str, teller: &mut Teller) -> anyhow::Result<()> {
    let password = Id::<Demo>::new().to_string();
    let register = RegisterRequest {
        email: email.into(),
        password: password.clone(),
        display_name: "Ada".into(),
        ..RegisterRequest::default()
    };
    customer.identity().register(register).await?;
    teller.say(format!("Ada registers as {email}."));
    let code = code(customer, email).await?;
    teller.say(format!("The shop mails her a code, {code}, which the development inbox caught."));
    customer.identity().verify_contact(VerifyContactRequest { email: email.into(), code }).await?;
    let session = customer.identity().login(LoginRequest { email: email.into(), password }).await?;
    customer.sign(&session.into_inner().access_token)?;
    teller.say("She proves her address with it and signs in.");
    Ok(())
}

async fn code(customer: &Customer, email: &str) -> anyhow::Result<String> {
    let request =
        || ListInboxMessagesRequest { address: email.into(), ..ListInboxMessagesRequest::default() };
    let code = until(async || {
        let answer = customer.notifications().list_inbox_messages(request()).await?.into_inner();
        let bodies = answer.inbox_messages.into_iter().map(|message| message.body);
        Ok(bodies.flat_map(|body| digits(&body)).next())
    });
    code.await.context("waiting for the code")
}

/// The six digits in a text.
fn digits(text: &str) -> Option<String> {
    text.split(|letter: char| !letter.is_ascii_digit()).find(|word| word.len() == 6).map(String::from)
}

async fn fill_cart(customer: &Customer, teller: &mut Teller) -> anyhow::Result<Cart> {
    // The index follows what is written within moments.
    let found = until(async || {
        let request = SearchProductsRequest { page_size: 20, ..SearchProductsRequest::default() };
        let found = customer.catalog().search_products(request).await?.into_inner().products;
        Ok((found.len() >= 2).then_some(found))
    });
    let found: Vec<Product> = found.await.context("searching for products")?;
    let titles: Vec<&str> = found.iter().take(3).map(|product| product.title.as_str()).collect();
    teller.say(format!(
        "She looks around and finds {} products, among them {}.",
        found.len(),
        titles.join(", ")
    ));
    let mut cart = Cart::default();
    for (product, quantity) in found.iter().zip([1, 2]) {
        let variant = product.variants.first().context("a product without a variant")?;
        let request = AddItemRequest {
            cart: "carts/current".into(),
            variant: variant.name.clone(),
            quantity,
            request_id: String::new(),
        };
        cart = customer.cart().add_item(request).await?.into_inner();
    }
    teller.say(format!("Two of them go into her cart: {} together.", shown(cart.subtotal.as_ref())));
    Ok(cart)
}

async fn buy(customer: &Customer, cart: &Cart, teller: &mut Teller) -> anyhow::Result<Order> {
    let quote = QuoteOrderRequest {
        cart: cart.name.clone(),
        country_code: "GB".into(),
        ..QuoteOrderRequest::default()
    };
    let quote = customer.orders().quote_order(quote).await?.into_inner();
    if let Some(problem) = quote.problems.first() {
        bail!("the order cannot be placed: {}", problem.message);
    }
    teller.say(format!(
        "With {} for sending, of which {} is tax, she would pay {}.",
        shown(quote.shipping.as_ref()),
        shown(quote.tax.as_ref()),
        shown(quote.total.as_ref())
    ));
    let address = PostalAddress {
        recipient: "Ada Lovelace".into(),
        line1: "12 St James's Square".into(),
        city: "London".into(),
        postal_code: "SW1Y 4JH".into(),
        country_code: "GB".into(),
        ..PostalAddress::default()
    };
    let request = PlaceOrderRequest {
        cart: cart.name.clone(),
        shipping_address: Some(address),
        payment_method: Some(PaymentMethod { channel: "sandbox".into(), token: "tok_visa".into() }),
        expected_total: quote.total,
        request_id: Id::<Order>::new().to_string(),
        ..PlaceOrderRequest::default()
    };
    let order = customer.orders().place_order(request.clone()).await?.into_inner();
    teller.say(format!(
        "She places the order: {}. The saga reserves stock, has the payment authorized and confirms.",
        order.name
    ));
    let again = customer.orders().place_order(request).await?.into_inner();
    ensure!(again.name == order.name, "the same request made a second order");
    teller.say("Her browser sends the same request again, as browsers do: the same order comes back, nothing is paid twice.");
    Ok(order)
}

async fn deliver(
    operator: &Operator,
    customer: &Customer,
    order: &Order,
    teller: &mut Teller,
) -> anyhow::Result<Order> {
    let mut states =
        customer.orders().watch_order(WatchOrderRequest { name: order.name.clone() }).await?.into_inner();
    let mut shipping = ShippingServiceClient::new(operator.channel("shipping")?);
    let shipment: Shipment = until(async || {
        let request = ListShipmentsRequest { order: order.name.clone(), ..ListShipmentsRequest::default() };
        let found = shipping.clone().list_shipments(operator.ask(request)).await?.into_inner().shipments;
        Ok(found.into_iter().next())
    })
    .await
    .context("waiting for the shipment")?;
    teller.say(format!(
        "By events alone the money is captured, the stock leaves the books and {} is made.",
        shipment.name
    ));
    for (state, words) in [
        (shipment::State::Dispatched, "The warehouse hands the parcel to the carrier."),
        (shipment::State::Delivered, "The carrier rings at her door."),
    ] {
        let event =
            TrackingEvent { state: state.into(), location: "London".into(), ..TrackingEvent::default() };
        let request = RecordTrackingRequest {
            shipment: shipment.name.clone(),
            tracking_event: Some(event),
            request_id: String::new(),
        };
        shipping.record_tracking(operator.ask(request)).await?;
        teller.say(words);
    }
    let watched = async {
        let mut last = None;
        while let Some(seen) = states.message().await? {
            if last != Some(seen.state()) {
                say!("       her page shows: {:?}, payment {:?}", seen.state(), seen.payment_state());
                last = Some(seen.state());
            }
            if seen.state() == order::State::Delivered {
                return anyhow::Ok(seen);
            }
        }
        bail!("the stream ended before the order was delivered")
    };
    tokio::time::timeout(PATIENCE, watched).await.context("waiting for the order to be delivered")?
}

async fn inbox(customer: &Customer, email: &str, expected: usize) -> anyhow::Result<Vec<String>> {
    until(async || {
        let request =
            ListInboxMessagesRequest { address: email.into(), ..ListInboxMessagesRequest::default() };
        let messages =
            customer.notifications().list_inbox_messages(request).await?.into_inner().inbox_messages;
        let subjects: Vec<String> = messages.into_iter().rev().map(|message| message.subject).collect();
        Ok((subjects.len() >= expected).then_some(subjects))
    })
    .await
    .context("waiting for the mails")
}

/// Asks again until there is an answer, within reason.
async fn until<T>(ask: impl AsyncFn() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let asked = async {
        loop {
            if let Some(answer) = ask().await? {
                return Ok(answer);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asked)
        .await
        .with_context(|| format!("nothing came of it within {PATIENCE:?}"))?
}

fn shown(money: Option<&contract::Money>) -> String {
    money.and_then(|money| Money::try_from(money).ok()).map_or("nothing".into(), |money| money.to_string())
}
