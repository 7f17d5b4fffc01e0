//! Every event announced was applied exactly once by each service that consumes it, and none that nobody announced.
use std::collections::{BTreeMap, BTreeSet};

use chassis::config::NOUNS;
use contract::operations::v1::{ListAppliedEventsRequest, ListPublishedEventsRequest};

use super::Finding;
use crate::operator::Operator;

/// Compares every outbox with every inbox.
pub(crate) async fn compare(operator: &Operator) -> anyhow::Result<Vec<Finding>> {
    let mut announced: BTreeMap<String, String> = BTreeMap::new();
    for noun in NOUNS {
        announced.extend(published(operator, noun).await?);
    }
    let (mut lost, mut phantom, mut twice) = (Vec::new(), Vec::new(), Vec::new());
    let mut applications = 0;
    for noun in NOUNS {
        let (applied, subscriptions) = applied(operator, noun).await?;
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
        Finding::across("every event was applied by each of its consumers", announced.len(), lost),
        Finding::across("no event was applied twice", applications, twice),
        Finding::across("no event was applied that nobody announced", applications, phantom),
    ])
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
