//! Ten thousand clients that ask for the stream of events and then do nothing: as many as there are
//! places for are served, the others are told so, and all of them together cost little, and nothing
//! once they have gone.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what these functions cannot do fails the test"
)]

mod plant;
mod watched;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;
use watched::{PATIENCE, Watched};

/// So many ask for the stream.
const CLIENTS: usize = 10_000;
/// So many places there are.
const PLACES: usize = 1_024;
/// What a place may cost the run, with all that the system holds for it in the run's name.
const PLACE_KIB: u64 = 64;

/// A run as its clients see it.
struct Run {
    process: Watched,
    http: String,
}

impl Run {
    fn ask(&self, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.http).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.http);
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    fn status(&self) -> Value {
        let mut stream = TcpStream::connect(&self.http).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let host = &self.http;
        let request =
            format!("GET /v1/status HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
        serde_json::from_str(body).unwrap()
    }

    /// All of them ask; returns those who were let in.
    fn crowd(&self) -> Vec<BufReader<TcpStream>> {
        let mut inside = Vec::new();
        for number in 0..CLIENTS {
            let mut client = BufReader::new(self.ask("/v1/events"));
            let mut first = String::new();
            client.read_line(&mut first).unwrap();
            if first.starts_with("HTTP/1.1 200") {
                inside.push(client);
                continue;
            }
            assert!(first.starts_with("HTTP/1.1 503"), "{number}: {first}");
            // It is told why, when to come again, and holds no connection.
            let mut rest = String::new();
            client.read_to_string(&mut rest).unwrap();
            let rest = rest.to_lowercase();
            for says in [
                "content-type: application/problem+json",
                "retry-after: ",
                "every place for a stream of events is taken",
            ] {
                assert!(rest.contains(says), "{number}: {rest}");
            }
        }
        inside
    }

    fn until_there_are(&self, clients: usize) {
        let until = Instant::now() + PATIENCE;
        loop {
            let status = self.status();
            if status["clients"] == clients {
                return;
            }
            assert!(Instant::now() < until, "{clients}: {status}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whoever asked last may still be on the way out.
    fn until_sockets_are(&self, most: usize) {
        let until = Instant::now() + PATIENCE;
        while self.sockets() > most {
            assert!(
                Instant::now() < until,
                "{} sockets are left",
                self.sockets()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn resident_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.process.id());
        let text = fs::read_to_string(path).unwrap();
        let line = text.lines().find(|line| line.starts_with("VmRSS:"));
        let number = line.unwrap().split_whitespace().nth(1).unwrap();
        number.parse().unwrap()
    }

    fn sockets(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.process.id());
        let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
        let targets = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
        targets
            .filter(|target| target.to_string_lossy().starts_with("socket:"))
            .count()
    }
}

#[test]
fn ten_thousand_idle_listeners_cost_little_and_nothing_lasting() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = plant::andon();
    command.args(["run", "--mqtt", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    command.arg("--data").arg(folder.path());
    let mut process = Watched::start("run", &mut command);
    let said = process.wait_for("serving on");
    let url = said.rsplit(' ').next().unwrap();
    let http = url.strip_prefix("http://").unwrap();
    let http = http.split('/').next().unwrap().to_owned();
    let run = Run { process, http };

    let sockets_before = run.sockets();
    run.until_there_are(0);
    let resident_before = run.resident_kib();
    let inside = run.crowd();
    assert_eq!(inside.len(), PLACES);
    run.until_there_are(PLACES);
    let resident_full = run.resident_kib();
    let grown = resident_full.saturating_sub(resident_before);
    assert!(grown < PLACE_KIB * PLACES as u64, "{grown} KiB");
    drop(inside);
    run.until_there_are(0);

    // Who comes now finds all the places again, and what was needed once is used again.
    let inside = run.crowd();
    assert_eq!(inside.len(), PLACES);
    run.until_there_are(PLACES);
    let grown = run.resident_kib().saturating_sub(resident_full);
    assert!(grown < PLACE_KIB / 4 * PLACES as u64, "{grown} KiB more");
    drop(inside);
    run.until_there_are(0);
    run.until_sockets_are(sockets_before);
}
