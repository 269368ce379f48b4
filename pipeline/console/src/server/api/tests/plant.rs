//! What the routes answer, and what they refuse.

use andon_schemas::verdict::Risk;
use serde_json::{Value, json};

use super::{Console, at, device, heard, risk, verdict};
use crate::board::Elsewhere;

#[test]
fn a_device_of_which_nothing_was_heard_is_unknown_and_not_healthy() {
    let console = Console::new();
    let id = device(0);
    let answer = console.get(&format!("/v1/risk/{id}"));
    assert_eq!(answer.status, 200);
    let document = answer.json();
    assert_eq!(document["freshness"], "never");
    assert_eq!(document["band"], "unknown");
    assert_eq!(
        (&document["score"], &document["trust"]),
        (&Value::Null, &Value::Null)
    );
    let board = console.get("/v1/board").json();
    assert_eq!(board["counts"]["normal"], 0);
    assert!(board["counts"]["unknown"].as_u64().unwrap() >= 500);
    assert_eq!(board["at"], Value::Null);
}

#[test]
fn risk_is_told_with_freshness_confidence_and_a_tag_that_changes_with_it() {
    let console = Console::new();
    let id = device(0);
    console.board.risk(&risk(&id, 1, 20, None));
    let path = format!("/v1/risk/{id}");
    let first = console.get(&path);
    let document = first.json();
    assert_eq!(
        (&document["band"], &document["score"]),
        (&json!("low"), &json!(20))
    );
    assert_eq!(
        (&document["freshness"], &document["confidence"]),
        (&json!("fresh"), &Value::Null)
    );
    assert_eq!(document["event_time"], at(1).to_string());
    let tag = first.header("etag").unwrap().to_owned();
    let again = console.ask("GET", &path, &format!("If-None-Match: {tag}\r\n"), "");
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    assert_eq!(again.header("etag"), Some(&*tag));

    console
        .board
        .verdict(&verdict(&id, "v1", 1, "raised", "CRITICAL"));
    let answer = console.ask("GET", &path, &format!("If-None-Match: {tag}\r\n"), "");
    assert_eq!(answer.status, 200);
    let document = answer.json();
    assert_eq!(document["verdict_id"], "v1");
    assert_eq!(document["confidence"], json!({"basis": "policy", "n": 0}));
    // Ids fold to lower case.
    let upper = id.as_str().to_uppercase();
    assert_eq!(console.get(&format!("/v1/risk/{upper}")).json(), document);
}

#[test]
fn what_falls_silent_is_stale_and_what_is_open_stays() {
    let console = Console::new();
    let [quiet, open] = [device(0), device(1)];
    console.board.hear([heard(&quiet, 1, Risk::of_score(3))]);
    console
        .board
        .verdict(&verdict(&open, "v1", 1, "raised", "HIGH"));
    assert_eq!(
        console.get(&format!("/v1/risk/{quiet}")).json()["freshness"],
        "fresh"
    );
    console.board.hear([heard(&quiet, 1, Risk::UNKNOWN)]);
    let document = console.get(&format!("/v1/risk/{quiet}")).json();
    assert_eq!(
        (&document["freshness"], &document["band"]),
        (&json!("stale"), &json!("unknown"))
    );
    let row = console.get(&format!("/v1/devices/{quiet}")).json();
    assert_eq!(
        (&row["lamp"], &row["last_seen"]),
        (&json!("unknown"), &json!(at(1)))
    );
    assert_eq!(
        console.get(&format!("/v1/devices/{open}")).json()["lamp"],
        "high"
    );
}

#[test]
fn what_another_process_ended_is_not_open_here() {
    let console = Console::new();
    let device = device(0);
    let raised = verdict(&device, "v1", 2, "raised", "HIGH");
    console.board.verdict(&raised);
    let calm = &risk(&device, 9, 3, None);
    let watched = |update| Elsewhere {
        update,
        is_watched: true,
    };
    console.board.elsewhere(&watched(calm));
    let listed = || {
        console.get("/v1/verdicts").json()["verdicts"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(listed(), 1, "it is held here");
    console.board.hear_anew();
    let is_open = |minute, named, is_watched| {
        let update = &risk(&device, minute, 3, named);
        console.board.elsewhere(&Elsewhere { update, is_watched });
        listed() == 1
    };
    assert!(is_open(1, None, true), "it is of before the verdict");
    assert!(is_open(3, Some("v1"), true), "it is named");
    assert!(is_open(4, None, false), "nobody watches the device");
    assert!(!is_open(4, None, true));
    assert_eq!(console.get("/v1/verdicts/v1").status, 404);
    let row = console.get(&format!("/v1/devices/{device}")).json();
    assert_eq!(row["open"], Value::Null);
}

#[test]
fn many_risks_are_asked_for_at_once_and_strangers_are_named() {
    let console = Console::new();
    let [first, second] = [device(0), device(1)];
    console.board.risk(&risk(&first, 1, 80, None));
    let body = json!({ "devices": [second, "nobody", first] }).to_string();
    let answer = console.post("/v1/risk", "", &body).json();
    let ids: Vec<_> = answer["risks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| &r["device_id"])
        .collect();
    assert_eq!(ids, [&json!(second), &json!(first)]);
    assert_eq!(answer["risks"][1]["band"], "high");
    assert_eq!(answer["unknown"], json!(["nobody"]));
}

#[test]
fn a_segment_is_as_risky_as_its_worst_device() {
    let console = Console::new();
    let [low, high] = [device(0), device(1)];
    console.board.risk(&risk(&low, 1, 10, None));
    console.board.risk(&risk(&high, 2, 80, None));
    let row = console.get(&format!("/v1/devices/{high}")).json();
    let segment = row["segment"].as_str().unwrap();
    let answer = console.get(&format!("/v1/segments/{segment}/risk")).json();
    assert_eq!(answer["worst"], json!({"band": "high", "score": 80}));
    assert_eq!(answer["at"], at(2).to_string());
    assert_eq!(answer["counts"]["normal"], 2);
}

#[test]
fn the_plant_and_its_board_add_up() {
    let console = Console::new();
    let id = device(0);
    console
        .board
        .verdict(&verdict(&id, "v1", 1, "raised", "CRITICAL"));
    let plant = console.get("/v1/plant").json();
    assert_eq!(
        (&plant["site"], &plant["mode"]),
        (&json!("precision-parts"), &json!("monitor"))
    );
    let lines = plant["lines"].as_array().unwrap();
    let of_lines: u64 = lines
        .iter()
        .flat_map(|line| line["segments"].as_array().unwrap())
        .map(|segment| segment["devices"].as_u64().unwrap())
        .sum();
    let board = console.get("/v1/board").json();
    let counts = board["counts"].as_object().unwrap();
    assert_eq!(
        counts.values().map(|n| n.as_u64().unwrap()).sum::<u64>(),
        of_lines
    );
    assert_eq!(counts["critical"], 1);
    let lamps = board["segments"].as_array().unwrap().iter();
    let lamps: Vec<&Value> = lamps.flat_map(|s| s["lamps"].as_array().unwrap()).collect();
    assert_eq!(lamps.len() as u64, of_lines);
    let ours = lamps.iter().find(|lamp| lamp[0] == json!(id)).unwrap();
    assert_eq!((&ours[2], &ours[3]), (&json!("critical"), &json!(95)));
    assert_eq!(ours[4], json!(at(0)));
}

#[test]
fn devices_come_in_pages_and_by_what_they_are() {
    let console = Console::new();
    let mut seen: Vec<String> = Vec::new();
    let mut after = String::new();
    loop {
        let page = console.get(&format!("/v1/devices?limit=200{after}")).json();
        let devices = page["devices"].as_array().unwrap();
        seen.extend(
            devices
                .iter()
                .map(|d| d["device_id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else {
            break;
        };
        after = format!("&after={next}");
    }
    assert!(seen.len() > 500 && seen.is_sorted());
    let kinds = console.get("/v1/devices?type=agv&limit=500").json();
    assert!(
        kinds["devices"]
            .as_array()
            .unwrap()
            .iter()
            .all(|d| d["device_type"] == "agv")
    );
    let found = console.get("/v1/devices?q=AGV&limit=1").json();
    assert_eq!(found["devices"].as_array().unwrap().len(), 1);
    assert_eq!(
        console.get("/v1/devices?lamp=critical").json()["devices"],
        json!([])
    );
}

#[test]
fn verdicts_are_kept_open_ones_first_and_with_their_revisions() {
    let console = Console::new();
    let [one, two] = [device(0), device(1)];
    console
        .board
        .verdict(&verdict(&one, "v1", 1, "raised", "MEDIUM"));
    console
        .board
        .verdict(&verdict(&one, "v1", 2, "escalated", "HIGH"));
    console
        .board
        .verdict(&verdict(&two, "v2", 1, "raised", "CRITICAL"));
    let ids = |path: &str| -> Vec<String> {
        let page = console.get(path).json();
        let rows = page["verdicts"].as_array().unwrap().iter();
        rows.map(|row| row["verdict_id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids("/v1/verdicts"), ["v2", "v1"]);
    console
        .board
        .verdict(&verdict(&two, "v2", 2, "cleared", "CRITICAL"));
    assert_eq!(ids("/v1/verdicts"), ["v1"]);
    assert_eq!(ids("/v1/verdicts?state=all"), ["v1", "v2"]);
    let first = console.get("/v1/verdicts?state=all&limit=1").json();
    let next = first["next"].as_str().unwrap();
    assert_eq!(
        ids(&format!("/v1/verdicts?state=all&limit=1&after={next}")),
        ["v2"]
    );
    assert_eq!(ids(&format!("/v1/verdicts?state=all&device={two}")), ["v2"]);
    assert_eq!(ids("/v1/verdicts?grade=HIGH"), ["v1"]);

    let whole = console.get("/v1/verdicts/v1").json();
    assert_eq!(whole["verdict"]["revision"], 2);
    let revisions = whole["revisions"].as_array().unwrap();
    assert_eq!(revisions.len(), 2);
    assert_eq!(
        (&revisions[0]["grade"], &revisions[1]["grade"]),
        (&json!("MEDIUM"), &json!("HIGH"))
    );
    let of_device = console.get(&format!("/v1/devices/{one}")).json();
    assert_eq!(of_device["open"]["verdict_id"], "v1");
    assert_eq!(of_device["verdicts"][0]["revision"], 2);
    assert_eq!(of_device["risk_history"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_not_there_or_makes_no_sense_is_a_problem_that_says_so() {
    let console = Console::new();
    for (path, status, says) in [
        ("/v1/risk/nobody", 404, "no device `nobody`"),
        ("/v1/devices/nobody", 404, "no device `nobody`"),
        ("/v1/verdicts/none", 404, "no verdict `none`"),
        ("/v1/segments/none/risk", 404, "no segment `none`"),
        ("/v1/board?segment=none", 404, "no segment `none`"),
        ("/v1/commands/none", 404, "no command `none`"),
        ("/v1/devices?limit=0", 400, "limit=0 is not between"),
        ("/v1/devices?limit=501", 400, "limit=501"),
        ("/v1/devices?limit=many", 400, "invalid digit"),
        ("/v1/devices?colour=red", 400, "unknown field `colour`"),
        ("/v1/verdicts?grade=SEVERE", 400, "unknown variant `SEVERE`"),
        ("/v1/verdicts?after=x", 400, "after is none of"),
        ("/v1/events?from=1", 400, "unknown field `from`"),
        ("/v1/nowhere", 404, "/v1/nowhere"),
    ] {
        console.get(path).is_problem(status, says);
    }
    console
        .post("/v1/risk", "", "{\"devices\": [1")
        .is_problem(400, "line 1 column 14");
    console
        .post("/v1/risk", "", "{\"device\": []}")
        .is_problem(400, "unknown field `device`");
    let many = json!({ "devices": vec!["a"; 1_001] }).to_string();
    console
        .post("/v1/risk", "", &many)
        .is_problem(400, "1001 devices");
    let long = format!("{{\"devices\": [\"{}\"]}}", "a".repeat(300 << 10));
    console
        .post("/v1/risk", "", &long)
        .is_problem(413, "longer than");
    let plain = "Content-Type: text/plain\r\n";
    console
        .ask("POST", "/v1/risk", plain, "{}")
        .is_problem(415, "application/json");
    console
        .ask("GET", "/v1/risk", "", "")
        .is_problem(405, "`GET` is not possible");
}

#[test]
fn devices_that_stay_in_the_inventory_keep_what_is_known_of_them() {
    let console = Console::new();
    let id = device(0);
    console.board.risk(&risk(&id, 1, 80, None));
    let mut inventory = andon_schemas::builtin::inventory().unwrap();
    inventory
        .devices
        .retain(|device| device.id != super::device(1));
    inventory.index();
    let gone = device(1);
    console
        .board
        .change(&inventory, andon_schemas::command::Mode::Enforce);
    assert_eq!(console.get(&format!("/v1/risk/{id}")).json()["score"], 80);
    assert_eq!(console.get(&format!("/v1/risk/{gone}")).status, 404);
    assert_eq!(console.get("/v1/plant").json()["mode"], "enforce");
}

#[test]
fn the_status_says_how_the_pipeline_is_doing() {
    let console = Console::new();
    let status = console.get("/v1/status").json();
    assert_eq!(
        (&status["ready"], &status["version"]),
        (&json!(true), &json!("1.2.3"))
    );
    assert_eq!(status["unmet"], json!([]));
}

#[test]
fn the_description_names_routes_that_there_are() {
    let console = Console::new();
    let document = console.get("/v1/openapi.json").json();
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 15);
    for (path, methods) in paths {
        let path = path.replace("{id}", "x").replace("{device}", "x");
        let path = path.replace("{stream}", "x");
        let path = path.replace("{device_type}", "x");
        let is_new = |method: &&str| methods.get(method.to_lowercase()).is_none();
        let undescribed = ["GET", "PUT", "OPTIONS"].into_iter().find(is_new).unwrap();
        let answer = console.ask(
            undescribed,
            &path,
            "Authorization: Bearer andon_operator\r\n",
            "",
        );
        // Of a route that there is, another method is asked in vain.
        answer.is_problem(405, &path);
    }
}

#[test]
fn topics_are_described_with_their_schemas() {
    let console = Console::new();
    let document = console.get("/v1/asyncapi.json").json();
    assert_eq!(document["asyncapi"], "3.0.0");
    assert_eq!(
        document["channels"]["kafka-risk"]["address"],
        "andon.risk.v1"
    );
    let risk = &document["components"]["schemas"]["RiskUpdate"];
    assert!(risk["properties"]["band"].is_object(), "{risk}");
}

#[test]
fn a_name_that_is_no_text_is_a_problem_like_any_other() {
    let console = Console::new();
    for path in [
        "/v1/devices/%ff%fe",
        "/v1/incidents/%ff",
        "/v1/segments/%ff/risk",
    ] {
        console.get(path).is_problem(400, "UTF-8");
    }
}
