//! Verdicts of a live run posted to a receiver that is away, in trouble, or dies over one: each comes,
//! in order, signed as a library that is not ours says.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what these functions cannot do fails the test"
)]

mod plant;
mod posted;
mod sensed;
mod signed;
mod watched;

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use posted::{HANG_UP, Posted, Receiver, are_signed};
use sensed::Run;
use serde_json::Value;
use signed::Signed;
use watched::PATIENCE;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[track_caller]
fn until(what: &str, is: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < until, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn raid(run: &Run<'_>, number: u8) {
    let first = 20 + 10 * number;
    run.raid(i64::from(number), "10.2.50", first..first + 10);
    let wanted = 10 * usize::from(number + 1);
    until("nothing is found", || {
        run.written("verdicts").len() >= wanted
    });
}

/// What is measured of the outlet.
#[track_caller]
fn measured(run: &Run<'_>, what: &str) -> u64 {
    let head = format!("andon_outlet_{what}{{kind=\"siem\",outlet=\"webhook\"}} ");
    let metrics = run.metrics();
    let found = metrics.lines().find_map(|line| line.strip_prefix(&head));
    found.map_or(0, |value| value.parse().unwrap())
}

/// Ids of what the receiver said it had, in its order.
fn taken(posted: &[Posted]) -> Vec<String> {
    let good = posted.iter().filter(|one| one.status == 204);
    good.map(|one| one.id().to_owned()).collect()
}

/// Ids of what is written.
fn written(run: &Run<'_>) -> Vec<String> {
    let verdicts = run.written("verdicts");
    verdicts.iter().map(id).collect()
}

fn id(verdict: &Value) -> String {
    let id = verdict["verdict_id"].as_str().unwrap();
    format!("{id}-{}", verdict["revision"])
}

/// Each once: what was answered is not sent again.
#[track_caller]
fn all_are_taken(run: &Run<'_>, receiver: &Receiver) {
    until("not all is posted", || {
        taken(&receiver.posted()).len() >= written(run).len()
    });
    // One of them may be a verdict ahead by now.
    let (taken, written) = (taken(&receiver.posted()), written(run));
    let both = taken.len().min(written.len());
    assert_eq!(taken[..both], written[..both]);
}

#[test]
fn a_receiver_gets_every_verdict_signed_and_in_order_whatever_becomes_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let signed = Signed::new(folder.path(), "soc");
    let secret = folder.path().join("webhook.secret");
    std::fs::write(&secret, SECRET).unwrap();
    let mut receiver = Receiver::absent(&signed);
    let config = format!(
        "[[siem]]\nto = \"{}\"\nform = \"ndjson\"\nca = \"{}\"\nsecret_file = \"{}\"\n",
        receiver.url(),
        signed.ca.display(),
        secret.display()
    );
    let mut run = Run::start(folder.path(), "127.0.0.1:0", &config);

    // It is not there.
    raid(&run, 0);
    run.process.said("siem webhook: ");
    assert!(receiver.posted().is_empty());
    receiver.start();
    all_are_taken(&run, &receiver);

    // It is in trouble of its own.
    receiver.answer(503);
    raid(&run, 1);
    until("it is asked", || {
        receiver.posted().iter().any(|one| one.status == 503)
    });
    until("nobody who measures is told", || {
        measured(&run, "up") == 0 && measured(&run, "waiting") > 0
    });
    assert!(measured(&run, "retries_total") > 0);
    receiver.answer(204);
    all_are_taken(&run, &receiver);
    until("nobody who measures is told", || {
        measured(&run, "up") == 1
            && measured(&run, "waiting") == 0
            && measured(&run, "arrived_total") == measured(&run, "taken_total")
    });

    // It dies over one, and nobody knows whether it has it.
    receiver.answer(HANG_UP);
    raid(&run, 2);
    all_are_taken(&run, &receiver);
    let posted = receiver.posted();
    let lost = posted.iter().position(|one| one.status == HANG_UP).unwrap();
    assert_eq!(
        posted[lost].id(),
        posted[lost + 1].id(),
        "the same, by the same id"
    );
    assert_eq!(posted[lost].body, posted[lost + 1].body);

    // It is away, and so is the run.
    receiver.stop();
    raid(&run, 3);
    run.crash(&config);
    receiver.start();
    // Both are told again what happened since the state was saved last, by the same ids.
    let first = |ids: Vec<String>| -> Vec<String> {
        let mut known = BTreeSet::new();
        ids.into_iter()
            .filter(|id| known.insert(id.clone()))
            .collect()
    };
    let expected = first(written(&run));
    until("not all is posted", || {
        first(taken(&receiver.posted())).len() >= expected.len()
    });
    assert_eq!(first(taken(&receiver.posted())), expected);
    assert!(run.process.terminate().success());

    let posted = receiver.posted();
    assert!(posted.iter().all(|one| one.id() == id(&one.json())));
    if !are_signed(&posted, SECRET) {
        eprintln!("skipped: nobody judges the signatures: docker/siem/validate fetch");
    }
}
