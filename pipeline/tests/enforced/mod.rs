//! A cell in network namespaces: a gateway with a broker and an enforcement point, and around it,
//! each in a network of its own, a press, its safety controller and a server. All of it ends with
//! the test.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use andon_respond::key_of;
use andon_schemas::command::{Action, DeviceCommand, FlowMatch};
use andon_schemas::identity::DeviceId;
use andon_schemas::time::{EventTime, Span};
use serde_json::Value;
use tempfile::TempDir;

use crate::watched::{PATIENCE, Watched};

/// `1` where the tests must not pass without namespaces, as in `.ci/run`.
const DEMANDED: &str = "ANDON_NFT";
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/enforced");

/// What the product is told about the cell.
const CELL: [&str; 4] = [
    "--inventory",
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/enforced/plant.yaml"),
    "--profiles",
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/enforced/profiles"),
];

/// Who is there, and the number of its network.
const HOSTS: [(&str, u8); 3] = [("press", 1), ("plc", 2), ("server", 3)];
/// What everybody answers on.
const ANSWERS: [&str; 6] = [
    "tcp/22", "tcp/80", "tcp/4401", "udp/53", "udp/4400", "udp/4401",
];

/// Namespaces so far, of this process.
static CELLS: AtomicUsize = AtomicUsize::new(0);

/// See the module.
pub(crate) struct Cell {
    name: String,
    pub(crate) folder: TempDir,
    processes: Vec<Watched>,
}

impl Cell {
    /// `None`, after saying so, if the machine cannot have one and nobody demands it.
    pub(crate) fn new() -> Option<Self> {
        let number = CELLS.fetch_add(1, Ordering::Relaxed);
        let mut cell = Self {
            name: format!("andon-{}-{number}", std::process::id()),
            folder: tempfile::tempdir().unwrap(),
            processes: Vec::new(),
        };
        match cell.build() {
            Ok(()) => Some(cell),
            Err(why) if std::env::var_os(DEMANDED).is_some_and(|value| value == "1") => {
                panic!("{DEMANDED}=1, and there is no cell: {why}")
            }
            Err(why) => {
                eprintln!("skipped: {why}");
                None
            }
        }
    }

    fn build(&mut self) -> Result<(), String> {
        for tool in [
            "nft",
            "ip",
            "python3",
            "mosquitto",
            "mosquitto_pub",
            "mosquitto_sub",
        ] {
            crate::broker::tool(tool).ok_or(format!("`{tool}` is not installed"))?;
        }
        for host in ["gate", "press", "plc", "server"] {
            done(Command::new(ip()).args(["netns", "add", &self.space(host)]))?;
            done(self.within(host, "ip").args(["link", "set", "lo", "up"]))?;
        }
        for (host, number) in HOSTS {
            self.wire(host, number)?;
        }
        let forward = "echo 1 > /proc/sys/net/ipv4/ip_forward && \
                       echo 1 > /proc/sys/net/ipv6/conf/all/forwarding";
        done(self.within("gate", "sh").args(["-c", forward]))?;
        done(self.within("gate", "nft").args(["list", "ruleset"]))?;
        for host in ["gate", "press", "plc", "server"] {
            let mut serve = self.within(host, "python3");
            serve.arg(peer()).arg("serve").args(ANSWERS);
            let mut serve = Watched::start(host, &mut serve);
            serve.wait_for("serving");
            self.processes.push(serve);
        }
        let config = self.folder.path().join("mosquitto.conf");
        let written = format!(
            "listener 1883 127.0.0.1\nallow_anonymous true\npersistence true\n\
             persistence_location {}/\nlog_dest stderr\nlog_type all\nuser root\n",
            self.folder.path().display()
        );
        std::fs::write(&config, written).unwrap();
        let mut broker = self.within("gate", "mosquitto");
        let mut broker = Watched::start("mosquitto", broker.arg("-c").arg(config));
        broker.wait_for(" running");
        self.processes.push(broker);
        Ok(())
    }

    /// A cable between a host and the gateway, with addresses and routes.
    fn wire(&self, host: &str, number: u8) -> Result<(), String> {
        let gate = self.space("gate");
        let cable = [
            "link", "add", "eth0", "type", "veth", "peer", "name", host, "netns", &gate,
        ];
        done(self.within(host, "ip").args(cable))?;
        for (at, device, last, last6) in [(host, "eth0", "10", "10"), ("gate", host, "254", "fe")] {
            let address = format!("10.77.{number}.{last}/24");
            done(
                self.within(at, "ip")
                    .args(["address", "add", &address, "dev", device]),
            )?;
            let address = format!("fd77:{number}::{last6}/64");
            let nodad = ["address", "add", &address, "dev", device, "nodad"];
            done(self.within(at, "ip").args(nodad))?;
            done(self.within(at, "ip").args(["link", "set", device, "up"]))?;
        }
        let via = format!("10.77.{number}.254");
        done(
            self.within(host, "ip")
                .args(["route", "add", "default", "via", &via]),
        )?;
        let via = format!("fd77:{number}::fe");
        done(
            self.within(host, "ip")
                .args(["-6", "route", "add", "default", "via", &via]),
        )
    }

    fn space(&self, host: &str) -> String {
        format!("{}-{host}", self.name)
    }

    /// A program in the network of a host.
    pub(crate) fn within(&self, host: &str, program: &str) -> Command {
        let program = crate::broker::tool(program).unwrap_or_else(|| PathBuf::from(program));
        let mut command = Command::new(ip());
        command
            .args(["netns", "exec", &self.space(host)])
            .arg(program);
        command
    }

    /// What `nft` says at the gateway.
    pub(crate) fn nft(&self, args: &[&str]) -> String {
        let output = output(self.within("gate", "nft").args(args)).unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Whether one host gets an answer from there.
    fn asks(&self, host: &str, question: &[&str]) -> bool {
        let mut ask = self.within(host, "python3");
        let output = output(ask.arg(peer()).arg("ask").args(question)).unwrap();
        match String::from_utf8(output.stdout).unwrap().trim() {
            "answered" => true,
            said => {
                assert!(said.starts_with("silent"), "{said}");
                false
            }
        }
    }

    /// Insists that a host gets an answer from there, sooner or later.
    pub(crate) fn reaches(&self, host: &str, question: &[&str]) {
        let until = Instant::now() + PATIENCE;
        while !self.asks(host, question) {
            assert!(Instant::now() < until, "{host} does not reach {question:?}");
        }
    }

    /// Insists that a host gets no answer from there, and that it is the gateway which sees to that.
    pub(crate) fn is_kept_from(&self, host: &str, question: &[&str]) {
        let before = self.dropped();
        assert!(!self.asks(host, question), "{host} reaches {question:?}");
        assert!(
            self.dropped() > before,
            "{host}: {question:?} was not dropped"
        );
    }

    /// Packets that our rules dropped.
    fn dropped(&self) -> u64 {
        let listed = self.nft(&["list", "table", "inet", "andon"]);
        let counts = listed.split("counter packets ").skip(1);
        let counts = counts.map(|rest| rest.split(' ').next().unwrap().parse::<u64>().unwrap());
        counts.sum()
    }

    /// A connection of the press that goes on asking.
    pub(crate) fn holds(&self, address: &str, port: &str) -> Held {
        let mut hold = self.within("press", "python3");
        hold.arg(peer()).args(["hold", address, port]);
        Held(Watched::start("hold", &mut hold))
    }

    /// The enforcement point, once it has restored what stood and is told what comes.
    pub(crate) fn enforcer(&mut self) -> Watched {
        let enforcer = self.enforcer_at("127.0.0.1:1883", &[]);
        let broker = self.processes.last_mut().unwrap();
        broker.wait_for("Sending SUBACK to andon-enforce-gate-1");
        enforcer
    }

    /// The same at another address, which may not be there yet; it says what its connections do.
    pub(crate) fn enforcer_at(&self, address: &str, extra: &[&str]) -> Watched {
        let mut command = self.within("gate", env!("CARGO_BIN_EXE_andon"));
        command.args(["enforce", "--nftables", "--enforcer", "gate-1"]);
        command.args(["--mqtt", address, "--data"]);
        command.arg(self.folder.path().join("enforce"));
        command.args(CELL).args(extra).env("RUST_LOG", "info");
        Watched::start("andon enforce", &mut command)
    }

    /// `andon run` at the gateway.
    pub(crate) fn run(&self, config: &Path, address: &str) -> Watched {
        let mut command = self.within("gate", env!("CARGO_BIN_EXE_andon"));
        command.args(["run", "--mqtt", address]);
        command.args(["--http", "127.0.0.1:0", "--config"]);
        command.arg(config).args(CELL).arg("--data");
        command.arg(self.folder.path().join("run"));
        Watched::start("andon run", &mut command)
    }

    /// What a person at the gateway asks of the run, and is answered.
    pub(crate) fn act(&self, args: &[&str]) -> Vec<u8> {
        let mut command = self.within("gate", env!("CARGO_BIN_EXE_andon"));
        command.args(["-o", "json", "act"]).args(args);
        command.arg("--data").arg(self.folder.path().join("run"));
        output(&mut command).unwrap().stdout
    }

    /// Insists that the enforcement point is heard by the run, sooner or later.
    pub(crate) fn is_acknowledged(&self, device: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            let listed = self.act(&["list", "--state", "all", "--device", device]);
            let orders = crate::plant::lines(&listed);
            let newest = orders.first().expect("there is an order");
            if (&newest["state"], &newest["by"]) == (&"acknowledged".into(), &"gate-1".into()) {
                return;
            }
            assert!(Instant::now() < until, "{newest}");
        }
    }

    /// The answers of the enforcement point, from now on.
    pub(crate) fn answers(&mut self) -> Watched {
        let mut client = self.within("gate", "mosquitto_sub");
        client.args(["-i", "answers", "-t", "andon/v1/in/cell/gate-1/ack"]);
        let answers = Watched::start("mosquitto_sub", &mut client);
        let broker = self.processes.last_mut().unwrap();
        broker.wait_for("Sending SUBACK to answers");
        answers
    }

    /// Publishes at the broker, which has it when this returns.
    pub(crate) fn publish(&self, topic: &str, payload: &str) {
        self.publish_as(&[], topic, payload);
    }

    /// The same, by somebody who is told where, and who it is.
    pub(crate) fn publish_as(&self, user: &[&str], topic: &str, payload: &str) {
        let mut client = self.within("gate", "mosquitto_pub");
        client.args(user);
        done(client.args(["-q", "1", "-t", topic, "-m", payload])).unwrap();
    }

    /// Commands the enforcement point.
    pub(crate) fn command(&self, device: &str, command: &DeviceCommand) {
        let topic = format!("andon/v1/out/cell/{device}/enforcement");
        self.publish(&topic, &serde_json::to_string(command).unwrap());
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        self.processes.clear();
        for host in ["gate", "press", "plc", "server"] {
            let space = self.space(host);
            let removed = Command::new(ip()).args(["netns", "del", &space]).output();
            // It may never have been there.
            drop(removed);
        }
    }
}

/// A connection that goes on asking.
pub(crate) struct Held(Watched);

impl Held {
    /// Insists that a question of after now is answered, or is not.
    pub(crate) fn is_now(&mut self, word: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let found = self.0.find(|line| {
            let (said, at) = line.split_once(' ').unwrap();
            // The question may have been put just before.
            let asked = Duration::from_secs_f64(at.parse().unwrap());
            said == word && asked > now + Duration::from_secs(2)
        });
        assert!(found.is_some(), "the connection ended");
    }
}

/// The next answer: whether it was done, and what is said about it.
pub(crate) fn answer(answers: &mut Watched) -> (String, String) {
    let line = answers.wait_for("andon.ack.v1");
    let ack: Value = serde_json::from_str(&line).unwrap();
    let word = |field: &str| ack[field].as_str().unwrap().to_owned();
    (word("result"), word("detail"))
}

/// So many seconds from now.
pub(crate) fn from_now(seconds: i64) -> EventTime {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = EventTime::from_micros(i64::try_from(now.as_micros()).unwrap());
    now + Span::from_secs(seconds)
}

pub(crate) fn order(
    device: &str,
    action: Action,
    scope: &[FlowMatch],
    seconds: i64,
) -> DeviceCommand {
    DeviceCommand {
        key: key_of(&DeviceId::new(device).unwrap(), action),
        action,
        scope: scope.to_vec(),
        expiry: from_now(seconds),
    }
}

/// A file of the cell.
pub(crate) fn file(name: &str) -> String {
    format!("{FOLDER}/{name}")
}

fn peer() -> PathBuf {
    Path::new(FOLDER).join("peer.py")
}

fn ip() -> PathBuf {
    crate::broker::tool("ip").unwrap_or_else(|| PathBuf::from("ip"))
}

fn output(command: &mut Command) -> Result<Output, String> {
    let output = command.output();
    let output = output.map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {}", said.trim_end()))
}

fn done(command: &mut Command) -> Result<(), String> {
    output(command).map(drop)
}
