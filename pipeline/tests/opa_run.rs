//! What a real run knows reaches a real Open Policy Agent, and turns its decisions: pushed, and
//! fetched as signed bundles. An agent that is gone for a while, and comes back empty, lacks nothing.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what these functions cannot do fails the test, and a measured time is told"
)]

mod opa_server;
mod plant;
mod sensed;
mod watched;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use andon::pdp::{Answer, Decision};
use andon::wall;
use opa_server::{Opa, PATIENCE};
use sensed::{DEVICE, Run};
use serde_json::{Value, json};

/// The mean of every change so far.
fn push_delay(run: &Run<'_>) -> String {
    let text = run.metrics();
    let figure = |name: &str| {
        let begin = format!("andon_opa_push_delay_seconds_{name} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&begin));
        line.and_then(|figure| figure.parse::<f64>().ok()).unwrap()
    };
    let (sum, count) = (figure("sum"), figure("count"));
    format!("{:.1} ms on average of {count}", 1e3 * sum / count)
}

fn question() -> Value {
    json!({
        "now": wall::now(),
        "device": {"id": DEVICE, "authenticated": true, "address": "10.2.50.42"},
        "attestation": {"state": "good"},
        "request": {
            "resource": "telemetry", "action": "write",
            "address": "10.6.0.13", "transport": "tcp", "port": 8_883,
        },
    })
}

/// Asks until the decision is this one, from a risk that is known, or from none; returns the answer,
/// and when it came.
fn until(opa: &Opa, decision: Decision, is_known: bool) -> (Answer, Instant) {
    let until = Instant::now() + PATIENCE;
    loop {
        let answer = opa.try_answer(&question());
        let now = Instant::now();
        match answer {
            Some(answer)
                if answer.decision == decision && answer.device_risk.is_some() == is_known =>
            {
                return (answer, now);
            }
            other => assert!(now < until, "it says only {other:?}"),
        }
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_verdict_that_is_pushed_turns_a_decision_and_so_does_its_end() {
    let Some(mut opa) = Opa::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let config = format!("[opa]\npush = \"{}\"\nexpires = \"6s\"\n", opa.url());
    let mut run = Run::start(folder.path(), "127.0.0.1:0", &config);
    until(&opa, Decision::Constrain, false);
    run.calm(0..5);
    let (answer, _) = until(&opa, Decision::Allow, true);
    assert!(answer.device_risk.unwrap().score.unwrap() < 50);

    let began = Instant::now();
    run.attack(5);
    let (answer, came) = until(&opa, Decision::Deny, true);
    assert!(
        answer.device_risk.unwrap().score.unwrap() >= 75,
        "{answer:?}"
    );
    eprintln!(
        "pushed: {} ms from the start of the publisher to the other decision; of that, from a risk \
         on the board to its arrival: {}",
        came.duration_since(began).as_millis(),
        push_delay(&run)
    );

    opa.stop();
    run.process.wait_for("is told everything anew");
    run.calm(6..480);
    opa.start_again();
    let (answer, _) = until(&opa, Decision::Allow, true);
    let known = answer.device_risk.unwrap();
    // It is refreshed for as long as the run goes on, and not longer.
    let lapses = Instant::now() + Duration::from_secs(60);
    while opa.answer(&question()).device_risk.unwrap().expires == known.expires {
        assert!(Instant::now() < lapses, "it is not refreshed");
    }
    opa.stop();
    run.attack(481);
    opa.start_again();
    until(&opa, Decision::Deny, true);
    assert!(run.process.terminate().success());
    // A run that is over says nothing any more.
    until(&opa, Decision::Constrain, false);
}

/// What OPA is told to fetch, every second.
fn fetching(folder: &Path, url: &str, keys: &str) -> String {
    let path = folder.join("opa.yaml");
    let text = format!(
        "services:\n  andon:\n    url: {url}\nbundles:\n  andon:\n    service: andon\n    \
         resource: v1/opa/bundle.tar.gz\n    polling:\n      min_delay_seconds: 1\n      \
         max_delay_seconds: 1\n{keys}status:\n  \
         prometheus: true\n"
    );
    fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

/// A pair of keys, as whoever runs this makes them; the private one is in a file, the public one is
/// returned.
fn keys(folder: &Path) -> String {
    let private = folder.join("bundle.key");
    let made = Command::new("openssl")
        .args([
            "genpkey",
            "-algorithm",
            "EC",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-out",
        ])
        .arg(&private)
        .output()
        .unwrap();
    assert!(made.status.success());
    let public = Command::new("openssl")
        .args(["pkey", "-pubout", "-in"])
        .arg(&private)
        .output()
        .unwrap();
    String::from_utf8(public.stdout).unwrap()
}

#[test]
fn a_verdict_in_a_signed_bundle_turns_a_decision_and_so_does_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let public = keys(folder.path());
    let key = folder.path().join("bundle.key");
    let config = format!(
        "[opa.bundle]\npolicy = \"builtin\"\nkey_file = \"{}\"\n",
        key.display()
    );
    let run = Run::start(folder.path(), "127.0.0.1:0", &config);
    let indented = public.trim().replace('\n', "\n      ");
    let keys = format!(
        "    signing:\n      keyid: andon\nkeys:\n  andon:\n    algorithm: ES256\n    key: |\n      \
         {indented}\n"
    );
    let config = fetching(folder.path(), &run.http, &keys);
    let Some(mut opa) = Opa::with("bare", &["--config-file".to_owned(), config]) else {
        return;
    };
    run.calm(0..5);
    until(&opa, Decision::Allow, true);
    let began = Instant::now();
    run.attack(5);
    let (_, came) = until(&opa, Decision::Deny, true);
    eprintln!(
        "fetched every second: {} ms from the start of the publisher to the other decision",
        came.duration_since(began).as_millis()
    );
    opa.stop();
    run.calm(6..480);
    opa.start_again();
    until(&opa, Decision::Allow, true);
    run.attack(481);
    until(&opa, Decision::Deny, true);
}

#[test]
fn a_bundle_that_somebody_else_signed_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("secret");
    fs::write(&key, "the secret of somebody else, who is not us\n").unwrap();
    let config = format!(
        "[opa.bundle]\npolicy = \"builtin\"\nalgorithm = \"HS256\"\nkey_file = \"{}\"\n",
        key.display()
    );
    let run = Run::start(folder.path(), "127.0.0.1:0", &config);
    run.calm(0..5);
    let keyed = |secret: &str| {
        format!(
            "    signing:\n      keyid: andon\nkeys:\n  andon:\n    algorithm: HS256\n    \
             key: {secret}\n"
        )
    };
    let url = &run.http;
    let other = fetching(
        folder.path(),
        url,
        &keyed("another secret that is as long as it"),
    );
    let Some(mut opa) = Opa::with("bare", &["--config-file".to_owned(), other]) else {
        return;
    };
    let until_refused = Instant::now() + PATIENCE;
    loop {
        let metrics = ureq::get(format!("{}/metrics", opa.url())).call();
        let text = metrics.unwrap().body_mut().read_to_string().unwrap();
        let mut lines = text.lines();
        if lines.any(|line| line.starts_with("bundle_failed_load_counter{")) {
            break;
        }
        assert!(Instant::now() < until_refused, "{text}");
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(opa.try_answer(&question()), None);
    opa.stop();
    let own = keyed("the secret of somebody else, who is not us");
    fetching(folder.path(), url, &own);
    opa.start_again();
    until(&opa, Decision::Allow, true);
}
