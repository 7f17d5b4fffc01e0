//! The simulator itself: the same seed is the same run, and a shop without one of its guards does not get by.

use std::process::{Command, Output};

fn simulate(arguments: &[&str], mutation: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_simulate"))
        .args(arguments)
        .env("MUTATION", mutation)
        .output()
        .expect("the simulator runs")
}

fn said(output: &Output) -> String {
    let texts = [&output.stdout, &output.stderr];
    texts.map(|text| String::from_utf8_lossy(text).into_owned()).concat()
}

#[test]
fn the_same_seed_is_the_same_run_and_the_books_balance() {
    let output = simulate(&["--first", "1", "--seeds", "6", "--twice"], "");
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("6 seeds"), "{}", said(&output));
}

/// Each is found by one of the first seeds, of which more are played than it takes, and told in one of these words.
fn is_found(mutation: &str, seeds: &str, by: &[&str]) {
    let output = simulate(&["--first", "1", "--seeds", seeds, "--fail-fast"], mutation);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(by.iter().any(|words| said(&output).contains(words)), "{}", said(&output));
}

#[test]
fn a_shop_that_applies_events_as_often_as_they_come_is_found_out() {
    is_found("inbox", "12", &["no event was applied twice"]);
}

#[test]
fn a_shop_that_does_not_know_a_request_again_is_found_out() {
    is_found("claim", "40", &["nobody was told", "finds"]);
}

#[test]
fn a_shop_that_sells_what_it_has_not_is_found_out() {
    is_found("stock", "12", &["stock sold is what orders hold"]);
}
