//! Verdicts of a live run over TLS to an rsyslog that is stopped, killed and held: each revision
//! comes, in order, whatever becomes of the receiver.
//!
//! That rsyslog writes down a message before it reads the next one (a queue of type `Direct`). One
//! that keeps what it has read in memory loses that when it is killed, and no sender can know.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what these functions cannot do fails the test, and a skipped test must say so"
)]

mod plant;
mod sensed;
mod signed;
mod watched;

use std::collections::BTreeSet;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use sensed::Run;
use serde_json::Value;
use signed::Signed;
use watched::{PATIENCE, Watched};

/// `1` where the tests must not pass without a receiver, as in `.ci/run`.
const DEMANDED: &str = "ANDON_SIEM";
/// Debian keeps it where only root looks, and its driver of TLS in a package of its own.
const RSYSLOG: &str = "/usr/sbin/rsyslogd";
/// Devices that are attacked from at once.
const DEVICES: u8 = 40;

/// An rsyslog, which may run or not, and the file that it writes.
struct Rsyslog {
    config: PathBuf,
    folder: PathBuf,
    port: u16,
    process: Option<Watched>,
}

impl Rsyslog {
    /// One that does not run yet; `None`, after saying so, if there is none and nobody demands it.
    fn absent(folder: &Path, signed: &Signed) -> Option<Self> {
        if !Path::new(RSYSLOG).exists()
            && std::env::var_os(DEMANDED).is_none_or(|value| value != "1")
        {
            eprintln!("skipped: there is no `{RSYSLOG}`");
            return None;
        }
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        let config = folder.join("rsyslog.conf");
        let path = |path: &Path| path.display().to_string();
        let text = format!(
            r#"global(workDirectory="{folder}" maxMessageSize="64k" defaultNetstreamDriver="gtls"
  defaultNetstreamDriverCAFile="{ca}" defaultNetstreamDriverCertFile="{certificate}"
  defaultNetstreamDriverKeyFile="{key}")
main_queue(queue.type="Direct")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")
template(name="heard" type="list" option.jsonf="on") {{
  property(outname="facility" name="syslogfacility-text" format="jsonf")
  property(outname="severity" name="syslogseverity" format="jsonf")
  property(outname="version" name="protocol-version" format="jsonf")
  property(outname="app" name="app-name" format="jsonf")
  property(outname="kind" name="msgid" format="jsonf")
  property(outname="at" name="timereported" dateFormat="rfc3339" date.inUTC="on" format="jsonf")
  property(outname="data" name="structured-data" format="jsonf")
  property(outname="text" name="msg" format="jsonf")
}}
input(type="imtcp" port="{port}" address="127.0.0.1")
if $app-name == "andon" then action(type="omfile" file="{folder}/heard.jsonl" template="heard")
"#,
            folder = folder.display(),
            ca = path(&signed.ca),
            certificate = path(&signed.certificate),
            key = path(&signed.key),
        );
        fs::write(&config, text).unwrap();
        fs::write(folder.join("heard.jsonl"), "").unwrap();
        Some(Self {
            config,
            folder: folder.to_owned(),
            port,
            process: None,
        })
    }

    fn start(&mut self) {
        let pid = self.folder.join("rsyslog.pid");
        // What a killed one leaves would keep the next one from starting.
        drop(fs::remove_file(&pid));
        let mut command = Command::new(RSYSLOG);
        command
            .arg("-n")
            .arg("-f")
            .arg(&self.config)
            .arg("-i")
            .arg(pid);
        self.process = Some(Watched::start("rsyslogd", &mut command));
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < until, "rsyslog does not listen");
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn running(&mut self) -> &mut Watched {
        self.process.as_mut().unwrap()
    }

    fn outlet(&self, ca: &Path) -> String {
        format!(
            "[[siem]]\nto = \"tls://localhost:{}\"\nca = \"{}\"\n",
            self.port,
            ca.display()
        )
    }

    /// What it has heard.
    fn heard(&self) -> Vec<Value> {
        plant::lines_so_far(&self.folder.join("heard.jsonl"))
    }
}

/// One of the values in the structured data of a message.
fn value<'a>(heard: &'a Value, name: &str) -> &'a str {
    let data = heard["data"].as_str().unwrap();
    let (_, rest) = data.split_once(&format!(" {name}=\"")).unwrap();
    rest.split('"').next().unwrap()
}

/// The revisions, each where it was heard first.
fn revisions(heard: &[Value]) -> Vec<(String, String)> {
    let mut known = BTreeSet::new();
    let ids = heard.iter().map(|one| {
        (
            value(one, "id").to_owned(),
            value(one, "revision").to_owned(),
        )
    });
    ids.filter(|id| known.insert(id.clone())).collect()
}

fn expected(verdicts: &[Value]) -> Vec<(String, String)> {
    let ids = verdicts.iter();
    ids.map(|one| {
        (
            one["verdict_id"].as_str().unwrap().to_owned(),
            one["revision"].to_string(),
        )
    })
    .collect()
}

fn until(what: &str, is: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < until, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The next devices are attacked from; waits until each has its verdict.
fn raid(run: &Run<'_>, number: u8) {
    let first = 2 + number * DEVICES;
    run.raid(i64::from(number), "10.2.50", first..first + DEVICES);
    let wanted = usize::from(number + 1) * usize::from(DEVICES);
    until("nothing is found", || {
        run.written("verdicts").len() >= wanted
    });
}

fn all_are_heard(run: &Run<'_>, rsyslog: &Rsyslog) {
    until("not all is heard", || {
        revisions(&rsyslog.heard()).len() >= run.written("verdicts").len()
    });
    // One of them may be a verdict ahead by now.
    let (heard, written) = (
        revisions(&rsyslog.heard()),
        expected(&run.written("verdicts")),
    );
    let both = heard.len().min(written.len());
    assert_eq!(heard[..both], written[..both]);
}

#[test]
fn rsyslog_hears_every_revision_in_order_though_it_is_stopped_held_and_killed() {
    let folder = tempfile::tempdir().unwrap();
    let signed = Signed::new(folder.path(), "soc");
    let Some(mut rsyslog) = Rsyslog::absent(folder.path(), &signed) else {
        return;
    };
    rsyslog.start();
    let config = rsyslog.outlet(&signed.ca);
    let mut run = Run::start(folder.path(), "127.0.0.1:0", &config);
    raid(&run, 0);
    all_are_heard(&run, &rsyslog);
    reads_as_it_was_meant(&run, &rsyslog);

    // Stopped as an administrator would.
    assert!(rsyslog.running().terminate().success());
    raid(&run, 1);
    run.process.said("siem tls: ");
    rsyslog.start();
    all_are_heard(&run, &rsyslog);

    // Killed while it is being told.
    let before = rsyslog.heard().len();
    raid(&run, 2);
    until("nothing new is heard", || rsyslog.heard().len() > before);
    rsyslog.running().kill();
    raid(&run, 3);
    rsyslog.start();
    all_are_heard(&run, &rsyslog);

    // Held, so that what it is sent lies in its buffers when it is killed.
    rsyslog.running().hold();
    raid(&run, 4);
    rsyslog.running().kill();
    rsyslog.start();
    all_are_heard(&run, &rsyslog);

    // Everything is over after some hours, and that is heard as well.
    run.calm(6..480);
    let is_over = |one: &Value| one["state"] == "cleared";
    until("nothing is over", || {
        run.written("verdicts").iter().any(is_over)
    });
    all_are_heard(&run, &rsyslog);
    assert!(run.process.terminate().success());
}

/// The first verdict, as a receiver of RFC 5424 takes it apart.
fn reads_as_it_was_meant(run: &Run<'_>, rsyslog: &Rsyslog) {
    let (verdict, heard) = (&run.written("verdicts")[0], &rsyslog.heard()[0]);
    for (name, expected) in [
        ("facility", "local0"),
        ("version", "1"),
        ("app", "andon"),
        ("kind", "VERDICT"),
    ] {
        assert_eq!(heard[name], expected, "{heard}");
    }
    for (name, expected) in [
        ("deviceId", "device_id"),
        ("grade", "grade"),
        ("segment", "segment"),
        ("state", "state"),
    ] {
        assert_eq!(value(heard, name), verdict[expected], "{heard}");
    }
    assert_eq!(heard["text"], verdict["sentence"]);
    let second = |at: &Value| at.as_str().unwrap()[..19].to_owned();
    assert_eq!(second(&heard["at"]), second(&verdict["window"]["end"]));
}

#[test]
fn a_receiver_of_another_authority_is_told_nothing_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let signed = Signed::new(folder.path(), "soc");
    let other = Signed::new(folder.path(), "other");
    let Some(mut rsyslog) = Rsyslog::absent(folder.path(), &signed) else {
        return;
    };
    rsyslog.start();
    let mut run = Run::start(folder.path(), "127.0.0.1:0", &rsyslog.outlet(&other.ca));
    raid(&run, 0);
    // A try may have come before it listens.
    let said = run.process.said("UnknownIssuer");
    assert!(said.contains("siem tls: "), "{said}");
    assert!(run.process.terminate().success());
    let summary = plant::read(&folder.path().join("data"), "summary.json");
    let summary: Value = serde_json::from_slice(&summary).unwrap();
    let outlet = &summary["siem"][0];
    let count = run.written("verdicts").len();
    assert_eq!(outlet["waiting"], count, "{outlet}");
    assert!(
        outlet["trouble"]
            .as_str()
            .unwrap()
            .contains("UnknownIssuer")
    );
    assert_eq!(rsyslog.heard().len(), 0);

    let mut run = Run::start(folder.path(), "127.0.0.1:0", &rsyslog.outlet(&signed.ca));
    all_are_heard(&run, &rsyslog);
    assert!(run.process.terminate().success());
}
