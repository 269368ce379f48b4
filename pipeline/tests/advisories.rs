//! Advisories of known vulnerabilities, over the real program: asked for on the command line, and
//! shown with a device of a run that attests what it runs.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what these functions cannot do fails the test that calls them"
)]

mod plant;
mod watched;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Instant;

use andon_schemas::builtin;
use serde_json::Value;

use crate::watched::{PATIENCE, Watched};

const PLC: &str = "plc-assembly-line-3";
/// An advisory in CSAF 2.0 about everything below version 2.9.4 of one product.
const DOCUMENT: &str = r#"{
  "document": {
    "category": "csaf_security_advisory", "csaf_version": "2.0", "title": "Acme controllers",
    "publisher": { "category": "vendor", "name": "Acme", "namespace": "https://acme.example" },
    "references": [ { "category": "self", "summary": "page", "url": "https://acme.example/a-1" } ],
    "tracking": { "id": "ACME-1", "status": "final", "version": "1", "revision_history": [],
      "current_release_date": "2025-03-02T00:00:00Z",
      "initial_release_date": "2025-03-02T00:00:00Z" }
  },
  "product_tree": { "branches": [ { "category": "vendor", "name": "Acme", "branches": [
    { "category": "product_name", "name": "Press 100", "branches": [
      { "category": "product_version_range", "name": "vers:generic/<V2.9.4",
        "product": { "name": "Press 100 <V2.9.4", "product_id": "P1" } } ] } ] } ] },
  "vulnerabilities": [ { "cve": "CVE-2025-0001", "title": "Overflow in the web server",
    "product_status": { "known_affected": ["P1"] },
    "scores": [ { "products": ["P1"], "cvss_v3": { "version": "3.1", "baseScore": 9.8,
      "baseSeverity": "CRITICAL",
      "vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" } } ] } ]
}"#;
const TABLE: &str = "vendor,product,versions,cve,severity,cvss,title,url,fixed_in\n\
    Acme,Press 100,>=2.9|<3,CVE-2025-0002,,5.3,Leak,,3.0\n";

struct Works {
    folder: tempfile::TempDir,
}

impl Works {
    /// The built-in plant, in which one type of device has a type plate, and two advisories.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let works = Self { folder };
        let kind = builtin::inventory()
            .unwrap()
            .device(PLC)
            .unwrap()
            .device_type
            .clone();
        let plate = format!(
            "\ntypes:\n  - {{ type: {kind}, vendor: Acme GmbH, model: Press 100, firmware: V2.8 }}\n"
        );
        let inventory = builtin::INVENTORY.text.to_owned() + &plate;
        fs::write(works.path("inventory.yaml"), inventory).unwrap();
        fs::create_dir(works.path("lists")).unwrap();
        fs::write(works.path("lists/acme.json"), DOCUMENT).unwrap();
        fs::write(works.path("lists/own.csv"), TABLE).unwrap();
        works
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn check(&self, extra: &[&str]) -> Output {
        let mut command = plant::andon();
        command.args(["advisories", "check", "--inventory"]);
        command.arg(self.path("inventory.yaml"));
        command.arg("--advisories").arg(self.path("lists"));
        command.args(extra).output().unwrap()
    }
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn check_says_which_devices_are_affected_by_what() {
    let works = Works::new();
    let output = works.check(&[]);
    assert_eq!(output.status.code(), Some(0));
    let said = text(&output);
    for part in [
        "advisories: 2, from files: 2, statements about products: 2",
        "Acme GmbH Press 100, firmware V2.8 (by the inventory)",
        "CVE-2025-0001    affected     critical CVSS 9.8 of 10  Overflow in the web server [ACME-1]",
        "Firmware V2.8 is among the versions vers:generic/<V2.9.4. Fixed in V2.9.4.",
        "https://acme.example/a-1",
        "no `vendor:` and `model:`",
    ] {
        assert!(said.contains(part), "no `{part}` in:\n{said}");
    }
    // 2.8 is not in the range of the other one.
    assert!(!said.contains("CVE-2025-0002"), "{said}");
    let found = json(&works.check(&["-o", "json"]));
    let rows = found["results"].as_array().unwrap();
    assert_eq!(found["affected"].as_u64().unwrap(), rows.len() as u64);
    let row = rows.iter().find(|row| row["device_id"] == PLC).unwrap();
    assert_eq!(row["advisories"][0]["cve"], "CVE-2025-0001");
    assert_eq!(row["firmware"]["source"], "inventory");
    assert_eq!(
        works.check(&["--fail-on", "affected"]).status.code(),
        Some(1)
    );
}

#[test]
fn a_bad_file_is_told_with_its_place_and_the_others_are_used() {
    let works = Works::new();
    fs::write(works.path("lists/bad.json"), "{\n  \"document\": 7\n}").unwrap();
    let output = works.check(&[]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output);
    let (bad, place) = said
        .split_once("bad.json cannot be used: 1 problem")
        .unwrap();
    assert!(bad.contains("CVE-2025-0001"), "{said}");
    assert!(
        place.contains("2:15") && place.contains("no CSAF document"),
        "{said}"
    );
    let found = json(&works.check(&["-o", "json"]));
    assert_eq!(
        (&found["lists"]["faulty"], &found["lists"]["files"]),
        (&1.into(), &2.into())
    );
    let output = plant::andon()
        .args(["advisories", "check", "--advisories", "/nowhere/lists"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("cannot read advisories `/nowhere/lists`"),
        "{said}"
    );
}

#[test]
fn a_data_folder_that_is_not_there_is_said() {
    let works = Works::new();
    let output = works.check(&["--data", "/nowhere/data"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("there is no data folder `/nowhere/data`"),
        "{said}"
    );
}

#[test]
fn what_an_advisory_says_does_not_steer_a_terminal() {
    let works = Works::new();
    // Turns the text around, and begins a control sequence in eight bits.
    let odd = DOCUMENT.replace("Overflow", "Over\u{202e}\u{9b}flow");
    assert_ne!(odd, DOCUMENT);
    fs::write(works.path("lists/acme.json"), odd).unwrap();
    for extra in [&[][..], &["-o", "json"]] {
        let said = text(&works.check(extra));
        assert!(said.contains("flow in the web server"), "{said}");
        assert!(!said.contains(['\u{202e}', '\u{9b}']), "{said:?}");
    }
    let rows = json(&works.check(&["-o", "json"]))["results"].clone();
    let rows = rows.as_array().unwrap().clone();
    let row = rows.iter().find(|row| row["device_id"] == PLC).unwrap();
    let told = row["advisories"][0]["title"].as_str().unwrap();
    assert_eq!(told, "Over\u{202e} flow in the web server");
}

/// What a run answers about the PLC.
fn shown(address: &str) -> Value {
    let mut stream = TcpStream::connect(address).unwrap();
    let request =
        format!("GET /v1/devices/{PLC} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

/// What a run answers, once it answers what is waited for.
fn shown_when(address: &str, accept: impl Fn(&Value) -> bool) -> Value {
    let until = Instant::now() + PATIENCE;
    loop {
        let shown = shown(address);
        if accept(&shown) {
            return shown;
        }
        assert!(Instant::now() < until, "{shown:#}");
        std::thread::yield_now();
    }
}

fn cves(shown: &Value) -> Vec<&str> {
    let found = shown["advisories"].as_array().unwrap().iter();
    found.map(|known| known["cve"].as_str().unwrap()).collect()
}

fn start(works: &Works) -> (Watched, String, String) {
    let config = works.path("andon.toml");
    let lists = works.path("lists");
    let text = format!(
        "inventory = \"{}\"\n[advisories]\npath = \"{}\"\n",
        works.path("inventory.yaml").display(),
        lists.display()
    );
    fs::write(&config, text).unwrap();
    let mut command = plant::andon();
    command
        .args([
            "run",
            "--mqtt",
            "127.0.0.1:0",
            "--http",
            "127.0.0.1:0",
            "-c",
        ])
        .arg(&config)
        .arg("--data")
        .arg(works.path("data"));
    let mut run = Watched::start("andon", command.env("RUST_LOG", "info"));
    let mqtt = run.wait_for("listening on mqtt://");
    let mqtt = mqtt.rsplit(' ').next().unwrap().to_owned();
    let http = run.said("serving on");
    let http = http.split("://").nth(1).unwrap();
    let http = http.split('/').next().unwrap().to_owned();
    (run, mqtt, http)
}

fn attest(folder: &Path, mqtt: &str, second: u32, version: &str) {
    let capture = folder.join("attested.ndjson");
    let line = format!(
        "{{\"v\":1,\"kind\":\"attestation\",\"device\":\"{PLC}\",\
         \"time\":\"2025-12-14T01:20:{second:02}Z\",\"firmware\":\"{version}\",\"tpm_ok\":true}}\n"
    );
    fs::write(&capture, line).unwrap();
    plant::run(&["publish", &capture.to_string_lossy(), "--mqtt", mqtt]);
}

#[test]
fn a_device_of_a_run_is_shown_with_the_vulnerabilities_of_what_it_attested() {
    let works = Works::new();
    let (mut run, mqtt, http) = start(&works);
    let before = shown(&http);
    assert_eq!(before["firmware"]["version"], "V2.8");
    assert_eq!(cves(&before), ["CVE-2025-0001"]);

    attest(works.folder.path(), &mqtt, 10, "2.9.4-hf1");
    let after = shown_when(&http, |shown| shown["firmware"]["source"] == "attested");
    assert_eq!(after["firmware"]["at"], "2025-12-14T01:20:10.000000Z");
    assert_eq!(cves(&after), ["CVE-2025-0002"]);
    assert_eq!(after["advisories"][0]["fixed_in"], "3.0");

    // The lists are read again with everything else; a bad file costs only itself.
    let more = TABLE.replace("0002", "0003").replace("5.3", "7.1");
    fs::write(works.path("lists/more.csv"), more).unwrap();
    fs::write(works.path("lists/bad.json"), "{").unwrap();
    run.hang_up();
    run.wait_for("bad.json cannot be used");
    let again = shown_when(&http, |shown| cves(shown).len() == 2);
    assert_eq!(cves(&again), ["CVE-2025-0003", "CVE-2025-0002"]);
    assert!(run.terminate().success());
    let summary: Value =
        serde_json::from_slice(&plant::read(&works.path("data"), "summary.json")).unwrap();
    let counts = &summary["advisories"];
    assert_eq!(
        (&counts["files"], &counts["faulty"]),
        (&3.into(), &1.into()),
        "{counts}"
    );

    // What was attested is known to the next run, and to whoever asks its data folder.
    let (mut run, _, http) = start(&works);
    let resumed = shown(&http);
    assert_eq!(
        (
            &resumed["firmware"],
            resumed["advised"]["affected"].as_u64()
        ),
        (&after["firmware"], Some(2))
    );
    assert!(run.terminate().success());
    let data = works.path("data");
    let said = text(&works.check(&["--data", &data.to_string_lossy()]));
    assert!(
        said.contains("firmware 2.9.4-hf1 (attested 2025-12-14 02:20:10)"),
        "{said}"
    );
}

/// Advisories are context: verdicts and risks are the same bytes with and without them.
#[test]
fn no_verdict_depends_on_advisories() {
    let works = Works::new();
    let capture = plant::simulate(works.folder.path(), "2", "2000", &["plc-night-exfil"]);
    let mut verdicts = Vec::new();
    for inventory in [
        Path::new("../profiles/inventory/precision-parts.yaml"),
        &works.path("inventory.yaml"),
    ] {
        let out = works.path(&format!("out-{}", verdicts.len()));
        plant::run(&[
            "backtest",
            &capture.to_string_lossy(),
            "--inventory",
            &inventory.to_string_lossy(),
            "--out",
            &out.to_string_lossy(),
            "--as-of",
            "2026-01-01T00:00:00Z",
        ]);
        verdicts.push(plant::read(&out, "verdicts.jsonl"));
    }
    assert!(!verdicts[0].is_empty());
    assert!(
        verdicts[0] == verdicts[1],
        "the type plate has changed a verdict"
    );
}
