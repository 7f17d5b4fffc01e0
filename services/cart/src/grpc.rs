//! The wire: each RPC reads its request, does one thing, and shows the cart.

use chassis::auth::TokenError;
use chassis::caller::{self, Caller};
use chassis::id::Id;
use chassis::once::{Key, once};
use chassis::{status, wire};
use contract::cart::v1 as pb;
use contract::cart::v1::cart_service_server::CartService;
use sea_orm::DatabaseTransaction;
use tonic::{Request, Response, Status};

use crate::domain::{Cart, Line, State};
use crate::error::Error;
use crate::service::Which;
use crate::{Service, service, store};

type Answer = Result<Response<pb::Cart>, Status>;

#[tonic::async_trait]
impl CartService for Service {
    async fn get_cart(&self, request: Request<pb::GetCartRequest>) -> Answer {
        let (caller, request) = caller::of(request)?;
        let cart = self.read(&caller, which("name", &request.name)?).await?.into();
        // An order prices everything again: it wants the lines, and nothing that may be slow.
        if caller.service() == Some("order") {
            return Ok(Response::new(cart));
        }
        Ok(Response::new(self.preview.show(&caller, cart).await))
    }

    async fn add_item(&self, request: Request<pb::AddItemRequest>) -> Answer {
        let (caller, request) = caller::of(request)?;
        let (owner, which) = (caller.subject()?, which("cart", &request.cart)?);
        let variant = wire::foreign_name("variant", "products/{id}/variants/{id}", &request.variant)?;
        let offer = self.preview.offer(&variant).await?.ok_or(Error::VariantNotFound)?;
        let key = Key::of(&caller, "AddItem", &request.request_id, &request);
        self.change(&caller, key, async |tx| service::add(tx, owner, which, &offer, request.quantity).await)
            .await
    }

    async fn update_item(&self, request: Request<pb::UpdateItemRequest>) -> Answer {
        let (caller, request) = caller::of(request)?;
        let (owner, which) = (caller.subject()?, which("cart", &request.cart)?);
        let key = Key::of(&caller, "UpdateItem", &request.request_id, &request);
        self.change(&caller, key, async |tx| {
            service::set(tx, owner, which, &request.variant, request.quantity).await
        })
        .await
    }

    async fn remove_item(&self, request: Request<pb::RemoveItemRequest>) -> Answer {
        let (caller, request) = caller::of(request)?;
        let (owner, which) = (caller.subject()?, which("cart", &request.cart)?);
        let key = Key::of(&caller, "RemoveItem", &request.request_id, &request);
        self.change(&caller, key, async |tx| service::remove(tx, owner, which, &request.variant).await).await
    }

    async fn clear_cart(&self, request: Request<pb::ClearCartRequest>) -> Answer {
        let (caller, request) = caller::of(request)?;
        let (owner, which) = (caller.subject()?, which("cart", &request.cart)?);
        let key = Key::of(&caller, "ClearCart", &request.request_id, &request);
        self.change(&caller, key, async |tx| service::clear(tx, owner, which).await).await
    }

    async fn apply_coupon(&self, request: Request<pb::ApplyCouponRequest>) -> Answer {
        let (caller, request) = caller::of(request)?;
        let (owner, which) = (caller.subject()?, which("cart", &request.cart)?);
        let code = request.code.trim().to_uppercase();
        self.preview.try_coupon(&caller, self.read(&caller, which).await?.into(), &code).await?;
        let key = Key::of(&caller, "ApplyCoupon", &request.request_id, &request);
        self.change(&caller, key, async |tx| service::set_coupon(tx, owner, which, &code).await).await
    }

    async fn remove_coupon(&self, request: Request<pb::RemoveCouponRequest>) -> Answer {
        let (caller, request) = caller::of(request)?;
        let (owner, which) = (caller.subject()?, which("cart", &request.cart)?);
        let key = Key::of(&caller, "RemoveCoupon", &request.request_id, &request);
        self.change(&caller, key, async |tx| service::set_coupon(tx, owner, which, "").await).await
    }

    async fn merge_cart(&self, request: Request<pb::MergeCartRequest>) -> Answer {
        let (caller, request) = caller::of(request)?;
        let user = caller.user()?;
        let guest = self.guest(&request.guest_access_token)?;
        // A guest's token is renewed every few minutes: what is asked is the same with another one.
        let asked = pb::MergeCartRequest { guest_access_token: guest.clone(), ..request };
        let key = Key::of(&caller, "MergeCart", &asked.request_id, &asked);
        self.change(&caller, key, async |tx| service::merge(tx, &guest, user).await).await
    }

    async fn reopen_cart(
        &self,
        request: Request<pb::ReopenCartRequest>,
    ) -> Result<Response<pb::ReopenCartResponse>, Status> {
        let (_, request) = caller::of(request)?;
        self.db.write(async |tx| service::reopen(tx, &request.order).await).await?;
        Ok(Response::new(pb::ReopenCartResponse {}))
    }
}

impl Service {
    /// The cart as it is kept. A service that acts for nobody may read any by its name.
    async fn read(&self, caller: &Caller, which: Which) -> Result<Cart, Status> {
        match which {
            Which::Named(id) => {
                let owner = if caller.service().is_some() {
                    caller.subject_if_any()
                } else {
                    Some(caller.subject()?)
                };
                let found = store::find(self.db.writer(), owner, id).await.map_err(Error::from)?;
                Ok(found.ok_or(Error::CartNotFound)?)
            }
            Which::Current => {
                let owner = caller.subject()?;
                if let Some(cart) = store::find_open(self.db.writer(), owner).await.map_err(Error::from)? {
                    return Ok(cart);
                }
                Ok(self.db.write(async |tx| service::open(tx, owner).await).await?)
            }
        }
    }

    /// Changes a cart once, then shows it. Prices are looked up after the transaction: they are not part of the change.
    async fn change<F>(&self, caller: &Caller, key: Key, work: F) -> Answer
    where
        F: AsyncFnOnce(&DatabaseTransaction) -> Result<Cart, Error>,
    {
        let cart = once(&self.db, key, async |tx| work(tx).await.map(pb::Cart::from)).await?;
        Ok(Response::new(self.preview.show(caller, cart).await))
    }

    /// The guest whose access token it is. The token of the caller counts; that this one does not is a fault of the
    /// request, and no reason to sign in again.
    fn guest(&self, token: &str) -> Result<String, Status> {
        let wrong = || status::invalid("guest_access_token", "must be the access token of a guest");
        let person = self.verifier.person(token).map_err(|error| match error {
            TokenError::NotReady => Status::from(error),
            TokenError::Expired | TokenError::Revoked | TokenError::Invalid(_) => wrong(),
        })?;
        let guest = person.subject_if_any().filter(|subject| subject.starts_with("guests/"));
        guest.map(str::to_owned).ok_or_else(wrong)
    }
}

fn which(field: &str, name: &str) -> Result<Which, Status> {
    match name {
        "carts/current" => Ok(Which::Current),
        // What cannot be a cart's name is no cart: told like any other that is not there.
        name if name.starts_with("carts/") => {
            Id::parse_name(name).map(Which::Named).ok_or_else(|| Error::CartNotFound.into())
        }
        _ => Err(status::invalid(field, "must be a name like carts/{uuid}, or carts/current")),
    }
}

impl From<Cart> for pb::Cart {
    /// The cart as it is kept: what was paid attention to when lines were put in, and no prices of now.
    fn from(cart: Cart) -> Self {
        Self {
            name: cart.id.name(),
            owner: cart.owner,
            state: pb::cart::State::from(cart.state).into(),
            lines: cart.lines.into_iter().map(pb::CartLine::from).collect(),
            coupon_code: cart.coupon_code,
            order: cart.order,
            create_time: Some(cart.create_time.into()),
            update_time: Some(cart.update_time.into()),
            etag: cart.version.to_string(),
            ..Self::default()
        }
    }
}

impl From<Line> for pb::CartLine {
    fn from(line: Line) -> Self {
        Self {
            variant: line.variant,
            sku: line.sku,
            title: line.title,
            quantity: line.quantity,
            added_price: Some(line.added_price.into()),
            ..Self::default()
        }
    }
}

impl From<State> for pb::cart::State {
    fn from(state: State) -> Self {
        match state {
            State::Open => Self::Open,
            State::Ordered => Self::Ordered,
            State::Merged => Self::Merged,
            State::Abandoned => Self::Abandoned,
        }
    }
}
