//! Commands carried out on real packets: a gateway and three hosts in network namespaces, a real
//! Mosquitto, real nftables. It takes root; without it, or without the programs, these tests say
//! that they were skipped, unless `ANDON_NFT=1` demands them.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what these functions cannot do fails the test, and a skipped test must say so"
)]

mod broker;
mod enforced;
mod plant;
mod watched;

use andon_schemas::command::{Action, FlowMatch};
use andon_schemas::observation::Transport;
use serde_json::json;

use self::enforced::{Cell, answer, file, from_now, order};
use self::watched::Watched;

const PRESS: &str = "press-1";
/// The safety flows of the press, in both families.
const SAFETY: [[&str; 3]; 4] = [
    ["udp", "10.77.2.10", "4400"],
    ["tcp", "10.77.2.10", "4401"],
    ["udp", "fd77:2::10", "4400"],
    ["tcp", "fd77:2::10", "4401"],
];
/// What else it can reach: its safety controller otherwise, the server, the gateway itself.
const OTHERS: [[&str; 3]; 7] = [
    ["tcp", "10.77.2.10", "22"],
    ["udp", "10.77.2.10", "4401"],
    ["tcp", "10.77.3.10", "80"],
    ["udp", "10.77.3.10", "53"],
    ["tcp", "fd77:2::10", "22"],
    ["udp", "fd77:3::10", "53"],
    ["tcp", "10.77.1.254", "22"],
];

fn reaches_everything(cell: &Cell) {
    for question in SAFETY.iter().chain(&OTHERS) {
        cell.reaches("press", question);
    }
}

fn reaches_its_safety_controller_only(cell: &Cell) {
    for question in &SAFETY {
        cell.reaches("press", question);
    }
    for question in &OTHERS {
        cell.is_kept_from("press", question);
    }
}

/// Quarantines the press and waits for the answer.
fn quarantine(cell: &Cell, answers: &mut Watched, seconds: i64) {
    cell.command(PRESS, &order(PRESS, Action::Quarantine, &[], seconds));
    let (result, detail) = answer(answers);
    assert_eq!(result, "done", "{detail}");
}

/// Lifts an order and waits for the answer. What was answered last before somebody was killed may
/// be answered once more.
fn release(cell: &Cell, answers: &mut Watched, action: Action) {
    cell.command(PRESS, &order(PRESS, action, &[], 0));
    let lifted = answers.wait_for("lifted");
    assert!(lifted.contains("done"), "{lifted}");
}

/// A flow of the press, now, to whom no profile names.
fn to_a_stranger() -> String {
    json!({
        "kind": "flow", "time": from_now(0), "seq": 1, "orig": "10.77.1.10:40000",
        "resp": "203.0.113.7:4444", "transport": "tcp", "state": "answered",
        "orig_bytes": 120, "resp_bytes": 40,
    })
    .to_string()
}

#[test]
fn a_quarantined_host_reaches_its_safety_controller_and_nothing_else_until_it_is_released() {
    let Some(mut cell) = Cell::new() else {
        return;
    };
    let mut answers = cell.answers();
    let mut enforcer = cell.enforcer();
    reaches_everything(&cell);
    let mut safe = cell.holds("10.77.2.10", "4401");
    let mut other = cell.holds("10.77.3.10", "80");
    safe.is_now("answered");
    other.is_now("answered");

    quarantine(&cell, &mut answers, 600);
    reaches_its_safety_controller_only(&cell);
    // What was open before is cut as well, and a safety flow is not.
    other.is_now("silent");
    safe.is_now("answered");
    // Nor is one that comes in pieces.
    cell.reaches("press", &["udp", "10.77.2.10", "4400", "4000"]);
    cell.reaches("press", &["udp", "fd77:2::10", "4400", "4000"]);
    // Who poses as the one that answers opens nothing.
    cell.is_kept_from("press", &["tcp", "10.77.2.10", "22", "4", "4401"]);
    // Nobody else gets in, and everybody else goes on.
    cell.reaches("plc", &["tcp", "10.77.1.10", "4401"]);
    cell.is_kept_from("plc", &["tcp", "10.77.1.10", "22"]);
    cell.is_kept_from("server", &["tcp", "10.77.1.10", "80"]);
    cell.reaches("server", &["tcp", "10.77.2.10", "22"]);

    release(&cell, &mut answers, Action::Quarantine);
    reaches_everything(&cell);
    other.is_now("answered");
    assert_eq!(cell.nft(&["list", "tables"]), "");
    assert!(enforcer.terminate().success());
    enforcer.said("2 done, 0 failed");
}

#[test]
fn an_order_lapses_whether_or_not_anybody_is_there_to_lift_it() {
    let Some(mut cell) = Cell::new() else {
        return;
    };
    let server = ["tcp", "10.77.3.10", "80"];
    let mut answers = cell.answers();
    let mut enforcer = cell.enforcer();
    quarantine(&cell, &mut answers, 15);
    cell.is_kept_from("press", &server);
    cell.reaches("press", &server);

    quarantine(&cell, &mut answers, 15);
    enforcer.kill();
    cell.is_kept_from("press", &server);
    // The table is there still, and lets everything through.
    cell.reaches("press", &server);
    assert_eq!(cell.nft(&["list", "tables"]), "table inet andon\n");
    reaches_everything(&cell);
}

#[test]
fn whoever_is_killed_goes_on_where_it_was() {
    let Some(mut cell) = Cell::new() else {
        return;
    };
    let mut answers = cell.answers();
    let mut enforcer = cell.enforcer();
    quarantine(&cell, &mut answers, 600);
    enforcer.kill();
    reaches_its_safety_controller_only(&cell);
    // The machine starts anew: the kernel has forgotten everything.
    cell.nft(&["flush", "ruleset"]);
    reaches_everything(&cell);
    // What is ordered meanwhile waits at the broker.
    cell.command("lamp-1", &order("lamp-1", Action::Quarantine, &[], 600));
    let mut enforcer = cell.enforcer();
    enforcer.said("1 orders stand");
    reaches_its_safety_controller_only(&cell);
    assert_eq!(answer(&mut answers).0, "done");
    release(&cell, &mut answers, Action::Quarantine);
    reaches_everything(&cell);
    assert!(enforcer.terminate().success());
}

#[test]
fn isolation_spares_the_historian_and_a_restriction_all_but_its_scope() {
    let Some(mut cell) = Cell::new() else {
        return;
    };
    let mut answers = cell.answers();
    let mut enforcer = cell.enforcer();
    // The server is the historian.
    cell.command(PRESS, &order(PRESS, Action::Isolate, &[], 600));
    assert_eq!(answer(&mut answers).0, "done");
    cell.reaches("press", &["tcp", "10.77.3.10", "80"]);
    cell.reaches("press", &["tcp", "fd77:3::10", "80"]);
    cell.reaches("press", &["udp", "10.77.2.10", "4400"]);
    cell.is_kept_from("press", &["tcp", "10.77.2.10", "22"]);

    let scope = [FlowMatch {
        peer: "10.77.3.10".to_owned(),
        transport: Some(Transport::Tcp),
        port: Some(80),
    }];
    cell.command(PRESS, &order(PRESS, Action::Restrict, &scope, 600));
    assert_eq!(answer(&mut answers).0, "done");
    cell.is_kept_from("press", &["tcp", "10.77.3.10", "80"]);
    cell.reaches("press", &["udp", "10.77.3.10", "53"]);
    release(&cell, &mut answers, Action::Isolate);
    cell.reaches("press", &["tcp", "10.77.2.10", "22"]);
    cell.is_kept_from("press", &["tcp", "10.77.3.10", "80"]);

    // A command that would cut what nobody knows to be safe is refused, and cuts nothing.
    cell.command("saw-1", &order("saw-1", Action::Quarantine, &[], 600));
    let (result, detail) = answer(&mut answers);
    assert_eq!(result, "failed");
    assert!(detail.contains("guard.example.net"), "{detail}");
    assert!(!cell.nft(&["list", "ruleset"]).contains("10.77.1.14"));
    // One that cannot be read is answered if it is named.
    let bad = json!({ "key": "k", "action": "dance", "scope": [], "expiry": from_now(60) });
    cell.publish("andon/v1/out/cell/press-1/enforcement", &bad.to_string());
    let (result, detail) = answer(&mut answers);
    assert!(result == "failed" && detail.contains("dance"), "{detail}");
    assert!(enforcer.terminate().success());
    enforcer.said("3 done, 1 failed, 1 unreadable");
}

#[test]
fn a_verdict_cuts_the_device_that_it_is_about_until_a_person_lifts_it() {
    let Some(mut cell) = Cell::new() else {
        return;
    };
    let mut answers = cell.answers();
    let _enforcer = cell.enforcer();
    reaches_everything(&cell);
    let config = cell.folder.path().join("andon.toml");
    std::fs::write(
        &config,
        "mode = \"enforce\"\n[mqtt]\ntrusted_topics = true\n",
    )
    .unwrap();
    let mut run = cell.run(&config, "mqtt://127.0.0.1:1883");
    run.wait_for("reading andon/v1/in/cell/#");
    cell.publish("andon/v1/in/cell/press-1/flow", &to_a_stranger());
    run.wait_for("CRITICAL");
    assert_eq!(answer(&mut answers).0, "done");
    reaches_its_safety_controller_only(&cell);
    cell.is_acknowledged(PRESS);
    cell.act(&["release", "--device", PRESS, "--reason", "seen on site"]);
    answers.wait_for("lifted");
    reaches_everything(&cell);
    assert!(run.terminate().success());
}

/// The embedded endpoint in place of a broker, and clients that prove who they are.
#[test]
fn a_run_that_is_its_own_broker_is_obeyed_as_well() {
    const SHA256_OF_SECRET: &str =
        "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    let Some(cell) = Cell::new() else {
        return;
    };
    let config = cell.folder.path().join("andon.toml");
    let principal = |name: &str, role: &str| {
        format!(
            "[[mqtt.principals]]\nname = \"{name}\"\nrole = \"{role}\"\n\
             password_sha256 = \"{SHA256_OF_SECRET}\"\n"
        )
    };
    let principals = principal(PRESS, "device") + &principal("gate-1", "enforcer");
    std::fs::write(&config, format!("mode = \"enforce\"\n{principals}")).unwrap();
    let secret = cell.folder.path().join("secret");
    std::fs::write(&secret, "secret\n").unwrap();
    let mut run = cell.run(&config, "127.0.0.1:1884");
    run.wait_for("listening on mqtt://127.0.0.1:1884");
    let secret = secret.to_string_lossy().into_owned();
    let mut enforcer = cell.enforcer_at(
        "mqtt://127.0.0.1:1884",
        &["--user", "gate-1", "--password-file", &secret],
    );
    enforcer.wait_for("connected and subscribed");
    let user = ["-p", "1884", "-u", PRESS, "-P", "secret"];
    cell.publish_as(&user, "andon/v1/in/cell/press-1/flow", &to_a_stranger());
    run.wait_for("CRITICAL");
    enforcer.wait_for("done  in force until");
    reaches_its_safety_controller_only(&cell);
    cell.is_acknowledged(PRESS);
    assert!(enforcer.terminate().success());
    assert!(run.terminate().success());
}

#[test]
fn the_kernel_takes_the_ruleset_that_is_written_down() {
    let Some(cell) = Cell::new() else {
        return;
    };
    for _ in 0..2 {
        cell.nft(&["-f", &file("ruleset.nft")]);
    }
    let listed = cell.nft(&["list", "table", "inet", "andon"]);
    for text in [
        "10.77.1.10 timeout",
        "10.77.1.11 timeout",
        "10.77.1.12 timeout",
    ] {
        assert!(listed.contains(text), "{listed}");
    }
}
