//! The books: what must hold of carts, as queries that find who breaks it.

use chassis::id::Id;
use sea_orm::{ConnectionTrait, DbErr};

use super::{get, rows};
use crate::domain::Cart;

/// An invariant over all carts: the query finds the first hundred offenders.
pub(crate) struct Invariant {
    pub(crate) number: &'static str,
    pub(crate) what: &'static str,
    offenders: &'static str,
}

pub(crate) const INVARIANTS: [Invariant; 3] = [
    Invariant {
        number: "I30",
        what: "a cart has at most 100 lines of 1 to 999 in one currency",
        offenders: "SELECT cart FROM cart_lines GROUP BY cart
                    HAVING COUNT(*) > 100 OR MIN(quantity) < 1 OR MAX(quantity) > 999
                        OR COUNT(DISTINCT added_currency) > 1 LIMIT 100",
    },
    Invariant {
        number: "I22",
        what: "an owner has one open cart",
        offenders: "SELECT id FROM carts WHERE state = 'OPEN' AND owner IN
                        (SELECT owner FROM carts WHERE state = 'OPEN' GROUP BY owner HAVING COUNT(*) > 1) LIMIT 100",
    },
    Invariant {
        number: "I22",
        what: "an ordered cart names its order, and no other does",
        offenders: "SELECT id FROM carts WHERE (state = 'ORDERED') <> (order_name <> '') LIMIT 100",
    },
];

/// How many carts there are, and the names of the first that break the invariant.
pub(crate) async fn check(
    db: &impl ConnectionTrait,
    invariant: &Invariant,
) -> Result<(i64, Vec<String>), DbErr> {
    let count = rows(db, "SELECT COUNT(*) FROM carts", vec![], |row| get::<i64>(row, 0)).await?;
    let name = |id: Id<Cart>| id.name();
    let offenders = rows(db, invariant.offenders, vec![], |row| get(row, 0).map(name)).await?;
    Ok((count.into_iter().next().unwrap_or_default(), offenders))
}
