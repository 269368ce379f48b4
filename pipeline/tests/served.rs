//! The console of a live run: what it shows while it runs and after a restart, and to whom.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what these functions cannot do fails the test"
)]

mod plant;
mod watched;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use watched::{PATIENCE, Watched};

/// An `andon run` with a console.
struct Served {
    run: Watched,
    mqtt: String,
    http: String,
}

impl Served {
    fn start(data: &Path) -> Self {
        let mut command = plant::andon();
        command.args([
            "run",
            "--mqtt",
            "127.0.0.1:0",
            "--http",
            "127.0.0.1:0",
            "--data",
        ]);
        let mut run = Watched::start("run", command.arg(data));
        let last = |line: String| line.rsplit(' ').next().unwrap_or_default().to_owned();
        let mqtt = last(run.wait_for("mqtt://"));
        let url = last(run.said("serving on"));
        let http = url.strip_prefix("http://").unwrap();
        let http = http.split('/').next().unwrap().to_owned();
        Self { run, mqtt, http }
    }

    fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.http).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n\
             {headers}\r\n{body}",
            self.http,
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (
            head.split(' ').nth(1).unwrap().parse().unwrap(),
            body.to_owned(),
        )
    }

    fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path, "", "");
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Asks until the answer is what is waited for.
    fn until(&self, path: &str, is: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let answer = self.get(path);
            if is(&answer) {
                return answer;
            }
            assert!(Instant::now() < until, "{path} says only {answer}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn a_run_shows_its_verdicts_at_once_and_still_knows_them_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let capture = plant::simulate(folder.path(), "2", "4000", &["plc-night-exfil"]);
    let data = folder.path().join("data");
    let mut served = Served::start(&data);
    assert_eq!(
        served.get("/v1/board")["counts"]["normal"],
        0,
        "nothing is health yet"
    );
    let text = capture.to_string_lossy();
    plant::run(&["publish", &text, "--mqtt", &served.mqtt]);
    let open = |page: &Value| {
        page["verdicts"]
            .as_array()
            .is_some_and(|rows| !rows.is_empty())
    };
    served.until("/v1/verdicts", open);
    served.until("/v1/status", |status| status["records"] == 4000);
    let verdicts = served.get("/v1/verdicts");
    let worst = verdicts["verdicts"][0].clone();
    let device = worst["device_id"].as_str().unwrap().to_owned();
    let path = format!("/v1/risk/{device}");
    let risk = served.get(&path);
    assert_eq!(risk["verdict_id"], worst["verdict_id"]);
    assert_ne!(risk["band"], "unknown");
    let row = served.get(&format!("/v1/devices/{device}"));
    assert_eq!(row["open"]["verdict_id"], worst["verdict_id"]);
    assert!(row["last_seen"].is_string());
    assert!(served.run.terminate().success());

    let mut again = Served::start(&data);
    let after = again.get("/v1/verdicts");
    assert_eq!(after["verdicts"], verdicts["verdicts"]);
    let known = again.get(&path);
    for field in ["band", "score", "verdict_id", "freshness"] {
        assert_eq!(known[field], risk[field], "{field}");
    }
    assert_eq!(
        again.get(&format!("/v1/devices/{device}"))["last_seen"],
        row["last_seen"]
    );
    assert!(again.get("/v1/board")["counts"]["normal"].as_u64() > Some(0));
    assert!(again.run.terminate().success());
}

#[test]
fn decisions_need_the_token_that_the_data_folder_holds() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::start(folder.path());
    let token = fs::read_to_string(folder.path().join("operator.token")).unwrap();
    let kind = "Content-Type: application/json\r\n";
    let path = "/v1/devices/plc-assembly-line-3/quarantine";
    let body = "{\"reason\": \"a test\"}";
    assert_eq!(served.ask("POST", path, kind, body).0, 401);
    let shown = format!("{kind}Authorization: Bearer {}\r\n", token.trim());
    let (status, body) = served.ask("POST", path, &shown, body);
    assert!(![401, 403].contains(&status), "{status}: {body}");
}

#[test]
fn an_address_that_others_reach_is_not_served_without_certificates_and_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let output = plant::andon()
        .args([
            "run",
            "--mqtt",
            "127.0.0.1:0",
            "--http",
            "0.0.0.0:0",
            "--data",
        ])
        .arg(&data)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("neither a certificate nor a token"), "{said}");
    assert!(
        !data.exists(),
        "a run that cannot listen leaves nothing behind"
    );
}

#[test]
fn a_token_is_shown_once_and_the_configuration_takes_its_digest() {
    let output = plant::run(&[
        "token", "create", "--role", "respond", "--name", "soc", "-o", "json",
    ]);
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with("andon_") && token.len() == 70, "{token}");
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("andon.toml");
    let digest = made["sha256"].as_str().unwrap();
    let text =
        format!("[[access.tokens]]\nname = \"soc\"\nrole = \"respond\"\nsha256 = \"{digest}\"\n");
    fs::write(&config, text).unwrap();
    let mut command = plant::andon();
    command.args([
        "run",
        "--mqtt",
        "127.0.0.1:0",
        "--http",
        "127.0.0.1:0",
        "-c",
    ]);
    command
        .arg(&config)
        .arg("--data")
        .arg(folder.path().join("data"));
    let mut run = Watched::start("run", &mut command);
    let line = run.wait_for("serving on");
    let http = line
        .rsplit("http://")
        .next()
        .unwrap()
        .split('/')
        .next()
        .unwrap()
        .to_owned();
    let served = Served {
        run,
        mqtt: String::new(),
        http,
    };
    assert_eq!(served.ask("GET", "/v1/status", "", "").0, 401);
    let shown = format!("Authorization: Bearer {token}\r\n");
    assert_eq!(served.ask("GET", "/v1/status", &shown, "").0, 200);
}
