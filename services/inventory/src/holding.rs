//! Holds stock for orders that ask at the same time together: the rows of what everybody wants are taken hold of once
//! for all of them, instead of by each in turn.

use chassis::db::Db;
use chassis::together::{self, Served, Together};
use tonic::Status;

use crate::domain::Reservation;
use crate::service::reservations::{self, Wish};

impl together::Wish for Wish {
    type Answer = Reservation;

    fn about(&self) -> &str {
        &self.order
    }

    fn size(&self) -> usize {
        self.wanted.len()
    }
}

/// Where orders ask for stock.
pub(crate) fn of(db: &Db) -> Together<Wish> {
    let db = db.clone();
    Together::new(move |wishes| {
        let db = db.clone();
        async move { hold(&db, wishes).await }
    })
}

async fn hold(db: &Db, wishes: Vec<Wish>) -> Served<Wish> {
    let answers =
        db.write(async |tx| reservations::reserve(tx, &wishes).await).await.map_err(Status::from)?;
    Ok(answers.into_iter().map(|answer| answer.map_err(Status::from)).collect())
}
