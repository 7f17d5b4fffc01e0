//! The journal of movements: written with each change, never changed.

use chassis::id::Id;
use chassis::rows::{self, Column, Rows};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, QueryResult, Value};

use super::{damaged, get, rows};
use crate::domain::movement::Entry;
use crate::domain::{Cause, Kind, LocationId, Movement, Sku};

const MOVEMENTS: [Column; 10] = [
    rows::uuid("id"),
    rows::text("sku"),
    rows::text("location"),
    rows::text("kind"),
    rows::bigint("on_hand_delta"),
    rows::bigint("reserved_delta"),
    rows::text("reference"),
    rows::text("actor"),
    rows::text("reason"),
    rows::bigint("create_time"),
];

/// Writes movements, each with its cause.
pub(crate) async fn append(tx: &DatabaseTransaction, movements: &[(Movement, Cause)]) -> Result<(), DbErr> {
    let row = |(movement, cause): &(Movement, Cause)| -> [Value; 10] {
        [
            Id::<Entry>::new().into(),
            movement.sku.as_str().into(),
            movement.location.as_str().into(),
            movement.kind.as_str().into(),
            movement.on_hand.into(),
            movement.reserved.into(),
            cause.reference.as_str().into(),
            cause.actor.as_str().into(),
            cause.reason.as_str().into(),
            cause.time.into(),
        ]
    };
    let sql = "INSERT INTO movements
                   (id, sku, location, kind, on_hand_delta, reserved_delta, reference, actor, reason, create_time)
               SELECT id, sku, location, kind, on_hand_delta, reserved_delta, reference, actor, reason, create_time
               FROM {rows} AS new";
    Rows::new(&MOVEMENTS, movements.iter().map(row)).run(tx, sql, &[]).await?;
    Ok(())
}

/// Which movements to list.
#[derive(Debug, Default)]
pub(crate) struct Filter<'a> {
    pub(crate) sku: Option<&'a Sku>,
    pub(crate) reference: Option<&'a str>,
    /// Only those before the one made at this time under this id.
    pub(crate) before: Option<(i64, Id<Entry>)>,
}

/// So many movements, newest first.
pub(crate) async fn list(
    db: &impl ConnectionTrait,
    filter: &Filter<'_>,
    limit: u64,
) -> Result<Vec<Entry>, DbErr> {
    let mut values: Vec<Value> = Vec::new();
    let mut conditions = vec!["TRUE".to_owned()];
    if let Some(sku) = filter.sku {
        values.push(sku.as_str().into());
        conditions.push(format!("sku = ${}", values.len()));
    }
    if let Some(reference) = filter.reference {
        values.push(reference.into());
        conditions.push(format!("reference = ${}", values.len()));
    }
    if let Some((time, id)) = filter.before {
        values.extend([time.into(), id.into()]);
        conditions.push(format!("(create_time, id) < (${}, ${})", values.len() - 1, values.len()));
    }
    values.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
    let sql = format!(
        "SELECT id, sku, location, kind, on_hand_delta, reserved_delta, reference, actor, reason, create_time
         FROM movements WHERE {} ORDER BY create_time DESC, id DESC LIMIT ${}",
        conditions.join(" AND "),
        values.len()
    );
    rows(db, &sql, values, read).await
}

fn read(row: &QueryResult) -> Result<Entry, DbErr> {
    let movement = Movement {
        sku: Sku::stored(get(row, 1)?),
        location: LocationId::stored(get(row, 2)?),
        kind: Kind::parse(&get::<String>(row, 3)?).ok_or_else(|| damaged("the kind of a movement"))?,
        on_hand: get(row, 4)?,
        reserved: get(row, 5)?,
    };
    let cause =
        Cause { reference: get(row, 6)?, actor: get(row, 7)?, reason: get(row, 8)?, time: get(row, 9)? };
    Ok(Entry { id: get(row, 0)?, movement, cause })
}
