//! The RPCs of identity: wire to domain, one call, domain to wire.
mod wire;

use chassis::{
    caller::{self, Caller},
    client,
    id::Id,
    once::{Key, once},
    page::Page,
    time::Timestamp,
};
use contract::{identity::v1 as pb, order::v1 as order};
use pb::identity_service_server::IdentityService;
use tonic::{Request, Response, Status};

use crate::{
    Service,
    domain::{Session, User, person::State, role},
    error::Error,
    service::{
        addresses, guests, password as passwords,
        register::{self, CODE_LIFETIME},
        reset, roles,
        sessions::{self, Opened, Traded},
        users::{self, Imported},
    },
    store::{
        self,
        users::{Contact, Person},
    },
};

type Reply<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl IdentityService for Service {
    async fn register(&self, request: Request<pb::RegisterRequest>) -> Reply<pb::RegisterResponse> {
        let (caller, mut request) = caller::of(request)?;
        let email = wire::email("email", &request.email)?;
        let display_name = wire::display_name("display_name", &request.display_name)?;
        let locale = wire::locale("locale", &request.locale)?;
        wire::password("password", &request.password, &email)?;
        let password = self.hasher.hash(&request.password).await?;
        // The fingerprint of a request is a fast digest: the password must not be what it can be tried against.
        let mac = self.vault.mac("registration", &[request.password.as_bytes()]);
        request.password = mac.iter().map(|byte| format!("{byte:02x}")).collect();
        let key = Key::of(&caller, "Register", &request.request_id, &request);
        let new = register::Registration { email, password, display_name, locale };
        let reply = once(&self.db, key, async |tx| {
            let now = Timestamp::now();
            register::register(tx, &self.vault, &new, now).await?;
            Ok::<_, Error>(pb::RegisterResponse { code_expire_time: Some(now.plus(CODE_LIFETIME).into()) })
        })
        .await?;
        self.messenger.wake();
        Ok(Response::new(reply))
    }

    async fn resend_verification(
        &self,
        request: Request<pb::ResendVerificationRequest>,
    ) -> Reply<pb::ResendVerificationResponse> {
        let email = wire::email("email", &request.into_inner().email)?;
        let now = Timestamp::now();
        self.db.write(async |tx| register::resend_verification(tx, &self.vault, &email, now).await).await?;
        self.messenger.wake();
        Ok(Response::new(pb::ResendVerificationResponse {
            code_expire_time: Some(now.plus(CODE_LIFETIME).into()),
        }))
    }

    async fn verify_contact(&self, request: Request<pb::VerifyContactRequest>) -> Reply<pb::User> {
        let request = request.into_inner();
        let email = wire::email("email", &request.email)?;
        let now = Timestamp::now();
        let verified = self
            .db
            .write(async |tx| register::verify_contact(tx, &self.vault, &email, &request.code, now).await)
            .await?;
        Ok(Response::new(verified.ok_or(Error::CodeInvalid)?.into()))
    }

    async fn login(&self, request: Request<pb::LoginRequest>) -> Reply<pb::Session> {
        let request = request.into_inner();
        let email = wire::email("email", &request.email)?;
        let (opened, user) = self.sign_in.login(&email, &request.password).await?;
        Ok(Response::new(self.session(opened, Some(user))?))
    }

    async fn create_guest(&self, _: Request<pb::CreateGuestRequest>) -> Reply<pb::Session> {
        let opened = self.db.write(async |tx| guests::create(tx, Timestamp::now()).await).await?;
        Ok(Response::new(self.session(opened, None)?))
    }

    async fn refresh_session(&self, request: Request<pb::RefreshSessionRequest>) -> Reply<pb::Session> {
        let token = request.into_inner().refresh_token;
        let traded = self.db.write(async |tx| sessions::refresh(tx, &token, Timestamp::now()).await).await?;
        let opened = match traded {
            Traded::Renewed(opened) => opened,
            Traded::Unknown => return Err(Error::RefreshInvalid.into()),
            Traded::Reused => {
                self.access.changed();
                return Err(Error::RefreshInvalid.into());
            }
        };
        let user = match Id::<User>::parse_name(&opened.subject) {
            Some(id) => Some(users::get(self.db.writer(), id).await?),
            None => None,
        };
        Ok(Response::new(self.session(opened, user)?))
    }

    async fn logout(&self, request: Request<pb::LogoutRequest>) -> Reply<pb::LogoutResponse> {
        let (caller, _) = caller::of(request)?;
        self.db.write(async |tx| sessions::logout(tx, caller.session(), Timestamp::now()).await).await?;
        self.access.changed();
        Ok(Response::new(pb::LogoutResponse {}))
    }

    async fn revoke_sessions(
        &self,
        request: Request<pb::RevokeSessionsRequest>,
    ) -> Reply<pb::RevokeSessionsResponse> {
        let (caller, request) = caller::of(request)?;
        let id = users::named(&caller, "user", &request.user, "session.revoke.any")?;
        users::get(self.db.writer(), id).await?;
        users::may_act_on(self.db.writer(), &caller, id).await?;
        self.db
            .write(async |tx| {
                store::sessions::end_all(tx, &id.name(), None, Timestamp::now()).await.map_err(Error::from)
            })
            .await?;
        self.access.changed();
        Ok(Response::new(pb::RevokeSessionsResponse {}))
    }

    async fn change_password(
        &self,
        request: Request<pb::ChangePasswordRequest>,
    ) -> Reply<pb::ChangePasswordResponse> {
        let (caller, request) = caller::of(request)?;
        let id = users::named(&caller, "name", caller.user()?, "")?;
        let user = users::get(self.db.writer(), id).await?;
        let email = wire::email("email", &user.email)?;
        wire::password("new_password", &request.new_password, &email)?;
        if !self.sign_in.confirm(user, &request.current_password).await? {
            return Err(Error::field("current_password", "is wrong").into());
        }
        let new = self.hasher.hash(&request.new_password).await?;
        let session = caller.session().and_then(Id::<Session>::parse_name);
        self.db.write(async |tx| passwords::change(tx, id, session, &new, Timestamp::now()).await).await?;
        self.access.changed();
        self.messenger.wake();
        Ok(Response::new(pb::ChangePasswordResponse {}))
    }

    async fn request_password_reset(
        &self,
        request: Request<pb::RequestPasswordResetRequest>,
    ) -> Reply<pb::RequestPasswordResetResponse> {
        let email = wire::email("email", &request.into_inner().email)?;
        let now = Timestamp::now();
        self.db.write(async |tx| reset::request(tx, &self.vault, &email, now).await).await?;
        self.messenger.wake();
        Ok(Response::new(pb::RequestPasswordResetResponse {
            code_expire_time: Some(now.plus(reset::CODE_LIFETIME).into()),
        }))
    }

    async fn reset_password(
        &self,
        request: Request<pb::ResetPasswordRequest>,
    ) -> Reply<pb::ResetPasswordResponse> {
        let request = request.into_inner();
        let email = wire::email("email", &request.email)?;
        wire::password("new_password", &request.new_password, &email)?;
        let (vault, code, now) = (&self.vault, request.code.as_str(), Timestamp::now());
        let proof = self.db.write(async |tx| reset::prove(tx, vault, &email, code, now).await).await?;
        let proof = proof.ok_or(Error::ResetInvalid)?;
        // Hashing is slow on purpose: only a right code is worth it, and no transaction waits for it.
        let new = self.hasher.hash(&request.new_password).await?;
        let done = self
            .db
            .write(async |tx| reset::reset(tx, vault, &email, &proof, &new, Timestamp::now()).await)
            .await?;
        self.access.changed();
        self.messenger.wake();
        if done { Ok(Response::new(pb::ResetPasswordResponse {})) } else { Err(Error::ResetInvalid.into()) }
    }

    async fn get_user(&self, request: Request<pb::GetUserRequest>) -> Reply<pb::User> {
        let (caller, request) = caller::of(request)?;
        let id = users::named(&caller, "name", &request.name, "user.read.any")?;
        Ok(Response::new(users::get(self.db.writer(), id).await?.into()))
    }

    async fn list_users(&self, request: Request<pb::ListUsersRequest>) -> Reply<pb::ListUsersResponse> {
        let (_, request) = caller::of(request)?;
        let page = Page::of(request.page_size, &request.page_token, "users")?;
        let found = store::users::list(self.db.reader(), &page).await.map_err(Error::from)?;
        let (found, next_page_token) =
            page.cut(found, |user| vec![user.create_time.micros().to_string(), user.id.to_string()]);
        Ok(Response::new(pb::ListUsersResponse {
            users: found.into_iter().map(pb::User::from).collect(),
            next_page_token,
        }))
    }

    async fn update_user(&self, request: Request<pb::UpdateUserRequest>) -> Reply<pb::User> {
        let (caller, request) = caller::of(request)?;
        let (name, changes) = wire::profile(&request)?;
        let id = users::named(&caller, "user.name", &name, "user.update.any")?;
        users::may_act_on(self.db.writer(), &caller, id).await?;
        let key = Key::of(&caller, "UpdateUser", &request.request_id, &request);
        // Only the name is kept for a repeat: a reply that shows the profile would outlive the account.
        once(&self.db, key, async |tx| {
            users::update(tx, id, changes, Timestamp::now()).await?;
            Ok::<_, Error>(pb::GetUserRequest { name: id.name() })
        })
        .await?;
        Ok(Response::new(users::get(self.db.writer(), id).await?.into()))
    }

    async fn delete_user(&self, request: Request<pb::DeleteUserRequest>) -> Reply<pb::DeleteUserResponse> {
        let (caller, request) = caller::of(request)?;
        let id = users::named(&caller, "name", &request.name, "privacy.erase")?;
        let user = users::get(self.db.writer(), id).await?;
        self.no_order_is_open(&caller, &user).await?;
        // Erasing again changes nothing, so there is no reply to keep.
        self.db.write(async |tx| users::erase(tx, id, Timestamp::now()).await).await?;
        self.access.changed();
        Ok(Response::new(pb::DeleteUserResponse {}))
    }

    async fn disable_user(&self, request: Request<pb::DisableUserRequest>) -> Reply<pb::User> {
        let (caller, request) = caller::of(request)?;
        let id = users::named(&caller, "name", &request.name, "user.disable")?;
        users::may_act_on(self.db.writer(), &caller, id).await?;
        let user = self.db.write(async |tx| users::disable(tx, id, Timestamp::now()).await).await?;
        self.access.changed();
        Ok(Response::new(user.into()))
    }

    async fn enable_user(&self, request: Request<pb::EnableUserRequest>) -> Reply<pb::User> {
        let (caller, request) = caller::of(request)?;
        let id = users::named(&caller, "name", &request.name, "user.disable")?;
        users::may_act_on(self.db.writer(), &caller, id).await?;
        let user = self.db.write(async |tx| users::enable(tx, id, Timestamp::now()).await).await?;
        Ok(Response::new(user.into()))
    }

    async fn create_address(&self, request: Request<pb::CreateAddressRequest>) -> Reply<pb::Address> {
        let (caller, request) = caller::of(request)?;
        let user = own(&caller, "parent", &request.parent)?;
        let kept = wire::new_address(user, request.address.as_ref())?;
        let key = Key::of(&caller, "CreateAddress", &request.request_id, &request);
        let address = once(&self.db, key, async |tx| {
            addresses::create(tx, &kept, Timestamp::now()).await?;
            Ok::<_, Error>(pb::Address::from(kept.clone()))
        })
        .await?;
        Ok(Response::new(address))
    }

    async fn get_address(&self, request: Request<pb::GetAddressRequest>) -> Reply<pb::Address> {
        let (caller, request) = caller::of(request)?;
        let (user, id) = wire::address_name("name", &caller, &request.name)?;
        let kept = store::addresses::find(self.db.writer(), user, id).await.map_err(Error::from)?;
        Ok(Response::new(kept.ok_or(Error::AddressNotFound)?.into()))
    }

    async fn list_addresses(
        &self,
        request: Request<pb::ListAddressesRequest>,
    ) -> Reply<pb::ListAddressesResponse> {
        let (caller, request) = caller::of(request)?;
        let user = own(&caller, "parent", &request.parent)?;
        let page = Page::of(request.page_size, &request.page_token, &format!("addresses of {user}"))?;
        let found = store::addresses::list(self.db.writer(), user, &page).await.map_err(Error::from)?;
        let (found, next_page_token) =
            page.cut(found, |kept| vec![i32::from(kept.preferred).to_string(), kept.id.to_string()]);
        let addresses = found.into_iter().map(pb::Address::from).collect();
        Ok(Response::new(pb::ListAddressesResponse { addresses, next_page_token }))
    }

    async fn update_address(&self, request: Request<pb::UpdateAddressRequest>) -> Reply<pb::Address> {
        let (caller, request) = caller::of(request)?;
        let (name, change) = wire::address_change(&request)?;
        let (user, id) = wire::address_name("address.name", &caller, name)?;
        let key = Key::of(&caller, "UpdateAddress", &request.request_id, &request);
        let address = once(&self.db, key, async |tx| {
            addresses::update(tx, user, id, change, Timestamp::now()).await.map(pb::Address::from)
        })
        .await?;
        Ok(Response::new(address))
    }

    async fn delete_address(
        &self,
        request: Request<pb::DeleteAddressRequest>,
    ) -> Reply<pb::DeleteAddressResponse> {
        let (caller, request) = caller::of(request)?;
        let (user, id) = wire::address_name("name", &caller, &request.name)?;
        let deleted = self
            .db
            .write(async |tx| store::addresses::delete(tx, user, id).await.map_err(Error::from))
            .await?;
        if deleted {
            Ok(Response::new(pb::DeleteAddressResponse {}))
        } else {
            Err(Error::AddressNotFound.into())
        }
    }

    async fn create_role(&self, request: Request<pb::CreateRoleRequest>) -> Reply<pb::Role> {
        let (caller, request) = caller::of(request)?;
        let new = wire::new_role(&request)?;
        let key = Key::of(&caller, "CreateRole", &request.request_id, &request);
        let reply = once(&self.db, key, async |tx| {
            roles::create(tx, &new, Timestamp::now()).await?;
            Ok::<_, Error>(pb::Role::from(new.clone()))
        })
        .await?;
        self.access.changed();
        Ok(Response::new(reply))
    }

    async fn get_role(&self, request: Request<pb::GetRoleRequest>) -> Reply<pb::Role> {
        let (_, request) = caller::of(request)?;
        let id = wire::role_name("name", &request.name)?;
        Ok(Response::new(roles::get(self.db.writer(), id).await?.into()))
    }

    async fn list_roles(&self, request: Request<pb::ListRolesRequest>) -> Reply<pb::ListRolesResponse> {
        let (_, request) = caller::of(request)?;
        let page = Page::of(request.page_size, &request.page_token, "roles")?;
        let found = store::roles::list(self.db.reader(), &page).await.map_err(Error::from)?;
        let (found, next_page_token) = page.cut(found, |role| vec![role.id.clone()]);
        Ok(Response::new(pb::ListRolesResponse {
            roles: found.into_iter().map(pb::Role::from).collect(),
            next_page_token,
        }))
    }

    async fn update_role(&self, request: Request<pb::UpdateRoleRequest>) -> Reply<pb::Role> {
        let (caller, request) = caller::of(request)?;
        let (id, change) = wire::role_change(&request)?;
        let key = Key::of(&caller, "UpdateRole", &request.request_id, &request);
        let reply = once(&self.db, key, async |tx| {
            roles::update(tx, &caller, id, change, Timestamp::now()).await.map(pb::Role::from)
        })
        .await?;
        self.access.changed();
        Ok(Response::new(reply))
    }

    async fn delete_role(&self, request: Request<pb::DeleteRoleRequest>) -> Reply<pb::DeleteRoleResponse> {
        let (_, request) = caller::of(request)?;
        let id = wire::role_name("name", &request.name)?;
        self.db.write(async |tx| roles::delete(tx, id, Timestamp::now()).await).await?;
        self.access.changed();
        Ok(Response::new(pb::DeleteRoleResponse {}))
    }

    async fn grant_role(&self, request: Request<pb::GrantRoleRequest>) -> Reply<pb::User> {
        let (caller, request) = caller::of(request)?;
        let user = users::named(&caller, "user", &request.user, "role.grant")?;
        let id = wire::role_name("role", &request.role)?;
        let user =
            self.db.write(async |tx| roles::grant(tx, &caller, user, id, Timestamp::now()).await).await?;
        self.access.changed();
        Ok(Response::new(user.into()))
    }

    async fn revoke_role(&self, request: Request<pb::RevokeRoleRequest>) -> Reply<pb::User> {
        let (caller, request) = caller::of(request)?;
        let user = users::named(&caller, "user", &request.user, "role.grant")?;
        let id = wire::role_name("role", &request.role)?;
        let user = self.db.write(async |tx| roles::revoke(tx, user, id, Timestamp::now()).await).await?;
        self.access.changed();
        Ok(Response::new(user.into()))
    }

    async fn set_guest_contact(
        &self,
        request: Request<pb::SetGuestContactRequest>,
    ) -> Reply<pb::SetGuestContactResponse> {
        let (caller, request) = caller::of(request)?;
        let email = wire::email("email", &request.email)?;
        let locale = wire::locale("locale", &request.locale)?;
        self.db
            .write(async |tx| guests::set_contact(tx, &caller, &email, &locale, Timestamp::now()).await)
            .await?;
        Ok(Response::new(pb::SetGuestContactResponse {}))
    }

    async fn import_users(&self, request: Request<pb::ImportUsersRequest>) -> Reply<pb::ImportUsersResponse> {
        let (_, request) = caller::of(request)?;
        let mut people = Vec::with_capacity(request.users.len());
        for (index, user) in request.users.into_iter().enumerate() {
            let display_name =
                wire::display_name(&format!("users[{index}].display_name"), &user.display_name)?;
            people.push(Imported { external_id: user.external_id, display_name });
        }
        let ids = self
            .db
            .write(async |tx| users::import(tx, &request.source, &people, Timestamp::now()).await)
            .await?;
        Ok(Response::new(pb::ImportUsersResponse { users: ids.into_iter().map(Id::name).collect() }))
    }

    async fn get_contact(&self, request: Request<pb::GetContactRequest>) -> Reply<pb::Contact> {
        let (_, request) = caller::of(request)?;
        let contact = guests::contact(self.db.writer(), &request.subject).await?;
        let Contact { email, display_name, locale } = contact;
        Ok(Response::new(pb::Contact { subject: request.subject, email, display_name, locale }))
    }

    async fn get_json_web_key_set(
        &self,
        _: Request<pb::GetJsonWebKeySetRequest>,
    ) -> Reply<pb::JsonWebKeySet> {
        let keys = self.access.policy(0).keys;
        Ok(Response::new(pb::JsonWebKeySet { keys: keys.iter().map(wire::json_web_key).collect() }))
    }

    async fn get_access_policy(
        &self,
        request: Request<pb::GetAccessPolicyRequest>,
    ) -> Reply<pb::AccessPolicy> {
        Ok(Response::new(self.access.policy(request.into_inner().known_version)))
    }
}

/// The caller's own account. Somebody else's addresses are nobody's business, and not found.
fn own(caller: &Caller, field: &str, name: &str) -> Result<Id<User>, Error> {
    users::named(caller, field, name, "")
}

impl Service {
    /// Signs the access token of a session, outside any transaction.
    fn session(&self, opened: Opened, user: Option<Person>) -> Result<pb::Session, Error> {
        let roles: Vec<String> = opened.roles.iter().map(|id| role::name(id)).collect();
        let now = Timestamp::now();
        let key = self.access.signing_key()?;
        let access_token =
            chassis::auth::token::access(&key, &opened.subject, &opened.session.name(), &roles)?;
        Ok(pb::Session {
            access_token,
            refresh_token: opened.refresh_token,
            access_expire_time: Some(now.plus(chassis::auth::token::ACCESS_LIFETIME).into()),
            refresh_expire_time: Some(opened.refresh_expire_time.into()),
            subject: opened.subject,
            user: user.map(pb::User::from),
        })
    }

    /// Refuses to forget somebody who waits for goods or money. Order answers for the person who asks.
    async fn no_order_is_open(&self, caller: &Caller, user: &Person) -> Result<(), Error> {
        if user.state == State::Erased {
            return Ok(());
        }
        for state in
            [order::order::State::Placed, order::order::State::Confirmed, order::order::State::Shipped]
        {
            let own = caller.subject_if_any() == Some(&user.id.name());
            let customer = if own { String::new() } else { user.id.name() };
            let request = order::ListOrdersRequest {
                page_size: 1,
                customer,
                state: state.into(),
                ..Default::default()
            };
            let answer = self.orders.clone().list_orders(client::as_subject(caller, request)).await;
            let orders = answer.map_err(|status| Error::Peer(Box::new(status)))?.into_inner().orders;
            if !orders.is_empty() {
                return Err(Error::OrderOpen);
            }
        }
        Ok(())
    }
}
