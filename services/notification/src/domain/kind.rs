//! What can be told: over which channels, with which places to fill, and whether people may turn it off.
use super::Channel;

/// One kind of message.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) channels: &'static [Channel],
    /// What its template may use.
    pub(crate) places: &'static [&'static str],
    /// Muted together with news about shipments.
    pub(crate) shipping_update: bool,
    /// Brings a code: nothing of its text is kept once it is sent.
    pub(crate) secret: bool,
}

const MAIL: &[Channel] = &[Channel::Email];
const BOTH: &[Channel] = &[Channel::Email, Channel::Inbox];
const ORDER: &[&str] = &["name", "order", "lines", "total", "reason", "refund"];

const fn kind(name: &'static str, channels: &'static [Channel], places: &'static [&'static str]) -> Kind {
    Kind { name, channels, places, shipping_update: false, secret: false }
}

pub(crate) const VERIFY_CONTACT: Kind =
    Kind { secret: true, ..kind("verify-contact", MAIL, &["name", "code"]) };
/// To where a guest is reached: somebody with an account wants the guest's order to be theirs.
pub(crate) const CLAIM_ORDER: Kind =
    Kind { secret: true, ..kind("claim-order", MAIL, &["name", "order", "code"]) };
pub(crate) const ACCOUNT_EXISTS: Kind = kind("account-exists", MAIL, &["name"]);
pub(crate) const PASSWORD_RESET: Kind =
    Kind { secret: true, ..kind("password-reset", MAIL, &["name", "code"]) };
pub(crate) const PASSWORD_CHANGED: Kind = kind("password-changed", MAIL, &["name"]);
pub(crate) const WELCOME: Kind = kind("welcome", BOTH, &["name"]);
pub(crate) const ORDER_CONFIRMED: Kind = kind("order-confirmed", BOTH, ORDER);
pub(crate) const ORDER_SHIPPED: Kind = Kind { shipping_update: true, ..kind("order-shipped", BOTH, ORDER) };
pub(crate) const ORDER_DELIVERED: Kind =
    Kind { shipping_update: true, ..kind("order-delivered", BOTH, ORDER) };
pub(crate) const ORDER_CANCELLED: Kind = kind("order-cancelled", BOTH, ORDER);
pub(crate) const RETURN_RECEIVED: Kind = kind("return-received", BOTH, ORDER);
/// For staff; there is nobody to tell yet, so it is only recorded.
pub(crate) const STOCK_LOW: Kind = kind("stock-low", MAIL, &["sku", "available"]);

const ALL: [&Kind; 12] = [
    &VERIFY_CONTACT,
    &CLAIM_ORDER,
    &ACCOUNT_EXISTS,
    &PASSWORD_RESET,
    &PASSWORD_CHANGED,
    &WELCOME,
    &ORDER_CONFIRMED,
    &ORDER_SHIPPED,
    &ORDER_DELIVERED,
    &ORDER_CANCELLED,
    &RETURN_RECEIVED,
    &STOCK_LOW,
];

/// The kind of that name.
pub(crate) fn find(name: &str) -> Option<&'static Kind> {
    ALL.into_iter().find(|kind| kind.name == name)
}
