//! What cart keeps: carts, found by owner and name together, so that somebody else's is simply not found.

pub(crate) mod audit;
pub(crate) mod lines;

use std::collections::BTreeMap;

use chassis::id::Id;
use chassis::rows::{Column, Rows, text, uuid};
use chassis::time::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, QueryResult, Statement, Value};

use crate::domain::{Cart, State};

const COLUMNS: &str = "id, owner, state, coupon_code, order_name, version, create_time, update_time";

/// Reads the rows of a query.
async fn rows<T>(
    db: &impl ConnectionTrait,
    sql: &str,
    values: Vec<Value>,
    read: impl Fn(&QueryResult) -> Result<T, DbErr>,
) -> Result<Vec<T>, DbErr> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    db.query_all_raw(statement).await?.iter().map(read).collect()
}

/// Runs a statement that writes, and says how many rows it met.
async fn run(tx: &DatabaseTransaction, sql: &str, values: Vec<Value>) -> Result<u64, DbErr> {
    let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
    Ok(tx.execute_raw(statement).await?.rows_affected())
}

/// A column by its place.
fn get<T: sea_orm::TryGetable>(row: &QueryResult, place: usize) -> Result<T, DbErr> {
    row.try_get_by_index(place)
}

fn damaged(what: &str) -> DbErr {
    DbErr::Type(format!("{what} is not one that was stored"))
}

fn read(row: &QueryResult) -> Result<Cart, DbErr> {
    Ok(Cart {
        id: get(row, 0)?,
        owner: get(row, 1)?,
        state: State::parse(&get::<String>(row, 2)?).ok_or_else(|| damaged("the state of a cart"))?,
        coupon_code: get(row, 3)?,
        order: get(row, 4)?,
        version: get(row, 5)?,
        create_time: get(row, 6)?,
        update_time: get(row, 7)?,
        lines: Vec::new(),
    })
}

async fn one(db: &impl ConnectionTrait, sql: &str, values: Vec<Value>) -> Result<Option<Cart>, DbErr> {
    let Some(cart) = rows(db, sql, values, read).await?.pop() else { return Ok(None) };
    let lines = lines::of(db, cart.id).await?;
    Ok(Some(Cart { lines, ..cart }))
}

/// A cart: the owner's, or anybody's for a service that acts for nobody.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    owner: Option<&str>,
    id: Id<Cart>,
) -> Result<Option<Cart>, DbErr> {
    let sql = format!("SELECT {COLUMNS} FROM carts WHERE id = $1");
    let found = one(db, &sql, vec![id.into()]).await?;
    Ok(found.filter(|cart| owner.is_none_or(|owner| cart.owner == owner)))
}

/// The owner's open cart.
pub(crate) async fn find_open(db: &impl ConnectionTrait, owner: &str) -> Result<Option<Cart>, DbErr> {
    one(db, &format!("SELECT {COLUMNS} FROM carts WHERE owner = $1 AND state = 'OPEN'"), vec![owner.into()])
        .await
}

/// Reads a cart of the owner's to change it: nobody else does until the transaction ends. Writing is what takes hold of
/// a row on both databases.
pub(crate) async fn load(tx: &DatabaseTransaction, owner: &str, id: Id<Cart>) -> Result<Option<Cart>, DbErr> {
    let sql = format!(
        "UPDATE carts SET update_time = update_time WHERE id = $1 AND owner = $2 RETURNING {COLUMNS}"
    );
    one(tx, &sql, vec![id.into(), owner.into()]).await
}

/// Reads the owner's open cart to change it. One that was abandoned is taken up again; where there is none at all, one
/// is made.
pub(crate) async fn load_open(tx: &DatabaseTransaction, owner: &str) -> Result<Cart, DbErr> {
    if let Some(cart) = try_load_open(tx, owner).await? {
        return Ok(cart);
    }
    let now = Timestamp::now();
    let sql = format!(
        "UPDATE carts SET state = 'OPEN', version = version + 1, update_time = $2
         WHERE id = (SELECT id FROM carts WHERE owner = $1 AND state = 'ABANDONED' ORDER BY update_time DESC LIMIT 1)
         RETURNING {COLUMNS}"
    );
    if let Some(cart) = one(tx, &sql, vec![owner.into(), now.into()]).await? {
        return Ok(cart);
    }
    let sql =
        "INSERT INTO carts (id, owner, state, coupon_code, order_name, version, create_time, update_time)
               VALUES ($1, $2, 'OPEN', '', '', 1, $3, $3) ON CONFLICT DO NOTHING";
    run(tx, sql, vec![Id::<Cart>::new().into(), owner.into(), now.into()]).await?;
    try_load_open(tx, owner).await?.ok_or_else(|| DbErr::RecordNotInserted)
}

/// Reads the owner's open cart, if there is one, to change it.
pub(crate) async fn try_load_open(tx: &DatabaseTransaction, owner: &str) -> Result<Option<Cart>, DbErr> {
    let sql = format!(
        "UPDATE carts SET update_time = update_time WHERE owner = $1 AND state = 'OPEN' RETURNING {COLUMNS}"
    );
    one(tx, &sql, vec![owner.into()]).await
}

/// Reads the cart an order was made of to change it.
pub(crate) async fn load_of_order(tx: &DatabaseTransaction, order: &str) -> Result<Option<Cart>, DbErr> {
    let sql = format!(
        "UPDATE carts SET update_time = update_time WHERE order_name = $1 AND state = 'ORDERED' RETURNING {COLUMNS}"
    );
    one(tx, &sql, vec![order.into()]).await
}

/// Reads the latest cart to change it that the owner has left or is filling.
pub(crate) async fn load_left(tx: &DatabaseTransaction, owner: &str) -> Result<Option<Cart>, DbErr> {
    let sql = format!(
        "UPDATE carts SET update_time = update_time
         WHERE id = (SELECT id FROM carts WHERE owner = $1 AND state IN ('OPEN', 'ABANDONED')
                     ORDER BY update_time DESC LIMIT 1)
         RETURNING {COLUMNS}"
    );
    one(tx, &sql, vec![owner.into()]).await
}

/// Keeps the state, the coupon and the order of a cart that was loaded in this transaction, as a new version.
pub(crate) async fn save(tx: &DatabaseTransaction, cart: &Cart) -> Result<Cart, DbErr> {
    let now = Timestamp::now();
    let sql = "UPDATE carts SET state = $2, coupon_code = $3, order_name = $4, version = $5, update_time = $6
               WHERE id = $1";
    let version = cart.version + 1;
    let values = vec![
        cart.id.into(),
        cart.state.as_str().into(),
        cart.coupon_code.as_str().into(),
        cart.order.as_str().into(),
        version.into(),
        now.into(),
    ];
    run(tx, sql, values).await?;
    let lines = lines::of(tx, cart.id).await?;
    Ok(Cart { version, update_time: now, lines, ..cart.clone() })
}

/// A cart of an owner that an order was made of, and how many the order has of each variant.
#[derive(Clone, Debug)]
pub(crate) struct Ordered<'a> {
    pub(crate) cart: Id<Cart>,
    pub(crate) owner: &'a str,
    pub(crate) order: &'a str,
    pub(crate) lines: BTreeMap<&'a str, i64>,
}

/// Notes of which carts orders were made, of each cart one, as a new version of each that was still open or abandoned, or
/// that an older order had: names of orders sort by their time. Answers those it noted it of.
pub(crate) async fn order<'a>(
    tx: &DatabaseTransaction,
    orders: impl IntoIterator<Item = &'a Ordered<'a>>,
) -> Result<Vec<Cart>, DbErr> {
    const ORDERED: [Column; 3] = [uuid("cart"), text("of_owner"), text("order_made")];
    let sql = format!(
        "UPDATE carts SET state = 'ORDERED', order_name = order_made, version = version + 1, update_time = $1
         FROM {{rows}} AS these
         WHERE id = cart AND owner = of_owner
           AND (state IN ('OPEN', 'ABANDONED') OR (state = 'ORDERED' AND order_name < order_made))
         RETURNING {COLUMNS}"
    );
    let row = |one: &Ordered<'_>| [one.cart.into(), one.owner.into(), one.order.into()];
    let rows = Rows::new(&ORDERED, orders.into_iter().map(row));
    let carts = rows.query(tx, &sql, &[Timestamp::now().into()], read).await?;
    with_lines(tx, carts).await
}

/// Reads those carts of these orders to change them that were merged into others.
pub(crate) async fn load_merged<'a>(
    tx: &DatabaseTransaction,
    orders: impl IntoIterator<Item = &'a Ordered<'a>>,
) -> Result<Vec<Cart>, DbErr> {
    const MERGED: [Column; 2] = [uuid("cart"), text("of_owner")];
    let sql = format!(
        "UPDATE carts SET update_time = update_time FROM {{rows}} AS these
         WHERE id = cart AND owner = of_owner AND state = 'MERGED' RETURNING {COLUMNS}"
    );
    let row = |one: &Ordered<'_>| [one.cart.into(), one.owner.into()];
    Rows::new(&MERGED, orders.into_iter().map(row)).query(tx, &sql, &[], read).await
}

async fn with_lines(tx: &DatabaseTransaction, mut carts: Vec<Cart>) -> Result<Vec<Cart>, DbErr> {
    let mut lines = lines::of_all(tx, carts.iter().map(|cart| cart.id)).await?;
    for cart in &mut carts {
        cart.lines = lines.remove(&cart.id).unwrap_or_default();
    }
    Ok(carts)
}

/// Open carts with something in them that nobody has changed since.
pub(crate) async fn at_rest(
    db: &impl ConnectionTrait,
    since: Timestamp,
    limit: i64,
) -> Result<Vec<Id<Cart>>, DbErr> {
    let sql = "SELECT id FROM carts c WHERE state = 'OPEN' AND update_time < $1
               AND EXISTS (SELECT 1 FROM cart_lines l WHERE l.cart = c.id) ORDER BY update_time LIMIT $2";
    rows(db, sql, vec![since.into(), limit.into()], |row| get(row, 0)).await
}

/// Notes that a cart is abandoned, unless somebody came back to it meanwhile.
pub(crate) async fn abandon(
    tx: &DatabaseTransaction,
    id: Id<Cart>,
    since: Timestamp,
) -> Result<Option<Cart>, DbErr> {
    let sql = format!(
        "UPDATE carts SET state = 'ABANDONED', version = version + 1
         WHERE id = $1 AND state = 'OPEN' AND update_time < $2 RETURNING {COLUMNS}"
    );
    one(tx, &sql, vec![id.into(), since.into()]).await
}

/// Takes away open carts that nobody has put anything into since.
pub(crate) async fn sweep(tx: &DatabaseTransaction, since: Timestamp) -> Result<u64, DbErr> {
    let sql = "DELETE FROM carts WHERE state = 'OPEN' AND update_time < $1
               AND NOT EXISTS (SELECT 1 FROM cart_lines l WHERE l.cart = carts.id)";
    run(tx, sql, vec![since.into()]).await
}

/// Takes away carts that became an order or part of another cart, and that nothing has happened to since. Says how many.
pub(crate) async fn forget_closed(
    tx: &DatabaseTransaction,
    since: Timestamp,
    limit: i64,
) -> Result<u64, DbErr> {
    const CARTS: [Column; 1] = [uuid("closed")];
    // Held first, so that none is reopened while its lines go.
    let sql = "UPDATE carts SET update_time = update_time
               WHERE state IN ('ORDERED', 'MERGED') AND update_time < $1
                 AND id IN (SELECT id FROM carts WHERE state IN ('ORDERED', 'MERGED') AND update_time < $1
                            ORDER BY update_time LIMIT $2)
               RETURNING id";
    let held = rows(tx, sql, vec![since.into(), limit.into()], |row| get::<Id<Cart>>(row, 0)).await?;
    let closed = Rows::new(&CARTS, held.into_iter().map(|id| [id.into()]));
    closed.run(tx, "DELETE FROM cart_lines WHERE cart IN (SELECT closed FROM {rows} AS these)", &[]).await?;
    closed.run(tx, "DELETE FROM carts WHERE id IN (SELECT closed FROM {rows} AS these)", &[]).await
}

/// Takes away everything of an owner.
pub(crate) async fn erase(tx: &DatabaseTransaction, owner: &str) -> Result<(), DbErr> {
    let lines = "DELETE FROM cart_lines WHERE cart IN (SELECT id FROM carts WHERE owner = $1)";
    run(tx, lines, vec![owner.into()]).await?;
    run(tx, "DELETE FROM carts WHERE owner = $1", vec![owner.into()]).await?;
    Ok(())
}
