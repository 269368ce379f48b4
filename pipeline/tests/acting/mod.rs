//! A process of a group that enforces, and people who act through it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use andon_schemas::builtin;
use serde_json::Value;

use super::kafka_plant::Site;
use super::plant;
use super::watched::{PATIENCE, Watched};

/// Who answers for the first segment.
pub(crate) const ENFORCER: &str = "fw-cnc";

/// One process of the group.
pub(crate) struct Process {
    pub(crate) run: Watched,
    data: PathBuf,
}

impl Process {
    /// Starts one that enforces, with an enforcement point for the first segment.
    pub(crate) fn start(site: &Site, folder: &Path, name: &str) -> Self {
        Self::start_as(site, folder, name, &|config| config)
    }

    /// The same, with what the first one has left.
    pub(crate) fn start_again(folder: &Path, name: &str) -> Self {
        let mut command = plant::andon();
        command.args(["run", "--http", "127.0.0.1:0", "--config"]);
        command.env("RUST_LOG", "andon=info");
        let config = folder.join(format!("{name}.toml"));
        let mut run = Watched::start(name, command.arg(config));
        run.said("reading");
        Self {
            run,
            data: folder.join(name),
        }
    }

    /// The same, with another configuration.
    pub(crate) fn start_as(
        site: &Site,
        folder: &Path,
        name: &str,
        other: &dyn Fn(String) -> String,
    ) -> Self {
        let inventory = folder.join("inventory.yaml");
        let enforcement = format!(
            "\nenforcement:\n  acknowledge_within: 5s\n  enforcers:\n    - {{ id: {ENFORCER}, \
             segments: [cnc-safety] }}\n"
        );
        fs::write(
            &inventory,
            builtin::INVENTORY.text.to_owned() + &enforcement,
        )
        .unwrap();
        let indicators = folder.join("hostile.txt");
        fs::write(&indicators, "203.0.113.7\n").unwrap();
        let config = site.config(folder, name, "");
        let own = fs::read_to_string(&config).unwrap();
        let text = format!(
            "mode = \"enforce\"\ninventory = \"{}\"\nindicators = [\"{}\"]\n",
            inventory.display(),
            indicators.display()
        );
        fs::write(&config, text + &other(own)).unwrap();
        Self::start_again(folder, name)
    }

    /// What `andon act` says, and whether it was done.
    pub(crate) fn act(&self, args: &[&str]) -> (bool, String) {
        self.ask("act", args)
    }

    pub(crate) fn ask(&self, what: &str, args: &[&str]) -> (bool, String) {
        let mut command = plant::andon();
        command.args(["-o", "json", what]).args(args);
        let output = command.arg("--data").arg(&self.data).output().unwrap();
        let is_done = output.status.success();
        let said = if is_done {
            output.stdout
        } else {
            output.stderr
        };
        (is_done, String::from_utf8(said).unwrap())
    }

    pub(crate) fn done(&self, args: &[&str]) -> Value {
        let (is_done, said) = self.act(args);
        assert!(is_done, "{args:?}: {said}");
        serde_json::from_str(&said).unwrap()
    }

    pub(crate) fn refused(&self, args: &[&str]) -> String {
        let (is_done, said) = self.act(args);
        assert!(!is_done, "{args:?} was done: {said}");
        said
    }

    /// What it serves under a path.
    pub(crate) fn get(&self, path: &str) -> Value {
        let url = fs::read_to_string(self.data.join("console.url")).unwrap();
        let address = url.trim().strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }

    /// The incident that is as it is to be.
    pub(crate) fn incident(&self, is: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let told = self.get("/v1/incidents?state=all");
            let all = told["incidents"].as_array().unwrap();
            if let Some(found) = all.iter().find(|incident| is(incident)) {
                return found.clone();
            }
            assert!(Instant::now() < until, "{told}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until its console says until when commands about a device are held back.
    pub(crate) fn until_held_back(&self, device: &str, held_until: &Value) {
        let until = Instant::now() + PATIENCE;
        loop {
            let said = self.get(&format!("/v1/devices/{device}"));
            if said["suppressed_until"] == *held_until {
                return;
            }
            assert!(Instant::now() < until, "{device} is not held back: {said}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The newest command about a device, once it is in this state.
    pub(crate) fn until(&self, device: &str, state: &str) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let (_, said) = self.act(&["list", "--state", "all", "--device", device]);
            let first = said.lines().next().map(serde_json::from_str::<Value>);
            if let Some(Ok(order)) = &first
                && order["state"] == state
            {
                return order.clone();
            }
            assert!(Instant::now() < until, "{device} is not {state}: {said}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
