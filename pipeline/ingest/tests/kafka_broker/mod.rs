//! An Apache Kafka of the test's own, on free loopback ports: what `docker/kafka/broker` starts, and
//! ends when the test does, however that comes about.

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
}

impl Cluster {
    /// Starts one broker, or three. `None`, after saying so, if the machine has no Java or not yet
    /// Kafka's jars, and nobody demands a broker.
    pub(crate) fn start(brokers: usize) -> Option<Self> {
        let script = script();
        if env::var_os(DEMANDED).is_none_or(|value| value != "1") {
            let check = Command::new(&script).arg("check").output().unwrap();
            if !check.status.success() {
                skipped(String::from_utf8_lossy(&check.stderr).trim_end());
                return None;
            }
        }
        let mut process = Command::new(&script)
            .args(["run", "--brokers", &brokers.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let commands = process.stdin.take();
        let mut answers = BufReader::new(process.stdout.take().unwrap()).lines();
        let Some(ready) = answers.next() else {
            panic!(
                "Kafka does not start ({}); standard error has the reason",
                process.wait().unwrap()
            );
        };
        let addresses = ready.unwrap().strip_prefix("ready ").unwrap().to_owned();
        Some(Self {
            process,
            commands,
            answers,
            addresses,
        })
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

    /// Takes one broker away, counted from 1, as a power cut would.
    pub(crate) fn kill(&mut self, broker: usize) {
        self.tell("kill", broker);
    }

    /// Starts a broker again, with what it had stored, and waits until it serves.
    pub(crate) fn start_again(&mut self, broker: usize) {
        self.tell("start", broker);
    }

    fn tell(&mut self, verb: &str, broker: usize) {
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
