//! A Mosquitto of the test's own, on a free loopback port, if the machine has one.
//!
//! Shared with the tests of `andon-emit`.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use tempfile::TempDir;

/// What an ingest broker needs: it drops nothing that it has acknowledged, and keeps it on disk.
const CONFIG: &str = "\
    allow_anonymous true\n\
    max_inflight_messages 0\n\
    max_queued_messages 0\n\
    persistence true\n\
    autosave_on_changes true\n\
    autosave_interval 1\n\
    log_dest stderr\n\
    user root\n";

/// How many ports are tried: another process may take a free one first.
const PORTS: usize = 5;

/// A running broker; killed when it is dropped.
pub(crate) struct Broker {
    process: Child,
    binary: PathBuf,
    port: u16,
    directory: TempDir,
}

impl Broker {
    /// Starts a broker with some more lines of configuration. `None`, after saying so, if the
    /// machine has no Mosquitto or lacks its command-line clients.
    pub(crate) fn start(more: &str) -> Option<Self> {
        let found = tool("mosquitto")
            .filter(|_| tool("mosquitto_pub").is_some() && tool("mosquitto_sub").is_some());
        let Some(binary) = found else {
            skipped("mosquitto and its clients are not installed");
            return None;
        };
        let directory = tempfile::tempdir().unwrap();
        for _ in 0..PORTS {
            let port = free_port();
            let config = format!(
                "listener {port} 127.0.0.1\npersistence_location {}/\n{CONFIG}{more}\n",
                directory.path().display()
            );
            fs::write(directory.path().join("mosquitto.conf"), config).unwrap();
            if let Some(process) = run(&binary, directory.path()) {
                return Some(Self {
                    process,
                    binary,
                    port,
                    directory,
                });
            }
        }
        panic!("mosquitto does not start");
    }

    /// Stops the broker as an administrator would, so that it saves what it holds.
    pub(crate) fn stop(&mut self) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").arg(id).status().unwrap().success());
        self.process.wait().unwrap();
    }

    /// Starts it again where it was, with what it had saved.
    pub(crate) fn start_again(&mut self) {
        self.process = run(&self.binary, self.directory.path()).expect("mosquitto starts again");
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// One of Mosquitto's clients, told where the broker is.
    pub(crate) fn client(&self, name: &str) -> Command {
        let mut command = Command::new(tool(name).expect("checked at the start"));
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        command
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may have been stopped already.
        let _gone = self.process.kill().is_err();
        let _reaped = self.process.wait().is_ok();
    }
}

/// Says that a test did not run, and why.
#[expect(
    clippy::print_stderr,
    reason = "a skipped test must not look like one that passed"
)]
pub(crate) fn skipped(reason: &str) {
    eprintln!("skipped: {reason}");
}

/// Starts the broker and waits until it says that it runs; `None` if it ends instead.
fn run(binary: &Path, directory: &Path) -> Option<Child> {
    let mut process = Command::new(binary)
        .arg("-c")
        .arg(directory.join("mosquitto.conf"))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
    let is_running = lines
        .by_ref()
        .map_while(Result::ok)
        .any(|line| line.ends_with(" running"));
    if !is_running {
        process.wait().unwrap();
        return None;
    }
    // It must not block on a full pipe later.
    thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    Some(process)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        // Debian keeps the broker where only root looks.
        .chain([PathBuf::from(OsStr::new("/usr/sbin"))])
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
}
