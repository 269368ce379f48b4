//! A process whose output a test waits for, line by line, and which does not outlive the test.
#![allow(dead_code, reason = "every test uses a part of it")]
#![allow(clippy::allow_attributes, reason = "one test may use all of it")]

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Long enough that only a hang reaches it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running process; killed when dropped.
pub(crate) struct Watched {
    name: String,
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Watched {
    /// Starts it and reads both of its outputs from then on.
    pub(crate) fn start(name: &str, command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let (sender, lines) = channel();
        let outputs: [Box<dyn Read + Send>; 2] = [
            Box::new(child.stdout.take().expect("stdout is piped")),
            Box::new(child.stderr.take().expect("stderr is piped")),
        ];
        for output in outputs {
            let sender = sender.clone();
            thread::spawn(move || {
                let lines = BufReader::new(output).lines().map_while(Result::ok);
                // The process must not block on a full pipe when nobody waits any more.
                lines.for_each(|line| drop(sender.send(line)));
            });
        }
        Self {
            name: name.to_owned(),
            child,
            lines,
            seen: Vec::new(),
        }
    }

    /// The next line that a test accepts; `None` if the outputs end without one.
    pub(crate) fn find(&mut self, accept: impl Fn(&str) -> bool) -> Option<String> {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.seen.push(line);
                    let line = self.seen.last().filter(|line| accept(line));
                    if line.is_some() {
                        return line.cloned();
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("{} said only:\n{}", self.name, self.seen.join("\n"))
                }
            }
        }
    }

    /// The next line that holds a text.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        self.find(|line| line.contains(text)).unwrap_or_else(|| {
            let said = self.seen.join("\n");
            panic!("{} ended without saying `{text}`:\n{said}", self.name)
        })
    }

    /// A line that holds a text, whether it was read already or is still to come: for what two
    /// threads of the process say in either order.
    pub(crate) fn said(&mut self, text: &str) -> String {
        let earlier = self.seen.iter().find(|line| line.contains(text)).cloned();
        earlier.unwrap_or_else(|| self.wait_for(text))
    }

    /// Asks it to end, as an administrator would, and waits until it has.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.signal("-TERM");
        self.wait()
    }

    /// Ends it at once, in the middle of whatever it does.
    pub(crate) fn kill(&mut self) {
        self.signal("-KILL");
        let _status = self.wait();
    }

    /// Asks it to read its files again.
    pub(crate) fn hang_up(&self) {
        self.signal("-HUP");
    }

    /// Holds it: it stays there and does nothing any more.
    pub(crate) fn hold(&self) {
        self.signal("-STOP");
    }

    /// By what others send it signals.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    fn signal(&self, signal: &str) {
        let id = self.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.is_ok_and(|status| status.success()), "{}", self.name);
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        // Its outputs end when it does, and reading them is what has a deadline.
        let _none = self.find(|_| false);
        self.child.wait().expect("it has ended")
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // It may have ended already.
        if self.child.kill().is_ok() {
            let _gone = self.child.wait().is_ok();
        }
    }
}
