//! An Apache Kafka of the test's own, on free loopback ports: what `docker/kafka/broker` starts, and
//! ends when the test does, however that comes about. Tests of several crates share it.
#![allow(dead_code, reason = "every test uses a part of it")]
#![allow(clippy::allow_attributes, reason = "one test may use all of it")]

use std::env;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

/// `1` where a test must not pass without a broker, as in `.ci/run`.
const DEMANDED: &str = "ANDON_KAFKA";

/// A running cluster; it ends, with all it stored, when it is dropped.
pub(crate) struct Cluster {
    process: Child,
    /// `None` once it was told to end.
    commands: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
    addresses: String,
    secure: Option<Secure>,
    proxied: Option<String>,
}

/// Where the brokers listen for encrypted connections, and a folder with what those take.
#[derive(Debug)]
pub(crate) struct Secure {
    /// For the user `andon`, who has a password.
    pub(crate) sasl: String,
    /// For a client with a certificate.
    pub(crate) ssl: String,
    /// `ca.pem`, `password`, `client.p12`, and `stranger.pem`, who vouches for nobody.
    pub(crate) folder: PathBuf,
}

impl Cluster {
    /// Starts one broker, or three. `None`, after saying so, if the machine has no Java or not yet
    /// Kafka's jars, and nobody demands a broker.
    pub(crate) fn start(brokers: usize) -> Option<Self> {
        Self::start_with(brokers, &[])
    }

    /// The same, with settings of the brokers, each `KEY=VALUE`.
    pub(crate) fn start_with(brokers: usize, settings: &[&str]) -> Option<Self> {
        let settings = settings.iter().flat_map(|setting| ["--set", setting]);
        Self::run(brokers, settings)
    }

    /// The same, with encrypted connections besides; what they take is put into the folder.
    pub(crate) fn start_secure(brokers: usize, folder: &Path) -> Option<Self> {
        let mut cluster = Self::run(brokers, ["--secure", folder.to_str().unwrap()])?;
        let told = cluster.told("secure");
        let (for_users, for_certificates) = told.split_once(' ').unwrap();
        cluster.secure = Some(Secure {
            sasl: for_users.to_owned(),
            ssl: for_certificates.to_owned(),
            folder: folder.to_owned(),
        });
        Some(cluster)
    }

    /// One broker, which tells those who come through a proxy that it is to be found there.
    pub(crate) fn start_proxied(proxy: &str) -> Option<Self> {
        let mut cluster = Self::run(1, ["--proxied", proxy])?;
        cluster.proxied = Some(cluster.told("proxied"));
        Some(cluster)
    }

    fn run<'a>(brokers: usize, options: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let script = script();
        if env::var_os(DEMANDED).is_none_or(|value| value != "1") {
            let check = Command::new(&script).arg("check").output().unwrap();
            if !check.status.success() {
                skipped(String::from_utf8_lossy(&check.stderr).trim_end());
                return None;
            }
        }
        let mut command = Command::new(&script);
        command.args(["run", "--brokers", &brokers.to_string()]);
        command.args(options);
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut cluster = Self {
            commands: process.stdin.take(),
            answers: BufReader::new(process.stdout.take().unwrap()).lines(),
            process,
            addresses: String::new(),
            secure: None,
            proxied: None,
        };
        cluster.addresses = cluster.told("ready");
        Some(cluster)
    }

    /// What the script says next, behind this word.
    fn told(&mut self, word: &str) -> String {
        let Some(line) = self.answers.next() else {
            panic!(
                "Kafka does not start ({}); standard error has the reason",
                self.process.wait().unwrap()
            );
        };
        let line = line.unwrap();
        let rest = line
            .strip_prefix(word)
            .and_then(|rest| rest.strip_prefix(' '));
        rest.unwrap_or_else(|| panic!("{line}")).to_owned()
    }

    /// One broker for all tests of a file, which keep to topics, groups and transactional ids of
    /// their own. It ends with the process.
    pub(crate) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(1)).as_ref()
    }

    /// Where the brokers listen, as `bootstrap.servers` wants it.
    pub(crate) fn addresses(&self) -> &str {
        &self.addresses
    }

    /// Where they listen for encrypted connections, if it was started so.
    pub(crate) fn secure(&self) -> &Secure {
        self.secure.as_ref().expect("it was started secure")
    }

    /// Where the proxy finds it, if it was started behind one.
    pub(crate) fn proxied(&self) -> &str {
        self.proxied
            .as_deref()
            .expect("it was started behind a proxy")
    }

    /// The process that keeps the brokers.
    pub(crate) fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Takes one broker away, counted from 1, as a power cut would.
    pub(crate) fn kill(&mut self, broker: usize) {
        self.tell("kill", &broker.to_string());
    }

    /// Takes all of them away.
    pub(crate) fn kill_all(&mut self) {
        self.tell("kill", "all");
    }

    /// Ends a broker in order: others take over what it leads before it goes.
    pub(crate) fn stop(&mut self, broker: usize) {
        self.tell("stop", &broker.to_string());
    }

    /// Freezes a broker: it stays connected and answers nothing.
    pub(crate) fn pause(&mut self, broker: usize) {
        self.tell("pause", &broker.to_string());
    }

    /// Lets a frozen broker go on.
    pub(crate) fn resume(&mut self, broker: usize) {
        self.tell("resume", &broker.to_string());
    }

    /// Starts a broker again, with what it had stored, and waits until it serves.
    pub(crate) fn start_again(&mut self, broker: usize) {
        self.tell("start", &broker.to_string());
    }

    /// Starts all of them again, together.
    pub(crate) fn start_all_again(&mut self) {
        self.tell("start", "all");
    }

    fn tell(&mut self, verb: &str, broker: &str) {
        let commands = self.commands.as_mut().expect("it was not told to end");
        writeln!(commands, "{verb} {broker}").unwrap();
        let answer = self.answers.next().expect("it was not ended").unwrap();
        assert_eq!(answer, "ok", "{verb} {broker}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The end of its input is what it ends at.
        self.commands = None;
        let _ended = self.process.wait().is_ok();
    }
}

/// Says that a test did not run, and why.
#[expect(
    clippy::print_stderr,
    reason = "a skipped test must not look like one that passed"
)]
fn skipped(reason: &str) {
    eprintln!("skipped: {reason}");
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("docker/kafka/broker"))
        .find(|script| script.is_file())
        .expect("docker/kafka/broker is in the tree")
}
