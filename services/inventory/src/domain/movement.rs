//! Movements: every change of stock, and why it happened.

use chassis::id::{Id, Resource};
use chassis::time::Timestamp;

use super::{LocationId, Sku};

/// Why stock changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Receipt,
    Sale,
    Return,
    Adjustment,
    Reserve,
    Release,
}

impl Kind {
    const ALL: [(Kind, &'static str); 6] = [
        (Kind::Receipt, "RECEIPT"),
        (Kind::Sale, "SALE"),
        (Kind::Return, "RETURN"),
        (Kind::Adjustment, "ADJUSTMENT"),
        (Kind::Reserve, "RESERVE"),
        (Kind::Release, "RELEASE"),
    ];

    /// How it is stored.
    pub(crate) fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, word)| word)
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(kind, _)| *kind)
    }
}

/// One change of stock: by how much, where, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Movement {
    pub(crate) sku: Sku,
    pub(crate) location: LocationId,
    pub(crate) kind: Kind,
    pub(crate) on_hand: i64,
    pub(crate) reserved: i64,
}

impl Movement {
    pub(crate) fn new(kind: Kind, sku: &Sku, location: &LocationId, on_hand: i64, reserved: i64) -> Self {
        Self { sku: sku.clone(), location: location.clone(), kind, on_hand, reserved }
    }
}

/// What the movements of one change have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    /// What caused them, such as an order.
    pub(crate) reference: String,
    /// Who did it.
    pub(crate) actor: String,
    /// The words given with it.
    pub(crate) reason: String,
    pub(crate) time: Timestamp,
}

/// A movement as the journal keeps it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) id: Id<Entry>,
    pub(crate) movement: Movement,
    pub(crate) cause: Cause,
}

impl Resource for Entry {
    const COLLECTION: &'static str = "movements";
}
