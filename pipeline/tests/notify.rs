//! Notices of a live run, by mail through a server that is not ours (aiosmtpd), and by webhook: each
//! comes, though the receiver, or the run itself, is away meanwhile.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what these functions cannot do fails the test, and a skipped test must say so"
)]

mod plant;
mod posted;
mod sensed;
mod signed;
mod watched;

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use andon_schemas::notice::Notice;
use posted::{Receiver, are_signed};
use sensed::Run;
use serde_json::Value;
use signed::Signed;
use watched::{PATIENCE, Watched};

/// `1` where the tests must not pass without a mail server, as in `.ci/run`.
const DEMANDED: &str = "ANDON_MAIL";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docker/mail/server");
const PASSWORD: &str = "whisper-whisper";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// Who is notified, as a server sees it.
const SHIFT: &str = "shift@plant.example";

/// A segment for each attack, since only some devices of one are cut off at a time.
const NETWORKS: [&str; 3] = ["10.1.10", "10.1.20", "10.3.20"];
/// Devices that are attacked from at once.
const DEVICES: u8 = 5;

fn until(what: &str, is: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < until, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The next devices are attacked from; waits until something is to be told of each.
fn raid(run: &Run<'_>, number: u8) {
    let network = NETWORKS[usize::from(number)];
    run.raid(i64::from(number), network, 100..100 + DEVICES);
    let wanted = usize::from(DEVICES) * usize::from(number + 1);
    until("nobody is to be told", || once(ids(run)).len() >= wanted);
}

/// Ids of what is to be told, as it is written.
fn ids(run: &Run<'_>) -> Vec<String> {
    let notices = run.written("notices").into_iter();
    let notice = |one| serde_json::from_value::<Notice>(one).unwrap();
    notices.map(|one| notice(one).id()).collect()
}

/// How often what is told counts.
type Count = fn(Vec<String>) -> Vec<String>;

/// Nobody was killed: once is all.
fn each(ids: Vec<String>) -> Vec<String> {
    ids
}

/// Somebody was killed between taking and answering, or before it was kept that something went out:
/// it comes again, after it came first.
fn once(ids: Vec<String>) -> Vec<String> {
    let mut known = BTreeSet::new();
    let is_first = |id: &String| known.insert(id.clone());
    ids.into_iter().filter(is_first).collect()
}

/// Those that nobody has seen before, in order.
fn fresh(ids: Vec<String>, seen: &BTreeSet<String>, count: Count) -> Vec<String> {
    count(ids.into_iter().filter(|id| !seen.contains(id)).collect())
}

/// A mail server, which may run or not.
struct Server<'a> {
    port: u16,
    how: &'static str,
    signed: &'a Signed,
    process: Option<Watched>,
    /// What it has taken for `SHIFT`.
    taken: Vec<Value>,
    /// The ids of what it had taken the last time that it was looked.
    seen: BTreeSet<String>,
}

impl<'a> Server<'a> {
    /// One that does not run yet; `None`, after saying so, if there is none and nobody demands it.
    fn absent(how: &'static str, signed: &'a Signed) -> Option<Self> {
        if std::env::var_os(DEMANDED).is_none_or(|value| value != "1") {
            let check = Command::new(SCRIPT).arg("check").output().unwrap();
            if !check.status.success() {
                let why = String::from_utf8_lossy(&check.stderr);
                eprintln!("skipped: {}", why.trim_end());
                return None;
            }
        }
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        Some(Self {
            port: free.local_addr().unwrap().port(),
            how,
            signed,
            process: None,
            taken: Vec::new(),
            seen: BTreeSet::new(),
        })
    }

    fn start(&mut self) {
        let mut command = Command::new(SCRIPT);
        command.args(["serve", &self.port.to_string(), self.how]);
        command.arg(&self.signed.certificate).arg(&self.signed.key);
        let mut process = Watched::start("mail server", command.env("MAIL_PASSWORD", PASSWORD));
        process.wait_for("it listens");
        self.process = Some(process);
    }

    fn kill(&mut self) {
        self.process.take().unwrap().kill();
    }

    /// Waits until the last of what is to be told is here, and sees that all is, in order.
    fn takes_all(&mut self, run: &Run<'_>, count: Count) {
        let expected = fresh(ids(run), &self.seen, count);
        let taken = |mails: &[Value], seen: &BTreeSet<String>| fresh(named(mails), seen, count);
        while taken(&self.taken, &self.seen).len() < expected.len() {
            let process = self.process.as_mut().unwrap();
            let line = process.find(|line| line.starts_with('{')).unwrap();
            let mail: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(mail["envelope"]["to"].as_array().unwrap().len(), 1);
            if mail["envelope"]["to"][0] == SHIFT {
                self.taken.push(mail);
            }
        }
        assert_eq!(taken(&self.taken, &self.seen), expected);
        self.seen.extend(expected);
    }

    fn section(&self, ca: &Path, password: &Path, to: &str) -> String {
        let tls = self.how;
        format!(
            "[[notify]]\nkind = \"mail\"\nserver = \"localhost:{}\"\nsecurity = \"{tls}\"\n\
             ca = \"{}\"\nuser = \"andon\"\npassword_file = \"{}\"\n\
             from = \"Störungen, Halle 3 <andon@plant.example>\"\nto = [{to}]\n",
            self.port,
            ca.display(),
            password.display()
        )
    }
}

/// Ids of mails.
fn named(mails: &[Value]) -> Vec<String> {
    let ids = mails.iter().map(|mail| {
        let id = mail["headers"]["message-id"].as_str().unwrap();
        let id = id.strip_prefix('<').unwrap();
        id.strip_suffix("@plant.example>").unwrap().to_owned()
    });
    ids.collect()
}

fn secret(folder: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_shift_is_mailed_every_notice_though_server_and_run_are_killed_and_others_have_no_room() {
    let folder = tempfile::tempdir().unwrap();
    let signed = Signed::new(folder.path(), "mail");
    let Some(mut server) = Server::absent("starttls", &signed) else {
        return;
    };
    let password = secret(folder.path(), "mail.password", PASSWORD);
    let config = server.section(
        &signed.ca,
        &password,
        "\"Schichtleitung Süd <shift@plant.example>\", \"nobody@plant.example\", \
         \"full@plant.example\"",
    );
    let mut run = Run::start(folder.path(), "127.0.0.1:0", &config);

    // The server is not there.
    raid(&run, 0);
    run.process.said("notify mail/shift@plant.example: ");
    server.start();
    server.takes_all(&run, each);
    reads_as_it_was_meant(&run.written("notices")[0], &server.taken[0]);

    // It is killed, and then the run is.
    server.kill();
    raid(&run, 1);
    run.crash(&config);
    server.start();
    server.takes_all(&run, once);
    raid(&run, 2);
    server.takes_all(&run, each);

    // Who lives nowhere is put aside, and whose mailbox is full is waited for.
    let aside = folder
        .path()
        .join("data/notify/mail/nobody@plant.example/dead.jsonl");
    let dead = || fs::read_to_string(&aside).unwrap_or_default();
    until("nothing is put aside", || {
        dead().lines().count() >= once(ids(&run)).len()
    });
    assert!(dead().contains("nobody of that name"), "{}", dead());
    run.process.said("full@plant.example: ");
    assert!(run.process.terminate().success());
    let summary = plant::read(&folder.path().join("data"), "summary.json");
    let summary: Value = serde_json::from_slice(&summary).unwrap();
    let full = &summary["notify"][2];
    assert_eq!(full["outlet"], "mail/full@plant.example", "{summary}");
    assert!(
        full["waiting"].as_u64().unwrap() >= once(ids(&run)).len() as u64,
        "{full}"
    );
}

/// A mail, as Python's reader takes it apart.
fn reads_as_it_was_meant(notice: &Value, mail: &Value) {
    assert_eq!(mail["defects"].as_array().unwrap().len(), 0, "{mail}");
    assert_eq!(mail["headers"]["subject"], notice["headline"]);
    assert_eq!(mail["from"][0][0], "Störungen, Halle 3", "{mail}");
    assert_eq!(mail["from"][0][1], "andon@plant.example");
    assert_eq!(mail["to"][0][0], "Schichtleitung Süd", "{mail}");
    assert_eq!(mail["to"][2][1], "full@plant.example", "all are named");
    assert_eq!(mail["headers"]["auto-submitted"], "auto-generated");
    assert_eq!(mail["kind"], "text/plain");
    let text = mail["text"].as_str().unwrap();
    for key in ["text", "device_id", "command_id", "site"] {
        assert!(text.contains(notice[key].as_str().unwrap()), "{text}");
    }
    for key in ["is_ascii", "is_over_tls", "is_proven"] {
        assert_eq!(mail[key], true, "{key}");
    }
}

#[test]
fn a_server_of_another_authority_or_another_password_is_told_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let signed = Signed::new(folder.path(), "mail");
    let other = Signed::new(folder.path(), "other");
    let Some(mut server) = Server::absent("tls", &signed) else {
        return;
    };
    server.start();
    let good = secret(folder.path(), "good.password", PASSWORD);
    let bad = secret(folder.path(), "bad.password", "guess-guess");
    let to = format!("\"{SHIFT}\"");
    let start = |config: String| Run::start(folder.path(), "127.0.0.1:0", &config);

    let mut run = start(server.section(&other.ca, &good, &to));
    raid(&run, 0);
    run.process.said("UnknownIssuer");
    assert!(run.process.terminate().success());

    let mut run = start(server.section(&signed.ca, &bad, &to));
    let said = run.process.said("answers `user` and its password by 535");
    assert!(!said.contains("guess"), "{said}");
    assert!(run.process.terminate().success());

    let config = server.section(&signed.ca, &good, &to);
    let mut run = start(config.clone());
    server.takes_all(&run, each);
    assert!(run.process.terminate().success());
    is_tried(folder.path(), &config, true);
    server.kill();
    is_tried(folder.path(), &config, false);
}

#[test]
fn a_server_on_this_host_may_be_told_without_tls_and_one_without_it_is_not_told_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let signed = Signed::new(folder.path(), "mail");
    let Some(mut server) = Server::absent("plain", &signed) else {
        return;
    };
    server.start();
    let config = |security: &str| {
        format!(
            "[[notify]]\nkind = \"mail\"\nserver = \"127.0.0.1:{}\"\nsecurity = \"{security}\"\n\
             from = \"andon@plant.example\"\nto = [\"{SHIFT}\"]\n",
            server.port
        )
    };
    let (none, starttls) = (config("none"), config("starttls"));
    is_tried(folder.path(), &starttls, false);
    is_tried(folder.path(), &none, true);
    let mail = server.process.as_mut().unwrap();
    let mail = mail.find(|line| line.starts_with('{')).unwrap();
    let mail: Value = serde_json::from_str(&mail).unwrap();
    assert_eq!(mail["is_over_tls"], false);
    assert_eq!(
        mail["headers"]["subject"],
        "This is a test; nothing has happened"
    );
    assert_eq!(mail["defects"].as_array().unwrap().len(), 0, "{mail}");
}

/// Sends a test to whomever a configuration names.
fn is_tried(folder: &Path, config: &str, arrives: bool) {
    let path = secret(folder, "tried.toml", config);
    let mut test = plant::andon();
    test.args(["-o", "json", "notify", "test", "-c"]).arg(path);
    let output = test.output().unwrap();
    let told = &plant::lines(&output.stdout)[0];
    assert_eq!(output.status.success(), arrives, "{told}");
    assert_eq!(told["outlet"], "mail/shift@plant.example");
    assert_eq!(told["arrived"], arrives);
    assert_eq!(told["why"].is_null(), arrives, "{told}");
}

#[test]
fn a_webhook_gets_every_notice_signed_though_it_is_away_for_a_while() {
    let folder = tempfile::tempdir().unwrap();
    let signed = Signed::new(folder.path(), "plant");
    let file = secret(folder.path(), "webhook.secret", SECRET);
    let mut receiver = Receiver::absent(&signed);
    let config = format!(
        "[[notify]]\nkind = \"webhook\"\nurl = \"{}\"\nca = \"{}\"\nsecret_file = \"{}\"\n",
        receiver.url(),
        signed.ca.display(),
        file.display()
    );
    let mut run = Run::start(folder.path(), "127.0.0.1:0", &config);
    raid(&run, 0);
    run.process.said("notify webhook: ");
    receiver.start();
    let mut seen = BTreeSet::new();
    let mut takes_all = |run: &Run<'_>, receiver: &Receiver, count: Count| {
        let expected = fresh(ids(run), &seen, count);
        let got = || {
            let posted = receiver.posted().into_iter();
            fresh(
                posted.map(|one| one.id().to_owned()).collect(),
                &seen,
                count,
            )
        };
        until("not all is posted", || got().len() >= expected.len());
        assert_eq!(got(), expected);
        seen.extend(expected);
    };
    takes_all(&run, &receiver, each);
    receiver.stop();
    raid(&run, 1);
    run.crash(&config);
    receiver.start();
    takes_all(&run, &receiver, once);
    raid(&run, 2);
    takes_all(&run, &receiver, each);
    assert!(run.process.terminate().success());
    let posted = receiver.posted();
    assert_eq!(posted[0].json(), run.written("notices")[0]);
    if !are_signed(&posted, SECRET) {
        eprintln!("skipped: nobody judges the signatures: docker/siem/validate fetch");
    }
}

#[test]
fn a_run_on_kafka_says_that_it_notifies_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let section = "[[notify]]\nkind = \"webhook\"\nurl = \"https://plant.example/in\"\n";
    let path = secret(folder.path(), "andon.toml", section);
    let data = folder.path().join("data");
    let mut run = plant::andon();
    run.args(["run", "--kafka", "127.0.0.1:9", "-c"]).arg(path);
    let output = run.arg("--data").arg(&data).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("`[[notify]]` works with a run on MQTT only"),
        "{said}"
    );
    assert!(!data.exists());
}
