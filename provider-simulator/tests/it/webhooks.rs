//! Announcements: signed, repeated until they are taken, early or late as the script says.
use http::StatusCode;
use provider_simulator::webhook::sign;
use provider_simulator::{Script, Webhooks};

use super::support::{Listener, World};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn script(listener: &Listener) -> Script {
    let webhooks =
        Webhooks { url: listener.url.clone(), secrets: vec![SECRET.to_owned()], ..Webhooks::default() };
    Script { webhooks, ..Script::default() }
}

/// The example that the specification's libraries share.
#[test]
fn signatures_are_those_of_standard_webhooks() {
    let body = br#"{"test": 2432232314}"#.to_vec();
    let signed = sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body, &[SECRET.to_owned()]);
    assert_eq!(signed.signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[tokio::test]
async fn what_was_done_is_announced_and_signed() {
    let listener = Listener::start(0).await;
    let world = World::start(script(&listener)).await;
    world.client().authorize("a", "tok_visa").await;
    world.client().authorize("b", "tok_declined").await;
    let heard = listener.until(2).await;
    let mut kinds: Vec<_> = heard.iter().map(super::support::Heard::kind).collect();
    kinds.sort();
    assert_eq!(kinds, ["authorize.declined", "authorize.succeeded"]);
    for heard in heard {
        let header = |name: &str| heard.headers[name].to_str().unwrap().to_owned();
        let again = sign(
            &header("webhook-id"),
            header("webhook-timestamp").parse().unwrap(),
            heard.body.to_vec(),
            &[SECRET.to_owned()],
        );
        assert_eq!(again.signature, header("webhook-signature"));
    }
}

#[tokio::test]
async fn what_is_not_taken_is_announced_again_also_after_a_crash() {
    let listener = Listener::start(2).await;
    let world = World::start(script(&listener)).await;
    world.client().authorize("a", "tok_visa").await;
    listener.until(3).await;
    let world = world.crash(Script::default()).await;
    world.client().authorize("b", "tok_visa").await;
    let world = world.crash(script(&listener)).await;
    let heard = listener.until(4).await;
    assert!(String::from_utf8_lossy(&heard[3].body).contains("evt_b"));
    drop(world);
}

#[tokio::test]
async fn announcements_come_early_and_thrice_as_the_script_says() {
    let listener = Listener::start(0).await;
    let mut script = script(&listener);
    script.webhooks.early = 1000;
    let world = World::start(script).await;
    assert_eq!(world.client().authorize("a", "tok_visa").await.0, StatusCode::OK);
    assert_eq!(listener.heard().len(), 1, "it was heard before the answer");
    world.simulator.script(|script| {
        script.webhooks.early = 0;
        script.webhooks.triple = 1000;
    });
    world.client().authorize("b", "tok_visa").await;
    listener.until(4).await;
}
