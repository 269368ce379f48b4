//! What devices are measured against, and until when commands about one are held back.

use std::sync::Arc;

use andon_schemas::builtin;
use andon_schemas::command::Mode;
use andon_schemas::profile::{self, ProfileSet, SourceFile};
use serde_json::{Value, json};

use super::{Console, at, device, risk, verdict};

fn parse(files: &[SourceFile<'_>]) -> ProfileSet {
    profile::parse(files, &[]).unwrap()
}

fn profiles() -> ProfileSet {
    parse(builtin::PROFILES)
}

fn measure_by(console: &Console, profiles: &ProfileSet) {
    let all = profiles.iter().cloned().map(Arc::new);
    console.board.measure_by(profiles.hash(), all);
}

/// A console of the built-in plant and its profiles.
fn console() -> Console {
    let console = Console::new();
    measure_by(&console, &profiles());
    console
}

fn row<'a>(list: &'a Value, under: &str, device_type: &str) -> Option<&'a Value> {
    let rows = list[under].as_array().unwrap();
    rows.iter().find(|row| row["device_type"] == device_type)
}

#[test]
fn profiles_are_listed_with_their_devices_and_what_is_open() {
    let console = console();
    let id = device(0);
    console
        .board
        .verdict(&verdict(&id, "v1", 1, "raised", "CRITICAL"));
    let device_type = console.get(&format!("/v1/devices/{id}")).json()["device_type"].clone();
    let device_type = device_type.as_str().unwrap();
    let list = console.get("/v1/profiles").json();
    assert_eq!(list["hash"], profiles().hash());
    assert_eq!(list["profiles"].as_array().unwrap().len(), profiles().len());

    let own = row(&list, "profiles", device_type).unwrap();
    assert_eq!(own["hash"], profiles().get(device_type).unwrap().hash);
    assert_eq!(own["counts"]["critical"], 1);
    assert_eq!(own["calibrated"], false);
    let plant = console.get("/v1/plant").json();
    for kind in plant["types"].as_array().unwrap() {
        let name = kind["type"].as_str().unwrap();
        let listed = row(&list, "profiles", name).or_else(|| row(&list, "without", name));
        assert_eq!(listed.unwrap()["devices"], kind["devices"], "{name}");
    }
    // What others extend has no devices of its own here, and what no profile is about says so.
    assert_eq!(
        row(&list, "profiles", "cnc_controller").unwrap()["devices"],
        0
    );
    assert!(!list["without"].as_array().unwrap().is_empty());
}

#[test]
fn a_profile_is_told_as_it_is_in_force_in_base_units_and_in_plant_time() {
    let console = console();
    let answer = console.get("/v1/profiles/CNC_Controller_Fanuc").json();
    assert_eq!(answer["extends"], json!(["cnc_controller"]));
    assert_eq!(
        answer["timezone"],
        console.get("/v1/plant").json()["timezone"]
    );
    assert_eq!(
        answer["active_hours"],
        json!({"spans": ["06:00-22:00"], "grace_min": 0})
    );
    let volume = &answer["volume_per_hour"];
    assert_eq!(
        (&volume["low"], &volume["high"]),
        (&json!(50e6), &json!(150e6))
    );
    assert_eq!(
        (&volume["limit"], &volume["limit_is_written"]),
        (&json!(450e6), &json!(false))
    );
    assert_eq!(
        answer["destinations"][1],
        json!({
            "kind": "name", "name": "safety-plc.mfg.local", "share": 0.04, "safety": true,
            "over": ["udp/44818"],
        })
    );
    assert_eq!(answer["protocols"][0]["ports"], json!(["tcp/502"]));
    // What it extends is in it.
    assert_eq!(answer["silence_s"], 900.0);
    assert_eq!(answer["silence_by"], "written");
    assert_eq!(answer["frozen"]["idle_s"], 1_800.0);
    assert_eq!(answer["firmware"][0]["version"], "31i-B5-Plus");
    assert_eq!(answer["current"]["active_a"]["high"], 8.0);
    assert_eq!(answer["sends"], Value::Null);
    assert!(answer["accepts"].as_array().unwrap().len() > 1);
    assert_eq!(answer["calibration"], Value::Null);
}

/// The watch for silence never rests, whatever is written.
#[test]
fn how_long_a_device_may_be_silent_is_told_with_where_that_is_from() {
    let console = Console::new();
    let told = |keys: &str| {
        let text = format!(
            "profile: pump\nversion: \"1\"\ndescription: Pump\n\
             destinations: [{{ name: a.mfg.local }}]\n{keys}"
        );
        let set = parse(&[SourceFile {
            path: "pump.yaml",
            text: &text,
        }]);
        measure_by(&console, &set);
        let answer = console.get("/v1/profiles/pump").json();
        (answer["silence_s"].clone(), answer["silence_by"].clone())
    };
    let cadence = "cadence: { size: 1-2 KB, every: 7 s, jitter: 130 ms }\n";
    assert_eq!(told(""), (json!(3_600.0), json!("hour")));
    assert_eq!(told(cadence), (json!(21.0), json!("cadence")));
    let both = format!("{cadence}silence: 15 min\n");
    assert_eq!(told(&both), (json!(900.0), json!("written")));
}

#[test]
fn the_yaml_of_a_profile_reads_back_as_the_same_one() {
    let console = console();
    for profile in profiles().iter() {
        let answer = console
            .get(&format!("/v1/profiles/{}", profile.name))
            .json();
        let text = answer["yaml"].as_str().unwrap();
        let read = parse(&[SourceFile {
            path: "p.yaml",
            text,
        }]);
        let hash = &read.get(&profile.name).unwrap().hash;
        assert_eq!(json!(hash), answer["hash"], "{}", profile.name);
    }
}

#[test]
fn the_tag_of_a_profile_changes_with_it_and_with_its_devices() {
    let console = console();
    for path in ["/v1/profiles", "/v1/profiles/agv"] {
        let again = |tag: &str| console.ask("GET", path, &format!("If-None-Match: {tag}\r\n"), "");
        let first = console.get(path).header("etag").unwrap().to_owned();
        assert_eq!(again(&first).status, 304);

        let text = profiles().get("agv").unwrap().to_yaml();
        let text = text
            .replacen("version: ", "version: 9-", 1)
            .replace("9-\"", "\"9-");
        let changed = parse(&[SourceFile {
            path: "agv.yaml",
            text: &text,
        }]);
        measure_by(&console, &changed);
        console
            .board
            .change(&builtin::inventory().unwrap(), Mode::Monitor);
        let second = again(&first);
        assert_eq!(second.status, 200, "{path}");
        assert!(second.body.contains("\"9-"), "{path}: {}", second.body);
        measure_by(&console, &profiles());
    }
}

#[test]
fn a_profile_that_is_not_in_force_is_a_problem() {
    let console = Console::new();
    console
        .get("/v1/profiles/agv")
        .is_problem(404, "no profile `agv`");
    let list = console.get("/v1/profiles").json();
    assert_eq!(list["profiles"], json!([]));
    assert!(row(&list, "without", "agv").is_some());
    console.get("/v1/profiles/%ff").is_problem(400, "UTF-8");
}

#[test]
fn until_when_commands_are_held_back_is_told_until_they_are_not() {
    let console = Console::new();
    let [held, other] = [device(0), device(1)];
    let path = format!("/v1/devices/{held}");
    assert_eq!(console.get(&path).json()["suppressed_until"], Value::Null);
    let before = console.get("/v1/board").json()["seq"].clone();
    console.board.suppressed(&held, Some(at(60)));
    assert_eq!(console.get(&path).json()["suppressed_until"], json!(at(60)));
    let listed = console.get(&format!("/v1/devices?q={held}")).json();
    assert_eq!(listed["devices"][0]["suppressed_until"], json!(at(60)));
    let of_other = console.get(&format!("/v1/devices/{other}")).json();
    assert_eq!(of_other["suppressed_until"], Value::Null);
    let told = console.get("/v1/board").json()["seq"].clone();
    assert_ne!(told, before, "whoever follows is told");

    // The same again is no news; that it is over is.
    console.board.suppressed(&held, Some(at(60)));
    assert_eq!(console.get("/v1/board").json()["seq"], told);
    console.board.suppressed(&held, None);
    assert_eq!(console.get(&path).json()["suppressed_until"], Value::Null);
    assert_ne!(console.get("/v1/board").json()["seq"], told);
}

#[test]
fn what_is_held_back_is_over_when_the_newest_data_has_passed_it() {
    let console = Console::new();
    let [held, other] = [device(0), device(1)];
    let until = || console.get(&format!("/v1/devices/{held}")).json()["suppressed_until"].clone();
    console.board.suppressed(&held, Some(at(60)));
    console.board.risk(&risk(&other, 59, 5, None));
    assert_eq!(until(), json!(at(60)));
    console.board.risk(&risk(&other, 60, 5, None));
    assert_eq!(until(), Value::Null);
}
