//! The decision point of a live run: it answers from the risk of now, whoever may ask, in both
//! forms, and writes down every decision.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what these functions cannot do fails the test"
)]

mod plant;
mod watched;

use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};
use watched::{PATIENCE, Watched};

/// A token, and its SHA-256.
const TOKEN: (&str, &str) = (
    "andon_a_token_of_a_decision_point",
    "cf9924ffb5daa03a34aadaee1fc18b0f20c6c0eae030ed37654038e609c4a7f6",
);

struct Served {
    run: Watched,
    mqtt: String,
    url: String,
}

impl Served {
    fn start(folder: &Path, config: &str) -> Self {
        let path = folder.join("andon.toml");
        fs::write(&path, config).unwrap();
        let mut command = plant::andon();
        command.args([
            "run",
            "--mqtt",
            "127.0.0.1:0",
            "--http",
            "127.0.0.1:0",
            "-c",
        ]);
        command.arg(path).arg("--data").arg(folder.join("data"));
        let mut run = Watched::start("run", &mut command);
        let last = |line: String| line.rsplit(' ').next().unwrap().to_owned();
        let mqtt = last(run.wait_for("mqtt://"));
        let url = last(run.said("serving on"));
        let url = url.trim_end_matches("/v1/board").to_owned();
        Self { run, mqtt, url }
    }

    fn post(&self, path: &str, token: Option<&str>, body: &str) -> (u16, Value) {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .new_agent();
        let mut request = agent
            .post(format!("{}{path}", self.url))
            .header("Content-Type", "application/json");
        if let Some(token) = token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let mut answer = request.send(body).unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        (
            answer.status().as_u16(),
            serde_json::from_str(&text).unwrap(),
        )
    }

    fn until(&self, question: &Value, is: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let (status, answer) = self.post("/v1/decision", None, &question.to_string());
            assert_eq!(status, 200, "{answer}");
            if is(&answer) {
                return answer;
            }
            assert!(Instant::now() < until, "it says only {answer}");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

fn question() -> Value {
    json!({
        "device": {"id": "Temp-Sensor-042", "authenticated": true, "address": "10.2.50.42"},
        "attestation": {"state": "good"},
        "request": {
            "resource": "telemetry", "action": "write",
            "address": "10.6.0.13", "transport": "tcp", "port": 8_883,
        },
    })
}

fn flow(folder: &Path, mqtt: &str, peer: &str) {
    let now = andon::wall::now();
    let row = json!({
        "v": 1, "kind": "flow", "time": now, "orig": "10.2.50.42:40000", "resp": peer,
        "transport": "tcp", "state": "answered",
    });
    let path = folder.join("rows.ndjson");
    fs::write(&path, format!("{row}\n")).unwrap();
    plant::run(&["publish", &path.to_string_lossy(), "--mqtt", mqtt]);
}

#[test]
fn a_decision_follows_the_risk_of_now_and_every_one_is_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let mut served = Served::start(folder.path(), "[pdp]\n");
    let asked = question();
    let answer = served.until(&asked, |_| true);
    assert_eq!(answer["decision"], "constrain", "nothing is known yet");
    flow(folder.path(), &served.mqtt, "10.6.0.13:8883");
    served.until(&asked, |answer| answer["decision"] == "allow");
    flow(folder.path(), &served.mqtt, "203.0.113.77:22");
    let answer = served.until(&asked, |answer| answer["decision"] == "deny");
    // Nobody proved who sent that, so it is MEDIUM at most.
    assert_eq!(answer["device_risk"]["band"], "medium", "{answer}");

    // As clients of Open Policy Agent ask.
    let input = json!({ "input": asked }).to_string();
    let (status, as_opa) = served.post("/v1/data/andon/authz/decision", None, &input);
    assert_eq!(
        (status, &as_opa["result"]["decision"]),
        (200, &answer["decision"])
    );
    let id = as_opa["decision_id"].as_str().unwrap().to_owned();
    for (body, status) in [("{", 400), ("[]", 200), ("{}", 200)] {
        let (code, answer) = served.post("/v1/decision", None, body);
        assert_eq!(code, status, "{answer}");
        assert!(status == 400 || answer["decision"] == "deny", "{answer}");
    }
    let (_, answer) = served.post("/v1/data/andon/authz/decision", None, "{}");
    assert_eq!(answer["result"]["decision"], "deny");

    assert!(served.run.terminate().success());
    let audit = plant::lines(&plant::read(&folder.path().join("data"), "decisions.jsonl"));
    let written = audit
        .iter()
        .find(|entry| entry["decision_id"] == *id)
        .unwrap();
    assert_eq!(written["schema"], "andon.decision.v1");
    assert_eq!(written["who"], "loopback");
    assert_eq!(written["question"], asked);
    assert_eq!(written["answer"], as_opa["result"]);
    assert!(written["took_us"].is_u64() && written["policy"].as_str().unwrap().len() == 64);
    let ids: std::collections::BTreeSet<&str> = audit
        .iter()
        .map(|entry| entry["decision_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), audit.len(), "each has a name of its own");
}

#[test]
fn a_decision_is_for_those_who_may_read() {
    let folder = tempfile::tempdir().unwrap();
    let (token, digest) = TOKEN;
    let config = format!(
        "[pdp]\n[opa.bundle]\n[[access.tokens]]\nname = \"pep\"\nrole = \"read\"\nsha256 = \"{digest}\"\n"
    );
    let mut served = Served::start(folder.path(), &config);
    let asked = question().to_string();
    for path in ["/v1/decision", "/v1/data/andon/authz/decision"] {
        assert_eq!(served.post(path, None, &asked).0, 401);
        assert_eq!(
            served.post(path, Some("andon_of_a_stranger"), &asked).0,
            401
        );
        assert_eq!(served.post(path, Some(token), &asked).0, 200);
    }
    let bundle = ureq::get(format!("{}/v1/opa/bundle.tar.gz", served.url));
    assert!(matches!(bundle.call(), Err(ureq::Error::StatusCode(401))));
    let bundle = ureq::get(format!("{}/v1/opa/bundle.tar.gz", served.url))
        .header("Authorization", format!("Bearer {token}"));
    assert_eq!(bundle.call().unwrap().status(), 200);
    assert!(served.run.terminate().success());
    let audit = plant::lines(&plant::read(&folder.path().join("data"), "decisions.jsonl"));
    assert_eq!(audit.len(), 2);
    assert!(audit.iter().all(|entry| entry["who"] == "pep"), "{audit:?}");
}

#[test]
fn what_nobody_could_ask_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("andon.toml");
    for (config, says) in [
        ("[pdp]\n", "[pdp]: nobody can ask"),
        ("[opa.bundle]\n", "[opa.bundle]: nobody can ask"),
        (
            "http = \"127.0.0.1:0\"\n[access]\nhealth_only = true\n[pdp]\n",
            "health_only",
        ),
        ("[opa]\npush = \"8181\"\n", "opa.push"),
        ("[pdp]\npolicy = \"/nowhere\"\n", "/nowhere"),
    ] {
        fs::write(&path, config).unwrap();
        let mut command = plant::andon();
        command
            .args(["run", "--mqtt", "127.0.0.1:0", "-c"])
            .arg(&path);
        let output = command.arg("--data").arg(folder.path().join("data"));
        let output = output.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{config}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(says), "{config}: {said}");
    }
}
