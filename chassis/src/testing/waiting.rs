//! Waiting for a fact, with a bound.

use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

/// Asks until there is an answer, and panics when there is none after ten seconds.
///
/// # Panics
///
/// When the fact does not come about.
pub async fn eventually<T>(ask: impl AsyncFn() -> Option<T>) -> T {
    let asked = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(answer) => answer,
        Err(_) => panic!("what the test waits for did not come about within {} s", PATIENCE.as_secs()),
    }
}
