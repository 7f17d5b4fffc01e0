//! Between the wire and the domain: what people type is judged here, field by field.
use std::{collections::BTreeSet, sync::LazyLock};

use chassis::{caller::Caller, id::Id, policy, wire};
use contract::{common::v1::PostalAddress as PbPostalAddress, identity::v1 as pb};
use prost_types::FieldMask;
use tonic::Status;

use crate::{
    domain::{
        Address, User,
        address::PostalAddress,
        password as passwords,
        person::{self, Email, State},
        role::{self, Role},
    },
    error::Error,
    service::users::{self, Changes},
    store::{addresses::Kept, users::Person},
};

pub(super) fn email(field: &str, text: &str) -> Result<Email, Error> {
    Email::parse(text).ok_or_else(|| Error::field(field, "must be an e-mail address"))
}

pub(super) fn display_name(field: &str, name: &str) -> Result<String, Error> {
    match person::display_name_fault(name) {
        Some(fault) => Err(Error::field(field, fault)),
        None => Ok(name.trim().to_owned()),
    }
}

pub(super) fn locale(field: &str, tag: &str) -> Result<String, Error> {
    person::locale(tag).ok_or_else(|| Error::field(field, "must be a language tag such as en or zh-CN"))
}

pub(super) fn password(field: &str, password: &str, email: &Email) -> Result<(), Error> {
    match passwords::fault(password, email) {
        Some(fault) => Err(Error::field(field, fault)),
        None => Ok(()),
    }
}

/// Whether an update changes a field: one that the mask names, or without a mask one that is set.
fn changes(mask: Option<&FieldMask>, field: &str, set: bool) -> bool {
    match mask.map(|mask| mask.paths.as_slice()).unwrap_or_default() {
        [] => set,
        paths => paths.iter().any(|path| path == field || path == "*"),
    }
}

/// The user to change, and how.
pub(super) fn profile(request: &pb::UpdateUserRequest) -> Result<(String, Changes), Status> {
    wire::mask(request.update_mask.as_ref(), &["display_name", "locale"])?;
    let user = wire::required("user", request.user.as_ref())?;
    let mask = request.update_mask.as_ref();
    let display_name = changes(mask, "display_name", !user.display_name.is_empty())
        .then(|| display_name("user.display_name", &user.display_name))
        .transpose()?;
    let locale = changes(mask, "locale", !user.locale.is_empty())
        .then(|| locale("user.locale", &user.locale))
        .transpose()?;
    Ok((user.name.clone(), Changes { display_name, locale, etag: user.etag.clone() }))
}

/// The user and the address in `users/{user}/addresses/{address}`. Another user's is not found.
pub(super) fn address_name(
    field: &str,
    caller: &Caller,
    name: &str,
) -> Result<(Id<User>, Id<Address>), Error> {
    let wrong = || Error::field(field, "must be a name like users/{uuid}/addresses/{uuid}");
    let (user, id) = name.split_once("/addresses/").ok_or_else(wrong)?;
    let id = id.parse().map_err(|_| wrong())?;
    match users::named(caller, field, user, "") {
        Ok(user) => Ok((user, id)),
        Err(Error::UserNotFound) => Err(Error::AddressNotFound),
        Err(_) => Err(wrong()),
    }
}

fn postal(field: &str, address: Option<&PbPostalAddress>) -> Result<PostalAddress, Status> {
    let address = wire::required(field, address)?.clone();
    let postal = PostalAddress {
        recipient: address.recipient,
        line1: address.line1,
        line2: address.line2,
        city: address.city,
        region: address.region,
        postal_code: address.postal_code,
        country_code: address.country_code,
        phone: address.phone,
    };
    match postal.faults().first() {
        Some((part, fault)) => Err(Error::field(format!("{field}.{part}"), *fault).into()),
        None => Ok(postal),
    }
}

pub(super) fn new_address(user: Id<User>, address: Option<&pb::Address>) -> Result<Kept, Status> {
    let address = wire::required("address", address)?;
    let postal = postal("address.postal_address", address.postal_address.as_ref())?;
    Ok(Kept { id: Id::new(), user, postal, preferred: address.preferred })
}

/// The address to change, and how.
pub(super) fn address_change(
    request: &pb::UpdateAddressRequest,
) -> Result<(&str, impl FnOnce(&mut Kept) + use<>), Status> {
    wire::mask(request.update_mask.as_ref(), &["postal_address", "preferred"])?;
    let address = wire::required("address", request.address.as_ref())?;
    let mask = request.update_mask.as_ref();
    let new_postal = changes(mask, "postal_address", address.postal_address.is_some())
        .then(|| postal("address.postal_address", address.postal_address.as_ref()))
        .transpose()?;
    let preferred = changes(mask, "preferred", address.preferred).then_some(address.preferred);
    let change = move |kept: &mut Kept| {
        if let Some(postal) = new_postal {
            kept.postal = postal;
        }
        kept.preferred = preferred.unwrap_or(kept.preferred);
    };
    Ok((&address.name, change))
}

pub(super) fn role_name<'a>(field: &str, name: &'a str) -> Result<&'a str, Error> {
    role::parse_name(name).ok_or_else(|| Error::field(field, "must be a name like roles/support"))
}

/// Every permission that means something: those the contract asks for, and those the built-in roles hold.
static PERMISSIONS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let asked = policy::all().filter_map(|method| match &method.access {
        policy::Access::Permission(permission) => Some(permission.clone()),
        policy::Access::Public | policy::Access::Guest | policy::Access::User | policy::Access::Internal => {
            None
        }
    });
    let held = crate::migration::BUILT_IN
        .iter()
        .flat_map(|(_, _, permissions)| permissions.iter().map(|held| (*held).to_owned()));
    asked.chain(held).collect()
});

fn permissions(permissions: &[String]) -> Result<BTreeSet<String>, Error> {
    match permissions.iter().find(|permission| !PERMISSIONS.contains(*permission)) {
        Some(unknown) => {
            Err(Error::field("role.permissions", format!("names {unknown}, which is no permission")))
        }
        None => Ok(permissions.iter().cloned().collect()),
    }
}

fn title(title: &str) -> Result<String, Error> {
    display_name("role.title", title)
}

pub(super) fn new_role(request: &pb::CreateRoleRequest) -> Result<Role, Status> {
    if !role::is_id(&request.role_id) {
        return Err(Error::field("role_id", "must be lower case letters, digits and hyphens").into());
    }
    let new = wire::required("role", request.role.as_ref())?;
    Ok(Role {
        id: request.role_id.clone(),
        title: title(&new.title)?,
        permissions: permissions(&new.permissions)?,
        system: false,
    })
}

/// The role to change, and how.
pub(super) fn role_change(
    request: &pb::UpdateRoleRequest,
) -> Result<(&str, impl FnOnce(&mut Role) + use<>), Status> {
    wire::mask(request.update_mask.as_ref(), &["title", "permissions"])?;
    let new = wire::required("role", request.role.as_ref())?;
    let mask = request.update_mask.as_ref();
    let id = role_name("role.name", &new.name)?;
    let new_title = changes(mask, "title", !new.title.is_empty()).then(|| title(&new.title)).transpose()?;
    let new_permissions = changes(mask, "permissions", !new.permissions.is_empty())
        .then(|| permissions(&new.permissions))
        .transpose()?;
    let change = move |role: &mut Role| {
        role.title = new_title.unwrap_or_else(|| role.title.clone());
        role.permissions = new_permissions.unwrap_or_else(|| role.permissions.clone());
    };
    Ok((id, change))
}

/// A public key in the terms of RFC 8037.
pub(super) fn json_web_key(key: &pb::VerificationKey) -> pb::JsonWebKey {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    pb::JsonWebKey {
        kty: "OKP".to_owned(),
        crv: "Ed25519".to_owned(),
        kid: key.key_id.clone(),
        x: BASE64_URL_SAFE_NO_PAD.encode(&key.public_key),
        alg: "EdDSA".to_owned(),
        r#use: "sig".to_owned(),
    }
}

impl From<State> for pb::user::State {
    fn from(state: State) -> Self {
        match state {
            State::Unverified => Self::Unverified,
            State::Active => Self::Active,
            State::Disabled => Self::Disabled,
            State::Erased => Self::Erased,
        }
    }
}

impl From<Person> for pb::User {
    fn from(user: Person) -> Self {
        Self {
            name: user.id.name(),
            etag: users::etag(&user),
            email: user.email,
            display_name: user.display_name,
            locale: user.locale,
            state: pb::user::State::from(user.state).into(),
            roles: user.roles.iter().map(|id| role::name(id)).collect(),
            create_time: Some(user.create_time.into()),
            update_time: Some(user.update_time.into()),
        }
    }
}

impl From<Kept> for pb::Address {
    fn from(kept: Kept) -> Self {
        let postal = kept.postal;
        Self {
            name: format!("{}/addresses/{}", kept.user.name(), kept.id),
            postal_address: Some(PbPostalAddress {
                recipient: postal.recipient,
                line1: postal.line1,
                line2: postal.line2,
                city: postal.city,
                region: postal.region,
                postal_code: postal.postal_code,
                country_code: postal.country_code,
                phone: postal.phone,
            }),
            preferred: kept.preferred,
        }
    }
}

impl From<Role> for pb::Role {
    fn from(role: Role) -> Self {
        Self {
            name: role::name(&role.id),
            title: role.title,
            permissions: role.permissions.into_iter().collect(),
            system: role.system,
        }
    }
}
