//! What an enforcement point would do, looked at without a broker, without a kernel, by anybody.
#![expect(
    clippy::unwrap_used,
    reason = "what these functions cannot do fails the test that calls them"
)]

mod plant;

use std::path::Path;
use std::process::{Command, Output};

use andon_respond::key_of;
use andon_schemas::command::Action;
use andon_schemas::identity::DeviceId;
use serde_json::{Value, json};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/enforced");

/// What the product is told about the cell.
const CELL: [&str; 4] = [
    "--inventory",
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/enforced/plant.yaml"),
    "--profiles",
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/enforced/profiles"),
];

/// A line of a file of commands, by minutes after midnight.
fn line(device: &str, action: Action, scope: &Value, minutes: u32) -> String {
    let key = key_of(&DeviceId::new(device).unwrap(), action);
    let expiry = format!("2026-01-01T{:02}:{:02}:00Z", minutes / 60, minutes % 60);
    let line = json!({
        "device": device, "key": key, "action": action, "scope": scope, "expiry": expiry,
    });
    line.to_string() + "\n"
}

/// One order of every kind, and one about a device of another enforcement point.
fn orders() -> String {
    let scope = json!([
        { "peer": "203.0.113.0/24", "transport": "tcp", "port": 443 },
        { "peer": "historian.cell.local", "transport": "icmp", "port": 0 },
        { "peer": "203.0.113.9", "transport": null, "port": 53 },
        { "peer": "203.0.113.10", "transport": "other", "port": null },
        { "peer": "203.0.113.11", "transport": "udp", "port": null },
    ]);
    let whole = json!([]);
    line("press-1", Action::Quarantine, &whole, 60)
        + &line("press-2", Action::Isolate, &whole, 120)
        + &line("lamp-1", Action::Restrict, &scope, 1)
        + &line("historian", Action::Isolate, &whole, 120)
}

fn enforce() -> Command {
    let mut command = plant::andon();
    command.args(["enforce", "--nftables"]).args(CELL);
    command
}

fn dry(folder: &Path, commands: &str, extra: &[&str]) -> Output {
    let path = folder.join("orders.ndjson");
    std::fs::write(&path, commands).unwrap();
    let mut command = enforce();
    command.args(["--dry-run", "--enforcer", "gate-1"]);
    command.args(["--at", "2026-01-01T00:00:00Z", "--commands"]);
    command.arg(&path).args(extra).current_dir(folder);
    command.output().unwrap()
}

#[test]
fn a_dry_run_prints_what_the_kernel_would_be_told() {
    let folder = tempfile::tempdir().unwrap();
    let output = dry(folder.path(), &orders(), &[]);
    assert!(output.status.success(), "{output:?}");
    let golden = std::fs::read_to_string(Path::new(FOLDER).join("ruleset.nft")).unwrap();
    let told = "# 3 orders stand, 0 lines left out, 1 about others\n";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), golden + told);
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 1, "it keeps something");
}

#[test]
fn what_is_left_out_is_said_with_its_line_and_the_rest_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let bad = line("saw-1", Action::Isolate, &json!([]), 60) + "{\n";
    let output = dry(folder.path(), &(orders() + "\n" + &bad), &["-o", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["orders"], &told["foreign"]), (&json!(3), &json!(1)));
    assert!(told["ruleset"].as_str().unwrap().contains("10.77.1.10"));
    let left_out = told["left_out"].as_array().unwrap();
    let left_out: Vec<&str> = left_out.iter().map(|line| line.as_str().unwrap()).collect();
    let [no_flow, no_end] = left_out[..] else {
        unreachable!("{left_out:?}")
    };
    assert!(
        no_flow.contains("orders.ndjson:6: saw-1: it has a safety flow"),
        "{no_flow}"
    );
    assert!(no_end.contains("orders.ndjson:7: EOF"), "{no_end}");
}

/// A backtest only says what it would have done.
#[test]
fn the_commands_of_a_backtest_can_be_looked_at_as_a_ruleset() {
    let folder = tempfile::tempdir().unwrap();
    let capture = plant::simulate(folder.path(), "2", "2000", &["plc-night-exfil"]);
    let (capture, out) = (capture.to_string_lossy(), folder.path().to_string_lossy());
    let as_of = ["--as-of", "2026-01-01T00:00:00Z"];
    plant::run(&[&["backtest", &*capture, "--out", &*out][..], &as_of].concat());
    let commands = folder.path().join("commands.jsonl");
    let commands = commands.to_string_lossy();
    let stood = |at: &str| {
        let dry = ["enforce", "--nftables", "--dry-run", "-o", "json"];
        let args = [&dry[..], &["--commands", &*commands, "--at", at]].concat();
        let told: Value = serde_json::from_slice(&plant::run(&args).stdout).unwrap();
        let ruleset = told["ruleset"].as_str().unwrap();
        ruleset.contains("# plc-assembly-line-3: quarantine until")
    };
    assert!(!stood("2025-12-14T01:00:00Z"), "before it was said");
    assert!(stood("2025-12-14T03:20:00Z"));
    assert!(!stood("2025-12-16T03:20:00Z"), "after it lapsed");
}

#[test]
fn commands_can_be_had_in_openc2() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.ndjson");
    let whole = json!([]);
    let lines = orders() + &line("lamp-1", Action::Restrict, &whole, 0);
    std::fs::write(&path, lines).unwrap();
    let mut command = plant::andon();
    command
        .args(["enforce", "--openc2", "--enforcer", "gate-1"])
        .args(CELL);
    command
        .args(["--at", "2026-01-01T00:00:00Z", "--commands"])
        .arg(&path);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let told = plant::lines(&output.stdout);
    let of = |action: &str, address: &str| {
        let target = json!({ "ipv4_net": address });
        let fits = |told: &&Value| told["action"] == action && told["target"] == target;
        told.iter().filter(fits).count()
    };
    assert_eq!(of("deny", "10.77.1.10"), 1);
    assert_eq!(of("deny", "10.77.1.11"), 1);
    // The restriction was lifted at once, and the historian is another one's.
    assert_eq!(of("allow", "10.77.1.12"), 1);
    assert_eq!(of("deny", "10.77.3.10"), 0);
    for told in &told {
        assert_eq!(told["actuator"]["slpf"]["asset_id"], "gate-1");
    }
}

#[test]
fn commands_of_a_file_are_not_carried_out() {
    let mut command = plant::andon();
    command.args([
        "enforce",
        "--nftables",
        "--enforcer",
        "gate-1",
        "--commands",
        "-",
    ]);
    let output = command.args(CELL).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("add --dry-run"), "{said}");
}

#[test]
fn whoever_is_not_listed_is_told_who_is() {
    let refused = |extra: &[&str]| {
        let mut command = enforce();
        let output = command.args(["--mqtt", "127.0.0.1:1"]).args(extra).output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    let said = refused(&[]);
    assert!(
        said.contains("--enforcer; it lists gate-1, gate-2"),
        "{said}"
    );
    let said = refused(&["--enforcer", "gate-9"]);
    assert!(
        said.contains("no enforcement point `gate-9`; it lists gate-1"),
        "{said}"
    );
}
