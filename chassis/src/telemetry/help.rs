//! What each metric means, as /metrics says it.
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

const COUNTERS: [(&str, &str); 16] = [
    ("rpc_server_requests_total", "Calls answered here, by service, method and gRPC code."),
    ("rpc_server_shed_total", "Calls refused because as many as allowed were under way."),
    ("rpc_server_panics_total", "Calls that ended in a bug of ours."),
    ("rpc_client_requests_total", "Calls to other services, by service, method and gRPC code."),
    ("cache_requests_total", "Lookups in caches, by cache and where they were answered."),
    ("cache_redis_failures_total", "Uses of Redis that failed; the source was asked instead."),
    ("outbox_published_total", "Events that the bus has confirmed."),
    ("outbox_publish_failures_total", "Events that the bus did not take; they are offered again."),
    ("outbox_unroutable_total", "Events that no queue asked for, by type."),
    ("consumer_failures_total", "Attempts to apply an event that failed, by type."),
    (
        "consumer_missed_total",
        "Events that had passed the consumer by and were applied from their outbox, by type.",
    ),
    ("consumer_parked_total", "Events put aside for an operator, by type."),
    ("payment_attention_total", "Payments that need somebody's eyes, by reason."),
    (
        "payment_reconciliation_breaks_total",
        "Operations on which our books and a channel's statement differ, when they are found first, by channel and kind.",
    ),
    ("payment_risk_total", "Payments that risk rules denied or had somebody look at first, by outcome."),
    ("saga_ended_total", "Sagas that ended, by kind and outcome."),
];
const GAUGES: [(&str, &str); 7] = [
    (
        "cartwright_audit_violations",
        "Who breaks an invariant, by service and the invariant's number; anything but 0 needs an operator.",
    ),
    ("saga_running", "Sagas that this process works on, by kind."),
    ("saga_open", "Sagas that have not ended, by service, whoever works on them."),
    ("outbox_unpublished", "Events not yet with the bus, by service."),
    (
        "outbox_oldest_unpublished_seconds",
        "The age of the oldest event not yet with the bus, by service; 0 where there is none.",
    ),
    (
        "consumer_retrying",
        "Events waiting to be applied after a failure, or behind one of their aggregate, by service.",
    ),
    ("consumer_parked", "Events put aside that an operator has yet to deal with, by service."),
];
const HISTOGRAMS: [(&str, &str); 5] = [
    ("edge_request_duration_seconds", "How long the edge took to answer."),
    ("rpc_server_duration_seconds", "How long calls took here, by service and method."),
    ("rpc_client_duration_seconds", "How long calls to other services took, by service and method."),
    (
        "consumer_lag_seconds",
        "How long after it was announced an event was applied, by service and type: the lag of what is made of events.",
    ),
    ("outbox_publish_delay_seconds", "How long after its transaction an event was with the bus."),
];

/// Tells the recorder, which must be installed.
pub(super) fn describe() {
    for (name, words) in COUNTERS {
        describe_counter!(name, words);
    }
    for (name, words) in GAUGES {
        describe_gauge!(name, words);
    }
    for (name, words) in HISTOGRAMS {
        describe_histogram!(name, Unit::Seconds, words);
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    /// The names in `counter!("…")` and its kind, over all files below a folder.
    fn used(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() && entry.file_name() != "target" && entry.file_name() != "node_modules" {
                used(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                for kind in ["counter", "gauge", "histogram"] {
                    let start = format!("metrics::{kind}!(\"");
                    let uses = text.split(&start).skip(1);
                    found.extend(uses.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
                }
            }
        }
    }

    #[test]
    fn every_metric_of_the_workspace_says_what_it_means() {
        let mut found = BTreeSet::new();
        used(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), &mut found);
        assert!(found.len() > 10, "{found:?}");
        let described: BTreeSet<String> =
            COUNTERS.iter().chain(&GAUGES).chain(&HISTOGRAMS).map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(found.symmetric_difference(&described).collect::<Vec<_>>(), Vec::<&String>::new());
    }
}
