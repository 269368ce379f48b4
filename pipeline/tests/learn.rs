//! `andon learn` as its user meets it: what a plant does is found again in its profile, what does
//! not belong to it is left out and listed, and the next week stays quiet under it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what cannot be done fails the test"
)]

use std::path::Path;
use std::process::{Command, Output};

use andon_schemas::profile::{Profile, SourceFile, Target, parse};
use serde_json::Value;

fn andon(folder: &Path, line: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_andon"))
        .current_dir(folder)
        .args(line.split_whitespace())
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn does(folder: &Path, line: &str) -> String {
    let output = andon(folder, line);
    assert!(output.status.success(), "{line}: {}", text(&output));
    text(&output)
}

fn profile(path: &Path, name: &str) -> Profile {
    let text = std::fs::read_to_string(path).unwrap();
    let path = path.display().to_string();
    let file = SourceFile {
        path: &path,
        text: &text,
    };
    let set = parse(&[file], &andon::setting::detector_names()).unwrap();
    set.get(name).unwrap().clone()
}

const TYPE: &str = "cnc_controller_fanuc";
const LEARN: &str = "learn first.parquet --inventory first.parquet.inventory.yaml";

/// What the written profile says is what the simulated plant does: it must be found again.
fn is_found_again(folder: &Path) {
    does(
        folder,
        &format!("{LEARN} --device-type {TYPE} --out learned.yaml"),
    );
    let learned = profile(&folder.join("learned.yaml"), TYPE);
    let written = andon_schemas::builtin::profiles(&[]).unwrap();
    let written = written.get(TYPE).unwrap();
    let near = |learned: f64, written: f64, by: f64| {
        assert!(
            learned / written < by && written / learned < by,
            "{learned} {written}"
        );
    };
    let (volume, wanted) = (learned.volume.unwrap(), written.volume.unwrap());
    near(volume.range.lo, wanted.range.lo, 1.5);
    near(volume.range.hi, wanted.range.hi, 1.5);
    for destination in &written.destinations {
        let found = learned
            .destinations
            .iter()
            .find(|one| one.target == destination.target);
        let found = found.unwrap_or_else(|| panic!("{} is missing", destination.target));
        assert_eq!(
            (found.safety, &found.over),
            (destination.safety, &destination.over)
        );
        let (share, wanted) = (found.share.unwrap_or(0.0), destination.share.unwrap());
        assert!(
            (share - wanted).abs() < 0.03,
            "{}: {share} {wanted}",
            destination.target
        );
    }
    for protocol in &written.protocols {
        let found = learned
            .protocols
            .iter()
            .find(|one| one.name == protocol.name)
            .unwrap();
        let (share, wanted) = (found.share.unwrap_or(0.0), protocol.share.unwrap());
        assert!(
            (share - wanted).abs() < 0.04,
            "{}: {share} {wanted}",
            protocol.name
        );
    }
    // What nobody saw in two days is not invented, but safety is never forgotten.
    let safety = |profile: &Profile| {
        let all = profile.destinations.iter().chain(&profile.clients);
        let safe = all.filter(|one| one.safety);
        safe.map(|one| one.target.clone()).collect::<Vec<Target>>()
    };
    for flow in safety(written) {
        assert!(
            safety(&learned).contains(&flow),
            "safety flow {flow} is lost"
        );
    }
    let (current, wanted) = (learned.current.unwrap(), written.current.unwrap());
    near(current.idle.hi, wanted.idle.hi, 1.5);
    near(current.active.lo, wanted.active.lo, 1.5);
    assert!(current.idle.hi < current.active.lo, "{current:?}");
    assert!(learned.controller && learned.calibration.is_none());
}

/// All types; the next two days of the same plant.
fn is_quiet(folder: &Path) {
    let json = does(folder, &format!("{LEARN} --out profiles -o json"));
    let types: Value = serde_json::from_str(&json).unwrap();
    let types = types.as_array().unwrap();
    assert!(types.len() >= 10, "{json}");
    // Two days are a beginning, and it says so.
    assert!(
        types
            .iter()
            .all(|one| !one["cold_start"].as_array().unwrap().is_empty())
    );
    does(
        folder,
        "backtest next.parquet --inventory next.parquet.inventory.yaml --profiles profiles --out quiet",
    );
    let summary = std::fs::read(folder.join("quiet/summary.json")).unwrap();
    let summary: Value = serde_json::from_slice(&summary).unwrap();
    let verdicts = &summary["verdicts"];
    let of = |grade: &str| verdicts[grade].as_u64().unwrap();
    // Nobody it does not know of is talked to, and few hours are unlike those it was learned from.
    assert_eq!(of("CRITICAL"), 0, "{verdicts}");
    let loud = of("HIGH") + of("MEDIUM");
    let hours = summary["device_hours"].as_u64().unwrap();
    assert!(loud * 100 <= hours, "{loud} of {hours}: {verdicts}");
}

/// An attack in the traffic does not become what is normal.
fn is_not_poisoned(folder: &Path) {
    let json = does(
        folder,
        "learn poisoned.parquet --inventory poisoned.parquet.inventory.yaml -o json \
         --device-type plc_assembly --out poisoned.yaml",
    );
    let learned: Value = serde_json::from_str(&json).unwrap();
    let out = learned[0]["left_out"].as_array().unwrap();
    let listed = |word: &str| {
        let why = |one: &&Value| one["why"].as_str().unwrap().contains(word);
        out.iter().find(why)
    };
    let hour = listed("robust deviations").unwrap_or_else(|| panic!("{json}"));
    assert_eq!(hour["device"], "plc-assembly-line-3", "{hour}");
    assert!(listed("203.0.113.77").is_some(), "{json}");
    let learned = profile(&folder.join("poisoned.yaml"), "plc_assembly");
    let stranger = Target::Address([203, 0, 113, 77].into());
    assert!(
        learned
            .destinations
            .iter()
            .all(|one| one.target != stranger)
    );
    assert!(
        learned.volume.unwrap().rule_bytes < 50e6,
        "{:?}",
        learned.volume
    );
}

#[test]
fn a_plant_is_found_again_and_what_is_unlike_it_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    does(
        folder,
        "simulate --hours 36 --seed 5 --devices 60 --out first.parquet",
    );
    does(
        folder,
        "simulate --hours 36 --seed 8 --devices 60 --start 2025-12-15T23:00:00Z --out next.parquet",
    );
    does(
        folder,
        "simulate --hours 54 --seed 5 --attack plc-night-exfil --observations flow \
         --out poisoned.parquet",
    );
    is_found_again(folder);
    is_quiet(folder);
    is_not_poisoned(folder);
}

#[test]
fn what_cannot_be_learned_from_is_refused_with_words() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("empty.ndjson"), "").unwrap();
    does(folder, "simulate --hours 2 --devices 20 --out few.parquet");
    for (line, said) in [
        ("learn empty.ndjson", "there is nothing to learn"),
        ("learn none.ndjson", "none.ndjson"),
        (
            "learn few.parquet --inventory few.parquet.inventory.yaml --device-type toaster",
            "no device of type `toaster` is in the capture; it holds: ",
        ),
    ] {
        let output = andon(folder, line);
        assert_eq!(output.status.code(), Some(2), "{line}: {}", text(&output));
        assert!(text(&output).contains(said), "{line}: {}", text(&output));
    }
}

/// Zeek's log of one client that polls one controller, and of a name server that is asked.
fn polling(folder: &Path) {
    let mut lines = Vec::new();
    for minute in 0..600_u32 {
        let at = 1_765_500_000 + minute * 60;
        lines.push(format!(
            r#"{{"ts":{at}.5,"uid":"C{minute}","id.orig_h":"192.168.7.20","id.orig_p":40000,"id.resp_h":"192.168.7.10","id.resp_p":502,"proto":"tcp","service":"modbus","duration":1.0,"orig_bytes":120,"resp_bytes":{},"conn_state":"SF"}}"#,
            300 + minute % 7
        ));
        if minute % 60 == 0 {
            lines.push(format!(
                r#"{{"ts":{at}.9,"uid":"D{minute}","id.orig_h":"192.168.7.20","id.orig_p":50000,"id.resp_h":"192.168.7.1","id.resp_p":53,"proto":"udp","service":"dns","duration":0.1,"orig_bytes":40,"resp_bytes":90,"conn_state":"SF"}}"#
            ));
        }
    }
    // Somebody tried an address where nobody is: that makes no device.
    lines.push(r#"{"ts":1765503000.1,"uid":"X1","id.orig_h":"192.168.7.20","id.orig_p":50001,"id.resp_h":"192.168.7.99","id.resp_p":23,"proto":"tcp","conn_state":"S0"}"#.to_owned());
    std::fs::write(folder.join("conn.log"), lines.join("\n") + "\n").unwrap();
}

#[test]
fn a_plant_that_nobody_described_is_guessed_at_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    polling(folder);
    let said = does(folder, "learn conn.log --out learned");
    assert!(said.contains("no inventory was named"), "{said}");
    let inventory = std::fs::read_to_string(folder.join("learned/inventory/guessed.yaml")).unwrap();
    assert!(
        inventory.contains("host-192.168.7.10, type: modbus_server"),
        "{inventory}"
    );
    assert!(
        inventory.contains("host-192.168.7.20, type: modbus_client"),
        "{inventory}"
    );
    assert!(
        inventory.contains("host-192.168.7.1, type: dns_server"),
        "{inventory}"
    );
    assert!(!inventory.contains("192.168.7.99"), "{inventory}");
    let devices = inventory.lines().filter(|line| line.contains("risk_class"));
    assert!(
        devices.clone().count() == 3 && devices.clone().all(|line| line.contains("# guessed: "))
    );
    let client = profile(&folder.join("learned/modbus_client.yaml"), "modbus_client");
    let server = Target::DeviceType("modbus_server".to_owned());
    let polled = client
        .destinations
        .iter()
        .find(|one| one.target == server)
        .unwrap();
    assert!((polled.share.unwrap() - 0.983).abs() < 0.01, "{polled:?}");
    let cadence = client.cadence.unwrap();
    assert!((cadence.period_s - 60.0).abs() < 0.1, "{cadence:?}");
    let quiet = does(
        folder,
        "backtest conn.log --inventory learned/inventory/guessed.yaml --profiles learned -o json",
    );
    let summary: Value = serde_json::from_str(&quiet).unwrap();
    // The one attempt at nobody is what it is: a destination it does not have.
    assert_eq!(summary["episodes"], 1, "{quiet}");
    assert_eq!(summary["verdicts"]["HIGH"], 1, "{quiet}");
}
