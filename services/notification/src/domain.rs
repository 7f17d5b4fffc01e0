//! Messages to people: what kinds there are, how they are worded, how far they have got. No I/O.
pub(crate) mod kind;
pub(crate) mod template;

use std::time::Duration;

use chassis::id::Resource;

/// Names messages: `notifications/{notification}`.
pub(crate) enum Notification {}

impl Resource for Notification {
    const COLLECTION: &'static str = "notifications";
}

/// Names caught mail.
pub(crate) enum CaughtMail {}

/// How messages reach people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Email,
    Inbox,
}

impl Channel {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Email => "EMAIL",
            Self::Inbox => "INBOX",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Email, Self::Inbox].into_iter().find(|channel| channel.as_str().eq_ignore_ascii_case(text))
    }
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Pending,
    Sent,
    Suppressed,
    Failed,
}

impl State {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Sent => "SENT",
            Self::Suppressed => "SUPPRESSED",
            Self::Failed => "FAILED",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Sent, Self::Suppressed, Self::Failed]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

/// Tries before a message is given up.
pub(crate) const TRIES: i32 = 5;

/// How long to wait after so many failed tries; nothing where it is given up.
pub(crate) fn delay_after(tries: i32, first: Duration) -> Option<Duration> {
    let earlier = u32::try_from(tries - 1).ok()?;
    (tries < TRIES).then(|| first.saturating_mul(5_u32.saturating_pow(earlier)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_grows_until_the_message_is_given_up() {
        let waits: Vec<_> = (1..=5)
            .map(|tries| delay_after(tries, Duration::from_secs(5)).map(|wait| wait.as_secs()))
            .collect();
        assert_eq!(waits, [Some(5), Some(25), Some(125), Some(625), None]);
    }
}
