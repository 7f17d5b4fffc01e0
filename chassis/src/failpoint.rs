//! Faults at named places of the real code, and guards taken away, to prove that tests would notice. Debug builds only:
//! in a release build nothing of it is left.
//!
//! `FAILPOINTS` arms places: `place=action[*times]` separated by commas, or a file with one of these per line, which is
//! read anew at each place. `exit` ends the process at once, with code 137 as after `kill -9`; `hold` waits until its
//! line is gone from the file, at most ten seconds; `lost` goes on as if nobody had answered, although what was to be
//! done is done. Without `*times` an action happens once in each process.
//!
//! | place | where |
//! |---|---|
//! | `accepting` | an order is written, not committed |
//! | `accepted` | it is committed, and nobody knows |
//! | `appended:<event>` | an event is appended to an order, which does not show it yet |
//! | `publishing:<event>`, `published:<event>` | before the bus has an event, and before that is noted |
//! | `applied:<noun>/<event>` | a consumer has applied an event, and not said so |
//! | `replying:<method>` | a method is carried out, and its caller not answered |
//! | `asking:<what>`, `asked:<what>` | before a payment channel hears of it, and before its answer is heard |
//!
//! `MUTATION` takes a guard away: `inbox` (events are applied as often as they come), `stock` (more is sold than there
//! is), `claim` (a request is carried out as often as it comes).

#[cfg(debug_assertions)]
mod armed;

use sea_orm::{ConnAcquireErr, DbErr};
use tonic::{Code, Status};

use crate::bus::Unavailable;
use crate::status::{self, DOMAIN};

/// Nobody answered, as far as the caller can know.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("no answer came in time")]
pub struct Lost;

/// Does what is armed here, if anything. What is done at the place is told apart by `what`, by its last names.
pub async fn at(place: &str, what: &[&str]) -> Result<(), Lost> {
    #[cfg(debug_assertions)]
    armed::meet(place, what).await?;
    let _ = (place, what);
    Ok(())
}

/// Whether a guard is taken away.
pub fn mutated(guard: &str) -> bool {
    #[cfg(debug_assertions)]
    return armed::mutation() == Some(guard);
    #[cfg(not(debug_assertions))]
    {
        let _ = guard;
        false
    }
}

impl From<Lost> for DbErr {
    /// As a database whose answer to a commit did not arrive.
    fn from(_: Lost) -> DbErr {
        DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)
    }
}

impl From<Lost> for Status {
    fn from(lost: Lost) -> Status {
        status::plain(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", DOMAIN, &lost.to_string(), &[])
    }
}

impl From<Lost> for Unavailable {
    fn from(lost: Lost) -> Unavailable {
        Unavailable(lost.to_string())
    }
}
