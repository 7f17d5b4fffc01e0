//! Where shipments have been.

use std::collections::HashMap;

use chassis::id::Id;
use chassis::rows::Rows;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, QueryResult};

use super::{damaged, get, run};
use crate::domain::{Happening, Shipment, State};

/// Keeps what happened to a shipment that was loaded in this transaction.
pub(crate) async fn append(
    tx: &DatabaseTransaction,
    shipment: &Shipment,
    happening: &Happening,
) -> Result<(), DbErr> {
    let sql = "INSERT INTO tracking_events (shipment, number, state, event_time, location, description)
               VALUES ($1, $2, $3, $4, $5, $6)";
    let number = i64::try_from(shipment.happenings.len()).unwrap_or(i64::MAX);
    let values = vec![
        shipment.id.into(),
        number.into(),
        happening.state.as_str().into(),
        happening.time.into(),
        happening.location.as_str().into(),
        happening.description.as_str().into(),
    ];
    run(tx, sql, values).await?;
    Ok(())
}

/// What happened to each of these shipments, oldest first.
pub(super) async fn of(
    db: &impl ConnectionTrait,
    wanted: &Rows<1>,
) -> Result<HashMap<Id<Shipment>, Vec<Happening>>, DbErr> {
    let sql = "SELECT shipment, state, event_time, location, description
               FROM tracking_events JOIN {rows} AS these ON wanted = shipment ORDER BY event_time, number";
    let read = |row: &QueryResult| {
        let happening = Happening {
            state: State::parse(&get::<String>(row, 1)?)
                .ok_or_else(|| damaged("the state of a tracking event"))?,
            time: get(row, 2)?,
            location: get(row, 3)?,
            description: get(row, 4)?,
        };
        Ok((get::<Id<Shipment>>(row, 0)?, happening))
    };
    let mut found: HashMap<_, Vec<_>> = HashMap::new();
    for (shipment, happening) in wanted.query(db, sql, &[], read).await? {
        found.entry(shipment).or_default().push(happening);
    }
    Ok(found)
}
