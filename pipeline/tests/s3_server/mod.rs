//! An object store of the test's own, on a free loopback port: what `docker/s3/server` starts, and
//! ends when the test does, however that comes about; and a line to it that breaks.

use std::env;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// `1` where a test must not pass without a store, as in `.ci/run`.
const DEMANDED: &str = "ANDON_S3";

/// A store that serves; it ends with its standard input.
pub(crate) struct Store {
    process: Child,
    pub(crate) endpoint: String,
    pub(crate) key: String,
    pub(crate) secret: String,
}

impl Store {
    /// Serves what lies in a folder, each folder in it as a bucket. `None`, after saying so, if the
    /// server is not installed and nobody demands it.
    pub(crate) fn start(folder: &Path) -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docker/s3/server");
        if env::var_os(DEMANDED).is_none_or(|value| value != "1") {
            let check = Command::new(&script).arg("check").output().unwrap();
            if !check.status.success() {
                skipped(String::from_utf8_lossy(&check.stderr).trim_end());
                return None;
            }
        }
        let mut process = Command::new(&script)
            .arg("run")
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut told = BufReader::new(process.stdout.take().unwrap());
        told.read_line(&mut line).unwrap();
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        let [ready, endpoint, key, secret] = words.try_into().expect("the server says it is ready");
        assert_eq!(ready, "ready");
        Some(Self {
            process,
            endpoint,
            key,
            secret,
        })
    }

    /// The binary under test, told of this store and of nothing else.
    pub(crate) fn andon(&self) -> Command {
        let mut command = alone();
        command
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_ACCESS_KEY_ID", &self.key)
            .env("AWS_SECRET_ACCESS_KEY", &self.secret)
            .env("AWS_REGION", "us-east-1");
        command
    }

    /// The same over a line that breaks for good after so many bytes of answers.
    pub(crate) fn andon_until(&self, bytes: usize) -> Command {
        let (_, behind) = self.endpoint.split_once("://").unwrap();
        let mut command = self.andon();
        command.env("AWS_ENDPOINT_URL", breaking(behind.to_owned(), bytes));
        command
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        drop(self.process.wait());
    }
}

/// The binary under test, which knows of no store and goes through no proxy.
pub(crate) fn alone() -> Command {
    let mut command = super::plant::andon();
    for (name, _) in env::vars_os() {
        let upper = name.to_string_lossy().to_uppercase();
        if upper.starts_with("AWS_") || upper.ends_with("_PROXY") {
            command.env_remove(name);
        }
    }
    command
}

/// An address on which nobody listens.
pub(crate) fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// A line to `target`, as an endpoint.
fn breaking(target: String, bytes: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let left = Arc::new(AtomicUsize::new(bytes));
    thread::spawn(move || {
        for near in listener.incoming().map_while(Result::ok) {
            let far = TcpStream::connect(&target).unwrap();
            let (there, back) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            // Requests are small and never what breaks it.
            let free = Arc::new(AtomicUsize::new(usize::MAX));
            thread::spawn(move || pass(there, back, &free));
            let left = Arc::clone(&left);
            thread::spawn(move || pass(far, near, &left));
        }
    });
    endpoint
}

/// Passes bytes on, as long as any are left of those that may pass.
fn pass(mut from: TcpStream, mut to: TcpStream, left: &AtomicUsize) {
    let mut bytes = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        let before = left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                Some(left.saturating_sub(read))
            })
            .unwrap();
        if before <= read || to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    for end in [from, to] {
        drop(end.shutdown(Shutdown::Both));
    }
}

#[expect(
    clippy::print_stderr,
    reason = "a skipped test must not look like one that passed"
)]
fn skipped(reason: &str) {
    eprintln!("skipped: {reason}");
}
