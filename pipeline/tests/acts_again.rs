//! What people decide comes again by the same key: it is done once, and answered as it was before,
//! across a crash too; what was refused is in the audit trail.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what these functions cannot do fails the test"
)]

mod plant;
mod watched;

use std::path::Path;

use serde_json::Value;
use watched::Watched;

const DEVICE: &str = "cnc-controller-01-0001";

fn start(data: &Path) -> Watched {
    let mut command = plant::andon();
    command.args(["run", "--mqtt", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    let mut run = Watched::start("run", command.arg("--data").arg(data));
    run.wait_for("mqtt://");
    run.said("serving on");
    run
}

/// The exit status of `andon act` and what it prints.
fn act(data: &Path, args: &[&str]) -> (i32, String) {
    let mut command = plant::andon();
    command.args(["-o", "json", "act"]).args(args);
    let output = command.arg("--data").arg(data).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    // Another run is served somewhere else.
    let said = said.split(" of http://").next().unwrap().to_owned();
    (output.status.code().unwrap(), said)
}

fn trail(data: &Path) -> Vec<Value> {
    plant::lines(&plant::read(data, "audit.jsonl"))
}

#[test]
fn an_act_by_the_same_key_is_answered_as_before() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let mut run = start(data);
    let hold = [
        "suppress", DEVICE, "--reason", "a test", "--key", "ticket-1",
    ];
    let answered = act(data, &hold);
    assert_eq!(answered.0, 0, "{answered:?}");
    let lift = [
        "release", "--device", DEVICE, "--reason", "a test", "--key", "ticket-2",
    ];
    let refused = act(data, &lift);
    assert!(refused.1.contains("nothing is in force"), "{refused:?}");
    assert_ne!(refused.0, 0);
    // By now it could be lifted.
    let cut = ["quarantine", DEVICE, "--reason", "a test"];
    assert_eq!(act(data, &cut).0, 0);
    for crash in [false, true] {
        if crash {
            run.kill();
            run = start(data);
        }
        assert_eq!(act(data, &hold), answered, "crash: {crash}");
        assert_eq!(act(data, &lift), refused, "crash: {crash}");
    }
    let other = [
        "suppress", DEVICE, "--reason", "a test", "--key", "ticket-2",
    ];
    let (_, said) = act(data, &other);
    assert!(said.contains("asked for something else before"), "{said}");
    assert!(run.terminate().success());
    let of_two = |entry: &&Value| entry["act"]["act_id"] == "operator:ticket-2";
    assert_eq!(trail(data).iter().filter(of_two).count(), 1);
}

#[test]
fn what_is_no_act_is_refused_and_in_the_trail() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let mut run = start(data);
    let (status, said) = act(
        data,
        &["suppress", DEVICE, "--reason", "a test", "--hours", "500"],
    );
    assert!(said.contains("`hours` is 500"), "{said}");
    assert_eq!(status, 2);
    let (status, said) = act(
        data,
        &[
            "suppress",
            DEVICE,
            "--reason",
            "a test",
            "--key",
            "with space",
        ],
    );
    assert!(said.contains("`--key with space`"), "{said}");
    assert_eq!(status, 2);
    assert!(run.terminate().success());
    let trail = trail(data);
    let of_refused = |entry: &&Value| entry["event"] == "act_refused";
    let refused: Vec<&Value> = trail.iter().filter(of_refused).collect();
    assert_eq!(refused.len(), 1, "{trail:?}");
    assert_eq!(refused[0]["by"], "operator");
    let detail = refused[0]["detail"].as_str().unwrap();
    assert!(detail.contains("500"), "{detail}");
}
