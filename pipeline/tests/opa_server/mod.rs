//! A real Open Policy Agent, which ends with the test.
#![allow(dead_code, reason = "every test uses a part of it")]
#![allow(clippy::allow_attributes, reason = "one test may use all of it")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "what these functions cannot do fails the test, and a skipped test must say so"
)]

use std::env;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use andon::pdp::Answer;
use serde_json::{Value, json};

/// `1` where the tests must not pass without one, as in `.ci/run`.
const DEMANDED: &str = "ANDON_OPA";
/// Long enough that only a hang reaches it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A server of Open Policy Agent.
pub(crate) struct Opa {
    process: Child,
    address: String,
    /// `run`, or `bare` without policies of its own.
    how: &'static str,
    options: Vec<String>,
}

impl Opa {
    /// With the policies of the product; `None`, after saying so, if it is not there and nobody
    /// demands it.
    pub(crate) fn start() -> Option<Self> {
        Self::with("run", &[])
    }

    /// The same, started as the script calls it, with options.
    pub(crate) fn with(how: &'static str, options: &[String]) -> Option<Self> {
        if env::var_os(DEMANDED).is_none_or(|value| value != "1") {
            let check = Command::new(script()).arg("check").output().unwrap();
            if !check.status.success() {
                let why = String::from_utf8_lossy(&check.stderr);
                eprintln!("skipped: {}", why.trim_end());
                return None;
            }
        }
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        Some(Self {
            process: launch(&address, how, options),
            address,
            how,
            options: options.to_vec(),
        })
    }

    /// Where it is asked.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends it, with everything that it knew.
    pub(crate) fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again at the same address; it knows nothing of before.
    pub(crate) fn start_again(&mut self) {
        self.process = launch(&self.address, self.how, &self.options);
    }

    pub(crate) fn put(&self, path: &str, value: &Value) {
        let put = ureq::put(format!("{}/v1/data/{path}", self.url()));
        let answer = put.send(value.to_string()).unwrap();
        assert_eq!(answer.status(), 204, "{path}");
    }

    /// What is at a path; null if nothing is.
    pub(crate) fn get(&self, path: &str) -> Value {
        let asked = ureq::get(format!("{}/v1/data/{path}", self.url())).call();
        let text = asked.unwrap().body_mut().read_to_string().unwrap();
        let mut answer: Value = serde_json::from_str(&text).unwrap();
        answer["result"].take()
    }

    pub(crate) fn answer(&self, question: &Value) -> Answer {
        self.try_answer(question).unwrap()
    }

    /// `None` if the policies do not answer.
    pub(crate) fn try_answer(&self, question: &Value) -> Option<Answer> {
        let post = ureq::post(format!("{}/v1/data/andon/authz/decision", self.url()));
        let asked = json!({ "input": question }).to_string();
        let mut answer = post
            .header("Content-Type", "application/json")
            .send(asked)
            .unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap();
        serde_json::from_value(answer["result"].clone()).ok()
    }
}

impl Drop for Opa {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn script() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docker/opa/server")
}

/// Starts it, and waits until it answers.
fn launch(address: &str, how: &str, options: &[String]) -> Child {
    let process = Command::new(script())
        .args([how, address, "--log-level", "error"])
        .args(options)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let until = Instant::now() + PATIENCE;
    while ureq::get(format!("http://{address}/health"))
        .call()
        .is_err()
    {
        assert!(Instant::now() < until, "it does not answer");
        thread::sleep(Duration::from_millis(20));
    }
    process
}
