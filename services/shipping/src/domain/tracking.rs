//! What is known of a shipment's way.

use chassis::time::Timestamp;

use super::State;

/// Something that happened to a shipment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Happening {
    pub(crate) state: State,
    pub(crate) time: Timestamp,
    pub(crate) location: String,
    pub(crate) description: String,
}

/// What somebody says happened to a shipment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) state: State,
    /// When; just now where it is not said.
    pub(crate) time: Option<Timestamp>,
    pub(crate) location: String,
    pub(crate) description: String,
}

impl Report {
    /// Whether it tells of this, and of nothing new. Without a time it may tell of any time.
    pub(crate) fn tells_of(&self, happening: &Happening) -> bool {
        self.state == happening.state
            && self.location == happening.location
            && self.description == happening.description
            && self.time.is_none_or(|time| time == happening.time)
    }

    /// What happened, by this report.
    pub(crate) fn happening(&self, now: Timestamp) -> Happening {
        Happening {
            state: self.state,
            time: self.time.unwrap_or(now),
            location: self.location.clone(),
            description: self.description.clone(),
        }
    }
}
