//! Guards that can be taken away, and how that shows.
use clap::ValueEnum;

/// A guard that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mutation {
    /// Events are applied as often as they come.
    Inbox,
    /// More is reserved than there is.
    Stock,
    /// A request is carried out as often as it comes.
    Claim,
}

impl Mutation {
    /// What programs call it, in `MUTATION`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Mutation::Inbox => "inbox",
            Mutation::Stock => "stock",
            Mutation::Claim => "claim",
        }
    }

    /// What certainly happens now and then in a long run, and must happen in a short one: events come twice, and answers
    /// are lost. In `FAILPOINTS`.
    pub(crate) fn provoked_by(self) -> &'static str {
        match self {
            Mutation::Inbox => "published:OrderConfirmed=lost*3",
            Mutation::Stock => "",
            Mutation::Claim => "replying:PlaceOrder=lost*3",
        }
    }

    /// Whether this is how it must show: some other trouble does not count.
    pub(crate) fn shows_in(self, violation: &str) -> bool {
        match self {
            // Ids of events begin with the time, and so with 0 for a while.
            Mutation::Inbox => {
                violation.lines().any(|line| line.contains(" applied 0") && line.contains(" twice"))
            }
            Mutation::Stock => violation.contains(" were received and "),
            Mutation::Claim => violation.contains(" is an order that nobody was told of"),
        }
    }
}
