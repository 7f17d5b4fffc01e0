//! What is armed, and doing it.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Lost;

/// How the system tells of a process that was killed.
const KILLED: i32 = 137;
const HELD_MAX: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(20);

static FAILPOINTS: LazyLock<Option<String>> = LazyLock::new(|| setting("FAILPOINTS"));
static MUTATION: LazyLock<Option<String>> = LazyLock::new(|| setting("MUTATION"));
/// How often each armed place was met since it was armed.
static MET: Mutex<BTreeMap<String, u32>> = Mutex::new(BTreeMap::new());

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Exit,
    Hold,
    Lost,
}

#[expect(clippy::disallowed_methods, reason = "no setting of the shop: only tests know it")]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

pub(super) fn mutation() -> Option<&'static str> {
    MUTATION.as_deref()
}

pub(super) async fn meet(place: &str, what: &[&str]) -> Result<(), Lost> {
    let Some(setting) = FAILPOINTS.as_deref() else { return Ok(()) };
    let name = name(place, what);
    let Some(action) = due(&armed(setting), &name) else { return Ok(()) };
    tracing::warn!(failpoint = name, ?action, "a failpoint was reached");
    match action {
        Action::Exit => std::process::exit(KILLED),
        Action::Lost => Err(Lost),
        Action::Hold => {
            let until = Instant::now() + HELD_MAX;
            while Instant::now() < until && armed(setting).contains_key(&name) {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            Ok(())
        }
    }
}

/// `replying` at `/cartwright.order.v1.OrderService/PlaceOrder` is `replying:PlaceOrder`.
fn name(place: &str, what: &[&str]) -> String {
    let last = |text: &&str| text.rsplit(['.', '/']).next().unwrap_or_default().to_owned();
    match what.iter().map(last).collect::<Vec<_>>().join("/").as_str() {
        "" => place.to_owned(),
        what => format!("{place}:{what}"),
    }
}

/// What is armed now, and how often each is to happen. A file that is not there arms nothing.
fn armed(setting: &str) -> BTreeMap<String, (Action, u32)> {
    if setting.contains('=') {
        parse(setting)
    } else {
        parse(&std::fs::read_to_string(setting).unwrap_or_default())
    }
}

fn parse(text: &str) -> BTreeMap<String, (Action, u32)> {
    let one = |line: &str| {
        let (name, action) = line.trim().split_once('=')?;
        let (action, times) = action.split_once('*').unwrap_or((action, "1"));
        let action = match action {
            "exit" => Action::Exit,
            "hold" => Action::Hold,
            "lost" => Action::Lost,
            _ => return None,
        };
        Some((name.to_owned(), (action, times.parse().ok()?)))
    };
    text.split([',', '\n']).filter_map(one).collect()
}

fn due(armed: &BTreeMap<String, (Action, u32)>, name: &str) -> Option<Action> {
    let mut met = MET.lock().unwrap_or_else(PoisonError::into_inner);
    // What was disarmed begins anew when it is armed again.
    met.retain(|name, _| armed.contains_key(name));
    let (action, times) = armed.get(name)?;
    let count = met.entry(name.to_owned()).or_default();
    *count += 1;
    (*count <= *times).then_some(*action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_apart_by_their_last_names() {
        assert_eq!(name("accepted", &[]), "accepted");
        assert_eq!(
            name("replying", &["/cartwright.order.v1.OrderService/PlaceOrder"]),
            "replying:PlaceOrder"
        );
        let consumer = ["inventory", "cartwright.order.v1.OrderConfirmed"];
        assert_eq!(name("applied", &consumer), "applied:inventory/OrderConfirmed");
    }

    #[test]
    fn an_armed_place_acts_as_often_as_it_says_and_again_when_it_is_armed_anew() {
        let twice = parse("here=lost*2,there=exit");
        assert_eq!(twice["there"], (Action::Exit, 1));
        assert_eq!([(); 3].map(|()| due(&twice, "here")), [Some(Action::Lost), Some(Action::Lost), None]);
        assert_eq!(due(&parse(""), "here"), None);
        assert_eq!(due(&parse("here=hold\n"), "here"), Some(Action::Hold));
        assert!(parse("here=nonsense\n\n, =").is_empty());
    }
}
