//! A live run whose one sensor is believed, and what that sensor says of one device.
#![allow(dead_code, reason = "every test uses a part of it")]
#![allow(clippy::allow_attributes, reason = "one test may use all of it")]
#![allow(
    clippy::unwrap_used,
    reason = "what these functions cannot do fails the test"
)]

use std::fs;
use std::path::Path;

use andon::wall;
use andon_schemas::time::{EventTime, Span};
use serde_json::json;

use crate::plant;
use crate::watched::Watched;

/// The device that is spoken of.
pub(crate) const DEVICE: &str = "temp-sensor-042";
/// The SHA-256 of `secret`.
const SECRET: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

/// A run whose one sensor is believed.
pub(crate) struct Run<'a> {
    pub(crate) process: Watched,
    mqtt: String,
    /// Where its console is.
    pub(crate) http: String,
    folder: &'a Path,
    /// When the traffic begins; it has happened already.
    pub(crate) began: EventTime,
}

impl<'a> Run<'a> {
    /// `http` is where its console is to be.
    pub(crate) fn start(folder: &'a Path, http: &str, config: &str) -> Self {
        let path = folder.join("andon.toml");
        let sensor = sensor();
        let text = format!(
            "http = \"{http}\"\n{config}\n[[mqtt.principals]]\nname = \"{sensor}\"\nrole = \"sensor\"\n\
             password_sha256 = \"{SECRET}\"\n"
        );
        fs::write(&path, text).unwrap();
        fs::write(folder.join("password"), "secret\n").unwrap();
        let mut command = plant::andon();
        command
            .args(["run", "--mqtt", "127.0.0.1:0", "-c"])
            .arg(path);
        let mut process = Watched::start("run", command.arg("--data").arg(folder.join("data")));
        let last = |line: String| line.rsplit(' ').next().unwrap().to_owned();
        let mqtt = last(process.wait_for("mqtt://"));
        let http = last(process.said("serving on"));
        let http = http.trim_end_matches("/v1/board").to_owned();
        let now = wall::now().micros();
        Self {
            process,
            mqtt,
            http,
            folder,
            began: EventTime::from_micros(now - now % 60_000_000) + Span::from_secs(-12 * 3_600),
        }
    }

    /// The sensor reports what the device does in these minutes.
    fn observe(&self, minutes: std::ops::Range<i64>, peer: &str) {
        let rows = minutes.map(|minute| self.flow("10.2.50.42", minute, peer));
        self.publish(&rows.collect::<Vec<_>>());
    }

    fn flow(&self, from: &str, minute: i64, peer: &str) -> String {
        let at = self.began + Span::from_secs(60 * minute);
        let row = json!({
            "v": 1, "kind": "flow", "time": at, "orig": format!("{from}:{}", 40_000 + minute),
            "resp": peer, "transport": "tcp", "state": "answered",
        });
        row.to_string()
    }

    fn publish(&self, rows: &[String]) {
        let path = self.folder.join("rows.ndjson");
        fs::write(&path, rows.join("\n") + "\n").unwrap();
        let (path, password) = (path.to_string_lossy(), self.folder.join("password"));
        plant::run(&[
            "publish",
            &path,
            "--mqtt",
            &self.mqtt,
            "--user",
            &sensor(),
            "--password-file",
            &password.to_string_lossy(),
        ]);
    }

    /// After eight hours of it what happened before has ended, and its risk has faded.
    pub(crate) fn calm(&self, minutes: std::ops::Range<i64>) {
        self.observe(minutes, "10.6.0.13:8883");
    }

    /// What it counts.
    pub(crate) fn metrics(&self) -> String {
        self.metrics_as("")
    }

    /// The same, for whoever has to show a token.
    pub(crate) fn metrics_as(&self, token: &str) -> String {
        let mut request = ureq::get(format!("{}/metrics", self.http));
        if !token.is_empty() {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let mut answer = request.call().unwrap();
        answer.body_mut().read_to_string().unwrap()
    }

    pub(crate) fn attack(&self, minute: i64) {
        self.observe(minute..minute + 1, "203.0.113.77:22");
    }

    /// Devices of a network, `10.1.20` for one, by the last number of their addresses, turn to an
    /// address outside.
    pub(crate) fn raid(&self, minute: i64, network: &str, devices: std::ops::Range<u8>) {
        let row = |device| self.flow(&format!("{network}.{device}"), minute, "203.0.113.77:22");
        self.publish(&devices.map(row).collect::<Vec<_>>());
    }

    /// Ends it in the middle of whatever it does, and starts it again with another configuration.
    pub(crate) fn crash(&mut self, config: &str) {
        self.process.kill();
        let again = Self::start(self.folder, "127.0.0.1:0", config);
        *self = Self {
            began: self.began,
            ..again
        };
    }

    /// What it has written of a kind, `verdicts` for one.
    pub(crate) fn written(&self, what: &str) -> Vec<serde_json::Value> {
        plant::lines_so_far(&self.folder.join(format!("data/{what}.jsonl")))
    }
}

/// The sensor of the built-in inventory.
fn sensor() -> String {
    let inventory = andon_schemas::builtin::inventory().unwrap();
    let is_sensor = |device: &&andon_schemas::inventory::Device| {
        device.function == andon_schemas::inventory::Function::Sensor
    };
    let sensor = inventory.devices.iter().find(is_sensor).unwrap();
    sensor.id.to_string()
}
