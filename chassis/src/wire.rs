//! From the wire to the domain, field by field: each helper names the field it refuses.

use tonic::Status;

use crate::id::{Id, Resource};
use crate::money::Money;
use crate::status;
use crate::time::Timestamp;

/// Reads the name of a resource of ours, such as `orders/{uuid}`.
pub fn name<T: Resource>(field: &str, name: &str) -> Result<Id<T>, Status> {
    Id::parse_name(name)
        .ok_or_else(|| status::invalid(field, format!("must be a name like {}/{{uuid}}", T::COLLECTION)))
}

/// Reads the name of a resource that another service owns, by its pattern, such as `products/{id}/variants/{id}`: kept as it
/// is, checked for its form only.
pub fn foreign_name(field: &str, pattern: &str, name: &str) -> Result<String, Status> {
    let fits = |(expected, segment): (&str, &str)| match expected {
        "{id}" => !segment.is_empty() && segment.len() <= 128 && !segment.contains(char::is_whitespace),
        collection => segment == collection,
    };
    let fits_all = pattern.split('/').count() == name.split('/').count()
        && pattern.split('/').zip(name.split('/')).all(fits);
    match fits_all {
        true => Ok(name.to_owned()),
        false => Err(status::invalid(field, format!("must be a name like {pattern}"))),
    }
}

/// Takes a field that must be there.
pub fn required<T>(field: &str, value: Option<T>) -> Result<T, Status> {
    value.ok_or_else(|| status::invalid(field, "is required"))
}

/// Reads an amount of money that must be there.
pub fn money(field: &str, money: Option<&contract::Money>) -> Result<Money, Status> {
    let money = required(field, money)?;
    Money::try_from(money).map_err(|error| status::invalid(field, error.to_string()))
}

/// Reads a time that must be there.
pub fn timestamp(field: &str, time: Option<&prost_types::Timestamp>) -> Result<Timestamp, Status> {
    let time = required(field, time)?;
    <Timestamp as TryFrom<_>>::try_from(time).map_err(|error| status::invalid(field, error.to_string()))
}

/// Reads a time that may be left out.
pub fn optional_timestamp(
    field: &str,
    time: Option<&prost_types::Timestamp>,
) -> Result<Option<Timestamp>, Status> {
    time.map(|time| timestamp(field, Some(time))).transpose()
}

/// The paths an update asks for, each one of `allowed`; all of them where the mask is empty.
pub fn mask(
    mask: Option<&prost_types::FieldMask>,
    allowed: &[&'static str],
) -> Result<Vec<&'static str>, Status> {
    let paths = mask.map(|mask| mask.paths.as_slice()).unwrap_or_default();
    if paths.is_empty() || paths == ["*"] {
        return Ok(allowed.to_vec());
    }
    let known = |path: &String| {
        allowed.iter().copied().find(|allowed| allowed == path).ok_or_else(|| {
            status::invalid(
                "update_mask",
                format!("names {path}, which cannot change; these can: {}", allowed.join(", ")),
            )
        })
    };
    paths.iter().map(known).collect()
}
