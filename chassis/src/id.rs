//! Ids typed by what they name, so that a payment's id cannot be passed where an order's is meant.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use sea_orm::sea_query::{ArrayType, ColumnType, Nullable, ValueType, ValueTypeErr};
use sea_orm::{ColIdx, DbErr, QueryResult, TryGetError, TryGetable, Value};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// A resource that is called by name: `orders/{uuid}`.
pub trait Resource {
    /// The collection its names begin with, such as `orders`.
    const COLLECTION: &'static str;
}

/// The id of a `T`: a UUID, version 7 where it is made here, so that keys sort by time.
pub struct Id<T> {
    uuid: Uuid,
    of: PhantomData<fn() -> T>,
}

/// The namespace of derived ids. Any fixed UUID serves; it must never change.
const DERIVED: Uuid = Uuid::from_u128(0x5c0f_52d4_3c1e_4f6b_9a6e_7d1b_9b1f_2a01);

impl<T> Id<T> {
    /// A new id that sorts after those made before it.
    #[expect(
        clippy::new_without_default,
        reason = "each call gives another id, which Default does not suggest"
    )]
    pub fn new() -> Self {
        Uuid::now_v7().into()
    }

    /// The id that these parts always give: what makes a repeated step name the same thing again.
    pub fn derived(parts: &[&str]) -> Self {
        Uuid::new_v5(&DERIVED, parts.join("\u{1f}").as_bytes()).into()
    }

    /// The bare UUID.
    pub fn uuid(self) -> Uuid {
        self.uuid
    }
}

impl<T: Resource> Id<T> {
    /// The resource name, such as `orders/{uuid}`.
    pub fn name(self) -> String {
        format!("{}/{}", T::COLLECTION, self.uuid)
    }

    /// Reads a resource name of this collection.
    pub fn parse_name(name: &str) -> Option<Self> {
        let id = name.strip_prefix(T::COLLECTION)?.strip_prefix('/')?;
        id.parse().ok()
    }
}

impl<T> FromStr for Id<T> {
    type Err = uuid::Error;

    /// Reads the hyphenated lower-case form only: one id, one spelling.
    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        let uuid = Uuid::try_parse(text)?;
        if uuid.to_string() == text {
            Ok(uuid.into())
        } else {
            Err(Uuid::try_parse("").expect_err("empty is no UUID"))
        }
    }
}

impl<T> From<Uuid> for Id<T> {
    fn from(uuid: Uuid) -> Self {
        Id { uuid, of: PhantomData }
    }
}

impl<T> fmt::Display for Id<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uuid.fmt(out)
    }
}

impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uuid.fmt(out)
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Id<T> {}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.uuid == other.uuid
    }
}

impl<T> Eq for Id<T> {}

impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.uuid.cmp(&other.uuid)
    }
}

impl<T> std::hash::Hash for Id<T> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.uuid.hash(state);
    }
}

impl<T> Serialize for Id<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.uuid.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Id<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Uuid::deserialize(deserializer).map(Self::from)
    }
}

impl<T> From<Id<T>> for Value {
    fn from(id: Id<T>) -> Value {
        id.uuid.into()
    }
}

impl<T> TryGetable for Id<T> {
    fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
        Uuid::try_get_by(row, index).map(Self::from)
    }
}

impl<T> ValueType for Id<T> {
    fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
        <Uuid as ValueType>::try_from(value).map(Self::from)
    }

    fn type_name() -> String {
        "Id".into()
    }

    fn array_type() -> ArrayType {
        <Uuid as ValueType>::array_type()
    }

    fn column_type() -> ColumnType {
        <Uuid as ValueType>::column_type()
    }
}

impl<T> Nullable for Id<T> {
    fn null() -> Value {
        <Uuid as Nullable>::null()
    }
}

impl<T> sea_orm::TryFromU64 for Id<T> {
    fn try_from_u64(_: u64) -> Result<Self, DbErr> {
        Err(DbErr::ConvertFromU64("Id"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Order;
    impl Resource for Order {
        const COLLECTION: &'static str = "orders";
    }

    #[test]
    fn a_name_reads_back_as_its_id() {
        let id = Id::<Order>::new();
        assert_eq!(Id::parse_name(&id.name()), Some(id));
    }

    #[test]
    fn another_spelling_of_a_name_is_refused() {
        let name = Id::<Order>::new().name();
        for wrong in
            [name.to_uppercase(), name.replace('-', ""), format!("{name} "), name.replace("orders", "carts")]
        {
            assert_eq!(Id::<Order>::parse_name(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_same_parts_give_the_same_id() {
        assert_eq!(Id::<Order>::derived(&["a", "b"]), Id::derived(&["a", "b"]));
        assert_ne!(Id::<Order>::derived(&["a", "b"]), Id::derived(&["ab"]));
    }
}
