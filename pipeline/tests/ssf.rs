//! Shared signals of a live run, received by a program that is not ours (PyJWT): pushed and polled,
//! and nothing is lost while the receiver, or the run itself, is away.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what these functions cannot do fails the test, and a skipped test must say so"
)]

mod plant;
mod sensed;
mod watched;

use std::env;
use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sensed::{DEVICE, Run};
use serde_json::{Value, json};
use watched::{PATIENCE, Watched};

/// `1` where the tests must not pass without a receiver, as in `.ci/run`.
const DEMANDED: &str = "ANDON_SSF";
const RISK: &str = "https://schemas.openid.net/secevent/caep/event-type/risk-level-change";
const VERIFICATION: &str = "https://schemas.openid.net/secevent/ssf/event-type/verification";
/// Tokens of two receivers, and their SHA-256.
const PDP: (&str, &str) = (
    "andon_token_of_the_pdp",
    "ffa5e24127627e3296940d80bfd54e51054f08ed11649816b509bb7d8eece2f5",
);
const SOC: (&str, &str) = (
    "andon_token_of_the_soc",
    "4bbf78879e4d21607e5494487c28ec07bfe658e9225edd9ab7e0471e23250757",
);

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docker/ssf/receiver")
}

/// Whether there is a receiver; says so, if there is none and nobody demands it.
fn has_receiver() -> bool {
    if env::var_os(DEMANDED).is_some_and(|value| value == "1") {
        return true;
    }
    let check = Command::new(script()).arg("check").output().unwrap();
    if !check.status.success() {
        let why = String::from_utf8_lossy(&check.stderr);
        eprintln!("skipped: {}", why.trim_end());
    }
    check.status.success()
}

fn free() -> String {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().to_string()
}

/// A run that transmits, and where.
struct Transmitting<'a> {
    run: Run<'a>,
    issuer: String,
    config: String,
    address: String,
}

impl<'a> Transmitting<'a> {
    fn start(folder: &'a Path, push_to: &str) -> Self {
        let address = free();
        let issuer = format!("http://{address}");
        let token = |(_, digest): (&str, &str), name: &str| {
            format!(
                "[[access.tokens]]\nname = \"{name}\"\nrole = \"respond\"\nsha256 = \"{digest}\"\n"
            )
        };
        let config = format!(
            "[ssf]\nissuer = \"{issuer}\"\npush_to = [{push_to}]\n{}{}",
            token(PDP, "pdp"),
            token(SOC, "soc")
        );
        Self {
            run: Run::start(folder, &address, &config),
            issuer,
            config,
            address,
        }
    }

    /// Ends it in the middle of whatever it does, and starts it again.
    fn crash(&mut self, folder: &'a Path) {
        let began = self.run.began;
        self.run.process.kill();
        self.run = Run::start(folder, &self.address, &self.config);
        self.run.began = began;
    }

    fn ask(&self, method: &str, path: &str, who: (&str, &str), body: &Value) -> (u16, Value) {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .new_agent();
        let url = format!("{}{path}", self.issuer);
        let token = format!("Bearer {}", who.0);
        let mut answer = match method {
            "GET" => agent.get(url).header("Authorization", token).call(),
            "DELETE" => agent.delete(url).header("Authorization", token).call(),
            other => {
                let request = if other == "PATCH" {
                    agent.patch(url)
                } else {
                    agent.post(url)
                };
                request
                    .header("Authorization", token)
                    .header("Content-Type", "application/json")
                    .send(body.to_string())
            }
        }
        .unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        let value = serde_json::from_str(&text).unwrap_or(Value::Null);
        (answer.status().as_u16(), value)
    }

    fn create(&self, who: (&str, &str), delivery: &Value) -> String {
        let (status, stream) = self.ask(
            "POST",
            "/ssf/streams",
            who,
            &json!({ "delivery": delivery }),
        );
        assert_eq!(status, 201, "{stream}");
        assert_eq!(stream["iss"], *self.issuer);
        stream["stream_id"].as_str().unwrap().to_owned()
    }

    fn poll(&self, stream: &str, body: &Value) -> Vec<(String, String)> {
        let (status, answer) = self.ask("POST", &format!("/ssf/poll/{stream}"), SOC, body);
        assert_eq!(status, 200, "{answer}");
        let sets = answer["sets"].as_object().unwrap().iter();
        sets.map(|(jti, token)| (jti.clone(), token.as_str().unwrap().to_owned()))
            .collect()
    }

    /// Polls until there is something.
    fn until(&self, stream: &str) -> Vec<(String, String)> {
        let until = Instant::now() + PATIENCE;
        loop {
            let sets = self.poll(stream, &json!({}));
            if !sets.is_empty() {
                return sets;
            }
            assert!(Instant::now() < until, "nothing is told");
        }
    }

    /// What `PyJWT` reads in tokens, once it has checked them.
    fn verified(&self, sets: &[(String, String)], audience: &str) -> Vec<Value> {
        let jwks = format!("{}/ssf/jwks.json", self.issuer);
        let mut judge = Command::new(script())
            .args(["verify", &jwks, &self.issuer, audience])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = judge.stdin.take().unwrap();
        for (_, token) in sets {
            writeln!(input, "{token}").unwrap();
        }
        drop(input);
        let output = judge.wait_with_output().unwrap();
        assert!(output.status.success(), "a token is no good");
        plant::lines(&output.stdout)
    }

    /// Waits until something is counted.
    fn counted(&self, name: &str, is: impl Fn(f64) -> bool) {
        let until = Instant::now() + PATIENCE;
        loop {
            let text = self.run.metrics_as(PDP.0);
            let begin = format!("{name} ");
            let line = text.lines().find_map(|line| line.strip_prefix(&begin));
            if is(line.unwrap().parse().unwrap()) {
                return;
            }
            assert!(Instant::now() < until, "{text}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn risk(claims: &Value) -> &Value {
    assert_eq!(
        claims["sub_id"]["device"],
        json!({"format": "opaque", "id": DEVICE})
    );
    &claims["events"][RISK]
}

#[test]
fn a_receiver_that_is_pushed_to_and_away_for_a_while_misses_nothing() {
    if !has_receiver() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let receiver = free();
    let mut andon = Transmitting::start(folder.path(), &format!("\"http://{receiver}/\""));
    let listen = |andon: &Transmitting<'_>| {
        let jwks = format!("{}/ssf/jwks.json", andon.issuer);
        let mut command = Command::new(script());
        command.args([
            "push",
            &receiver,
            &jwks,
            &andon.issuer,
            "pdp",
            "Bearer hush",
        ]);
        Watched::start("receiver", &mut command)
    };
    let said = |receiver: &mut Watched, text: &str| -> Value {
        serde_json::from_str(&receiver.wait_for(text)).unwrap()
    };
    let url = format!("http://{receiver}/events");
    let delivery = json!({
        "method": "urn:ietf:rfc:8935", "endpoint_url": url, "authorization_header": "Bearer hush",
    });
    let stream = andon.create(PDP, &delivery);

    // It is not there when the risk rises.
    andon.run.calm(0..5);
    andon.run.attack(5);
    andon.counted("andon_ssf_push_failures_total", |n| n > 0.0);
    let mut there = listen(&andon);
    let claims = said(&mut there, "risk-level-change");
    let event = risk(&claims);
    assert_eq!(event["current_level"], "HIGH", "{claims}");
    assert_eq!(event["principal"], "DEVICE");
    assert_eq!(claims["sub_id"]["tenant"]["id"], "precision-parts");
    assert!(claims["txn"].is_string() && event["reason_admin"]["en"].is_string());

    // A sign of life.
    let asked = json!({ "stream_id": stream, "state": "VGhpcyBpcyBh" });
    assert_eq!(andon.ask("POST", "/ssf/verify", PDP, &asked).0, 204);
    let claims = said(&mut there, VERIFICATION);
    assert_eq!(claims["events"][VERIFICATION]["state"], "VGhpcyBpcyBh");
    assert_eq!(claims["sub_id"], json!({"format": "opaque", "id": stream}));
    assert_eq!(andon.ask("POST", "/ssf/verify", PDP, &asked).0, 429);
    andon.counted("andon_ssf_waiting", |n| n == 0.0);

    // Nor when it sinks, and then the run is gone as well.
    there.kill();
    andon.run.calm(6..480);
    andon.counted("andon_ssf_waiting", |n| n > 0.0);
    andon.crash(folder.path());
    let mut there = listen(&andon);
    let claims = said(&mut there, "\"current_level\": \"LOW\"");
    let event = risk(&claims);
    assert_eq!(event["previous_level"], "HIGH", "{claims}");
    assert!(andon.run.process.terminate().success());
}

#[test]
fn a_receiver_that_polls_gets_each_token_until_it_says_that_it_has_it() {
    if !has_receiver() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut andon = Transmitting::start(folder.path(), "");
    let stream = andon.create(SOC, &json!({ "method": "urn:ietf:rfc:8936" }));
    andon.run.calm(0..5);
    andon.run.attack(5);
    let first = andon.until(&stream);
    let claims = andon.verified(&first, "soc");
    assert_eq!(risk(&claims[0])["current_level"], "HIGH");
    let at_once = json!({ "returnImmediately": true });
    assert_eq!(
        andon.poll(&stream, &at_once),
        first,
        "the same again, byte for byte"
    );

    // It was not acknowledged, so it is told after a crash as well, by the same key.
    andon.crash(folder.path());
    let again = andon.until(&stream);
    let claims = andon.verified(&again, "soc");
    assert_eq!(risk(&claims[0])["current_level"], "HIGH");
    andon.verified(&first, "soc");
    let key = fs::metadata(folder.path().join("data/ssf.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);

    let jtis: Vec<&str> = again.iter().map(|(jti, _)| jti.as_str()).collect();
    let ack = json!({ "ack": jtis, "returnImmediately": true });
    assert!(andon.poll(&stream, &ack).is_empty());
    let path = format!("/ssf/status?stream_id={stream}");
    let paused = json!({ "stream_id": stream, "status": "paused", "reason": "a pause" });
    assert_eq!(andon.ask("POST", "/ssf/status", SOC, &paused).1, paused);
    assert_eq!(andon.ask("GET", &path, SOC, &Value::Null).1, paused);
    andon.run.calm(6..480);
    andon.counted("andon_ssf_waiting", |n| n > 0.0);
    assert!(andon.poll(&stream, &at_once).is_empty());
    let enabled = json!({ "stream_id": stream, "status": "enabled" });
    assert_eq!(andon.ask("POST", "/ssf/status", SOC, &enabled).0, 200);
    let claims = andon.verified(&andon.until(&stream), "soc");
    assert_eq!(claims.len(), 1, "only what it is now: {claims:?}");
    let event = risk(&claims[0]);
    assert_eq!(
        (&event["current_level"], &event["previous_level"]),
        (&json!("LOW"), &json!("HIGH"))
    );
    let path = format!("/ssf/streams?stream_id={stream}");
    assert_eq!(andon.ask("DELETE", &path, SOC, &Value::Null).0, 204);
    let polls = format!("/ssf/poll/{stream}");
    assert_eq!(andon.ask("POST", &polls, SOC, &at_once).0, 404);
}

#[test]
fn a_stream_is_of_whoever_made_it() {
    let folder = tempfile::tempdir().unwrap();
    let andon = Transmitting::start(folder.path(), "\"https://pdp.example/\"");
    let found = ureq::get(format!("{}/.well-known/ssf-configuration", andon.issuer)).call();
    let found: Value =
        serde_json::from_str(&found.unwrap().body_mut().read_to_string().unwrap()).unwrap();
    assert_eq!(found["issuer"], *andon.issuer);
    assert_eq!(
        found["configuration_endpoint"],
        format!("{}/ssf/streams", andon.issuer)
    );
    let stream = andon.create(SOC, &json!({}));
    let (status, _) = andon.ask("POST", "/ssf/streams", SOC, &json!({}));
    assert_eq!(status, 409);
    let path = format!("/ssf/streams?stream_id={stream}");
    assert_eq!(andon.ask("GET", &path, SOC, &Value::Null).0, 200);
    assert_eq!(andon.ask("GET", &path, PDP, &Value::Null).0, 404);
    assert_eq!(
        andon.ask("GET", "/ssf/streams", PDP, &Value::Null).1,
        json!([])
    );
    let stranger = ("andon_nobody", "");
    assert_eq!(andon.ask("GET", &path, stranger, &Value::Null).0, 401);

    let about =
        |id: &str| json!({ "stream_id": stream, "subject": { "format": "opaque", "id": id } });
    let subject = |path: &str, id: &str| andon.ask("POST", path, SOC, &about(id)).0;
    assert_eq!(subject("/ssf/subjects/remove", DEVICE), 204);
    assert_eq!(subject("/ssf/subjects/remove", "nobody"), 404);
    assert_eq!(subject("/ssf/subjects/add", DEVICE), 200);
    let push = |url: &str| {
        json!({
            "stream_id": stream,
            "delivery": { "method": "urn:ietf:rfc:8935", "endpoint_url": url },
        })
    };
    let moved = |url: &str| andon.ask("PATCH", "/ssf/streams", SOC, &push(url)).0;
    assert_eq!(moved("https://pdp.example.somebody.else/"), 400);
    assert_eq!(moved("http://169.254.169.254/"), 400);
    assert_eq!(moved("https://pdp.example/events"), 200);
    let strange = json!({ "stream_id": stream, "delivery": { "method": "pigeon" } });
    assert_eq!(andon.ask("PATCH", "/ssf/streams", SOC, &strange).0, 400);
}
