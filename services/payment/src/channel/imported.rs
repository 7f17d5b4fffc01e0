//! The channel of orders that were paid elsewhere: money moves there, and is only recorded here.

use async_trait::async_trait;

use super::{Accepted, Answer, Authorization, Channel, Charge, Fault, Outcome};

/// Its name.
pub(crate) const IMPORTED: &str = "imported";

pub(super) struct Imported;

fn recorded(charge: &Charge<'_>) -> Outcome {
    Outcome::Accepted(Accepted {
        reference: charge.reference.to_owned(),
        method_summary: String::new(),
        amount: charge.amount,
        fee: 0,
    })
}

#[async_trait]
impl Channel for Imported {
    async fn authorize(&self, _: &str, _: &Authorization<'_>) -> Answer {
        Ok(Outcome::Refused("PAID_ELSEWHERE".to_owned()))
    }

    async fn capture(&self, _: &str, charge: &Charge<'_>) -> Answer {
        Ok(recorded(charge))
    }

    async fn void(&self, _: &str, charge: &Charge<'_>) -> Answer {
        Ok(recorded(charge))
    }

    async fn refund(&self, _: &str, charge: &Charge<'_>) -> Answer {
        Ok(recorded(charge))
    }

    async fn query(&self, _: &str) -> Result<Option<Outcome>, Fault> {
        Ok(None)
    }
}
