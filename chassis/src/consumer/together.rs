//! Applying what came together: many events in one transaction, and each alone where that does not go.

use std::collections::{BTreeMap, HashMap};

use tracing::Instrument;
use uuid::Uuid;

use super::{Consumer, Error, inbox, run};
use crate::bus::Unavailable;
use crate::event::Envelope;
use crate::failpoint;

impl Consumer {
    /// Takes many events over, in their order. `Ok` and errors mean what they do for [`Consumer::receive`], of all of
    /// them: offered again, those that were taken change nothing.
    pub async fn receive_all(&self, envelopes: &[Envelope]) -> Result<(), Unavailable> {
        let applied = match envelopes {
            [] | [_] => Applied::default(),
            // The first is as good a parent of what is done for all as any.
            [first, ..] => {
                self.apply_all(envelopes).instrument(self.span(first)).await.unwrap_or_else(|error| {
                    tracing::debug!(
                        ?error,
                        events = envelopes.len(),
                        "events that came together are tried each alone"
                    );
                    Applied::default()
                })
            }
        };
        let mut applied = applied.0;
        for envelope in envelopes {
            match applied.get_mut(&envelope.id) {
                Some(times) if *times > 0 => {
                    *times -= 1;
                    self.applied(envelope);
                    failpoint::at("applied", &[&self.noun, &envelope.kind]).await?;
                }
                _ => self.receive(envelope).await?,
            }
        }
        Ok(())
    }

    /// Applies in one transaction those that are new.
    async fn apply_all(&self, envelopes: &[Envelope]) -> Result<Applied, Error> {
        self.db
            .write(async |tx| {
                let mut new = Applied::default();
                for id in inbox::claim_all(tx, envelopes).await? {
                    *new.0.entry(id).or_default() += 1;
                }
                let claimed = new.0.clone();
                for wave in waves(envelopes, claimed) {
                    run(&self.handler(wave[0])?, tx, &wave).await?;
                }
                Ok::<_, Error>(new)
            })
            .await
    }
}

/// How often each id was applied: once, unless somebody took the inbox's guard away.
#[derive(Debug, Default)]
struct Applied(HashMap<Uuid, usize>);

/// The claimed events by kind, in turns: of one key the second event comes a turn after the first, so that its order is
/// kept although kinds are handled together.
fn waves(envelopes: &[Envelope], mut claimed: HashMap<Uuid, usize>) -> Vec<Vec<&Envelope>> {
    let mut turns: HashMap<&str, usize> = HashMap::new();
    let mut waves: BTreeMap<(usize, &str), Vec<&Envelope>> = BTreeMap::new();
    for envelope in envelopes {
        let Some(times) = claimed.get_mut(&envelope.id).filter(|times| **times > 0) else { continue };
        *times -= 1;
        let turn = match envelope.key.as_str() {
            "" => 0,
            key => {
                let turn = turns.entry(key).or_default();
                *turn += 1;
                *turn - 1
            }
        };
        waves.entry((turn, &envelope.kind)).or_default().push(envelope);
    }
    waves.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn event(kind: &str, key: &str) -> Envelope {
        Envelope {
            id: Uuid::now_v7(),
            kind: kind.to_owned(),
            key: key.to_owned(),
            source: "order".to_owned(),
            time: Timestamp::from_micros(0),
            trace: None,
            payload: bytes::Bytes::new(),
        }
    }

    #[test]
    fn events_of_one_key_keep_their_order_and_others_go_together() {
        let events = [
            event("Placed", "orders/1"),
            event("Placed", "orders/2"),
            event("Confirmed", "orders/1"),
            event("Cancelled", "orders/2"),
            event("Placed", "orders/3"),
            event("Known", "orders/4"),
        ];
        let claimed = events[..5].iter().map(|event| (event.id, 1)).collect();
        let waves: Vec<(&str, usize)> =
            waves(&events, claimed).iter().map(|wave| (wave[0].kind.as_str(), wave.len())).collect();
        assert_eq!(waves, [("Placed", 3), ("Cancelled", 1), ("Confirmed", 1)]);
    }
}
