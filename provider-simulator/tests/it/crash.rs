//! What was answered survives kill -9.
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use provider_simulator::Script;
use serde_json::Value;
use tokio::task::JoinSet;

use super::support::{API_KEY, Client, World};

/// The program, killed at the end of the test at the latest.
struct Program(Child);

impl Program {
    fn start(journal: &Path) -> (Program, Client) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_provider-simulator"))
            .args(["--listen", "127.0.0.1:0", "--api-key", API_KEY, "--journal"])
            .arg(journal)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program");
        let mut url = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut url).expect("its address");
        (Program(child), Client(url.trim().to_owned()))
    }

    fn kill(&mut self) {
        self.0.kill().expect("killed");
        self.0.wait().expect("gone");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
    }
}

#[tokio::test]
async fn what_was_answered_is_still_known_after_kill_minus_nine() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal");
    let answered: Arc<Mutex<BTreeMap<String, Value>>> = Arc::default();
    for round in 0..3 {
        let (mut program, client) = Program::start(&journal);
        let known = answered.lock().unwrap().clone();
        for (key, answer) in known {
            assert_eq!(client.get(&format!("/v1/operations/{key}")).await.1, answer);
        }
        let mut callers = JoinSet::new();
        for caller in 0..8 {
            let (client, answered) = (client.clone(), answered.clone());
            callers.spawn(async move {
                for number in 0..10_000 {
                    let key = format!("{round}-{caller}-{number}");
                    let body = super::support::authorization("tok_visa");
                    let call = client.call("POST", "/v1/authorizations", &key, &body, API_KEY).await;
                    let Ok((_, answer)) = call else { return };
                    answered.lock().unwrap().insert(key, answer);
                }
            });
        }
        let before = answered.lock().unwrap().len();
        while answered.lock().unwrap().len() < before + 40 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        program.kill();
        while callers.join_next().await.is_some() {}
    }
    let (_program, client) = Program::start(&journal);
    let answered = answered.lock().unwrap().clone();
    assert!(answered.len() >= 120);
    for (key, answer) in answered {
        assert_eq!(client.get(&format!("/v1/operations/{key}")).await.1, answer, "{key}");
    }
}

#[tokio::test]
async fn a_line_that_a_crash_cut_short_is_forgotten() {
    let world = World::start(Script::default()).await;
    world.client().authorize("a", "tok_visa").await;
    let path = world.journal();
    let mut text = std::fs::read(&path).unwrap();
    text.extend_from_slice(b"{\"entry\":{\"ask\":{\"key\":\"b\"");
    let world = world.crash_with(|| std::fs::write(&path, &text).unwrap()).await;
    let client = world.client();
    assert_eq!(world.simulator.operations().len(), 1);
    client.authorize("b", "tok_visa").await;
    let world = world.crash(Script::default()).await;
    let keys: Vec<_> = world.simulator.operations().into_iter().map(|done| done.key).collect();
    assert_eq!(keys, ["a", "b"]);
}
