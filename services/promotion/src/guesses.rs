//! Counts unknown codes by who tries them, so that codes cannot be guessed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chassis::caller::Caller;
use chassis::status;
use tonic::Status;

use crate::grpc;

const WINDOW: Duration = Duration::from_secs(60);
/// Callers remembered at once. Beyond that those whose minute is over are forgotten first, then all.
const CALLERS_MAX: usize = 10_000;

/// Who has tried how many unknown codes in their current minute. Each replica counts for itself.
#[derive(Clone, Debug)]
pub(crate) struct Guesses {
    most: u32,
    by_caller: Arc<Mutex<HashMap<String, Minute>>>,
}

#[derive(Clone, Debug)]
struct Minute {
    began: Instant,
    unknown: u32,
    last: String,
}

impl Guesses {
    pub(crate) fn new(most: u32) -> Guesses {
        Guesses { most, by_caller: Arc::default() }
    }

    /// Refuses a caller who has tried too many, before they learn whether the next code exists. A service that acts
    /// for itself does not guess.
    pub(crate) fn check(&self, caller: &Caller, now: Instant) -> Result<(), Status> {
        let Some(key) = key(caller) else { return Ok(()) };
        let counts = self.by_caller.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get(&key) {
            Some(minute) if minute.unknown >= self.most && now.duration_since(minute.began) < WINDOW => {
                let rest = WINDOW.saturating_sub(now.duration_since(minute.began));
                Err(status::exhausted(
                    "TOO_MANY_UNKNOWN_CODES",
                    "too many unknown coupon codes were tried",
                    rest,
                ))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Counts an unknown code. The same one again tells nothing new: a cart that holds a code which is gone is looked at
    /// often.
    pub(crate) fn count(&self, caller: &Caller, code: &str, now: Instant) {
        let Some(key) = key(caller) else { return };
        let mut counts = self.by_caller.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= CALLERS_MAX {
            counts.retain(|_, minute| now.duration_since(minute.began) < WINDOW);
        }
        if counts.len() >= CALLERS_MAX {
            counts.clear();
        }
        let fresh = || Minute { began: now, unknown: 0, last: String::new() };
        let minute = counts.entry(key).or_insert_with(fresh);
        if now.duration_since(minute.began) >= WINDOW {
            *minute = fresh();
        }
        if minute.last != code {
            minute.unknown = minute.unknown.saturating_add(1);
            code.clone_into(&mut minute.last);
        }
    }
}

fn key(caller: &Caller) -> Option<String> {
    let for_itself = caller.subject_if_any().is_none() && grpc::peer(caller).is_some();
    (!for_itself).then(|| caller.key())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_guesses_too_often_waits_a_minute_and_nobody_else_does() {
        let (guesses, mallory, ann) =
            (Guesses::new(3), Caller::person("users/m", None, []), Caller::person("users/a", None, []));
        let now = Instant::now();
        for code in ["A", "A", "B", "C"] {
            assert!(guesses.check(&mallory, now).is_ok());
            guesses.count(&mallory, code, now);
        }
        assert_eq!(guesses.check(&mallory, now).unwrap_err().code(), tonic::Code::ResourceExhausted);
        assert!(guesses.check(&ann, now).is_ok());
        assert!(guesses.check(&mallory, now + WINDOW).is_ok());
    }
}
