//! Every event announced was applied exactly once by each service that consumes it, and none that nobody announced.
use std::collections::{BTreeMap, BTreeSet};

use chassis::Id;
use chassis::config::NOUNS;
use chassis::time::Timestamp;
use contract::operations::v1::{GetEventLagRequest, ListAppliedEventsRequest, ListPublishedEventsRequest};

use super::Finding;
use crate::operator::Operator;

/// Compares every outbox with every inbox.
pub(crate) async fn compare(operator: &Operator) -> anyhow::Result<Vec<Finding>> {
    let since = history_start(operator).await?;
    let mut announced: BTreeMap<String, String> = BTreeMap::new();
    for noun in NOUNS {
        announced.extend(published(operator, noun).await?);
    }
    announced.retain(|id, _| !is_older(id, since));
    let (mut lost, mut phantom, mut twice) = (Vec::new(), Vec::new(), Vec::new());
    let mut applications = 0;
    for noun in NOUNS {
        let (mut applied, subscriptions) = applied(operator, noun).await?;
        applied.retain(|id| !is_older(id, since));
        applications += applied.len();
        let mut seen = BTreeSet::new();
        for id in &applied {
            if !seen.insert(id) {
                twice.push(format!("{noun} applied {id} twice"));
            }
            if !announced.contains_key(id) {
                phantom.push(format!("{noun} applied {id}, which nobody announced"));
            }
        }
        for (id, kind) in announced.iter().filter(|(_, kind)| subscriptions.contains(*kind)) {
            if !seen.contains(id) {
                lost.push(format!("{noun} never applied {kind} {id}"));
            }
        }
    }
    Ok(vec![
        Finding::across("I24", "every event was applied by each of its consumers", announced.len(), lost),
        Finding::across("I24", "no event was applied twice", applications, twice),
        Finding::across("I25", "no event was applied that nobody announced", applications, phantom),
    ])
}

/// What ids of events name.
struct Event;

/// Since when every service knows all of its events: what is older may be forgotten here and still known there.
async fn history_start(operator: &Operator) -> anyhow::Result<Timestamp> {
    let mut since = Timestamp::from_micros(0);
    for noun in NOUNS {
        let lag = operator.operations(noun)?.get_event_lag(operator.ask(GetEventLagRequest {})).await?;
        let start = lag.into_inner().history_start_time;
        since = since.max(start.as_ref().and_then(|start| Timestamp::try_from(start).ok()).unwrap_or(since));
    }
    Ok(since)
}

/// Whether an event was announced before that time, which its id tells.
fn is_older(id: &str, since: Timestamp) -> bool {
    let stamp = id.parse::<Id<Event>>().ok().and_then(|id| id.uuid().get_timestamp());
    let micros = stamp.map(|stamp| {
        let (seconds, nanos) = stamp.to_unix();
        i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000) + i64::from(nanos / 1000)
    });
    micros.is_some_and(|micros| micros < since.micros())
}

async fn published(operator: &Operator, noun: &str) -> anyhow::Result<Vec<(String, String)>> {
    let mut operations = operator.operations(noun)?;
    let (mut events, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListPublishedEventsRequest { page_size: 1000, page_token };
        let page = operations.list_published_events(operator.ask(request)).await?.into_inner();
        events.extend(page.events.into_iter().map(|event| (event.event_id, event.r#type)));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(events);
        }
    }
}

async fn applied(operator: &Operator, noun: &str) -> anyhow::Result<(Vec<String>, BTreeSet<String>)> {
    let mut operations = operator.operations(noun)?;
    let (mut events, mut subscriptions, mut page_token) = (Vec::new(), BTreeSet::new(), String::new());
    loop {
        let request = ListAppliedEventsRequest { page_size: 1000, page_token };
        let page = operations.list_applied_events(operator.ask(request)).await?.into_inner();
        events.extend(page.events.into_iter().map(|event| event.event_id));
        subscriptions.extend(page.subscriptions);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok((events, subscriptions));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_event_is_as_old_as_its_id_says() {
        let id = Id::<Event>::new().to_string();
        let now = Timestamp::now();
        assert!(is_older(&id, now.plus(Duration::from_secs(1))));
        assert!(!is_older(&id, now.minus(Duration::from_secs(1))));
        assert!(!is_older("no id", now), "what cannot be dated is compared");
    }
}
