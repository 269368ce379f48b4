//! A process of the binary under test: started, signalled, waited for, and never left behind.

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use super::PATIENCE;

/// A run that goes on until something happens to it; it is killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    /// Where it tells whether it is ready.
    pub(crate) http: String,
}

impl Process {
    /// Starts it, by another program that takes its command line if there is one.
    pub(crate) fn start(wrapper: &[String], config: &Path, log: &Path) -> Self {
        let options = fs::File::options().create(true).append(true).clone();
        let log = options.open(log).unwrap();
        let http = free_address();
        let line = [env!("CARGO_BIN_EXE_andon").to_owned()];
        let line: Vec<&String> = wrapper.iter().chain(&line).collect();
        let child = Command::new(line[0])
            .args(&line[1..])
            .args(["run", "-o", "json", "--http", &http, "-c"])
            .arg(config)
            .env("RUST_LOG", "andon=debug,info")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, http }
    }

    /// Its id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.unwrap().success(), "{name}");
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// How it ended; it must, soon.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(began.elapsed() < PATIENCE * 2, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends it in order.
    pub(crate) fn end(&mut self) {
        self.signal("TERM");
        let status = self.wait();
        assert!(status.success(), "{status}");
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        // It may have ended meanwhile.
        let _sent = self.child.kill().is_ok();
        self.child.wait().unwrap();
    }

    /// What the system says about it, such as `VmHWM`, in kB.
    pub(crate) fn status_kb(&self, name: &str) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether a signal ended it.
pub(crate) fn was_killed(status: ExitStatus) -> bool {
    status.signal() == Some(9)
}

/// An address that nobody listens at, and that no client is given for its own end meanwhile: those
/// have higher numbers, and the brokers that the tests start have them from 20,000 on.
fn free_address() -> String {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let port = 10_000 + NEXT.fetch_add(1, Ordering::Relaxed) % 10_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return format!("127.0.0.1:{port}");
        }
    }
}
