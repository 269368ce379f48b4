//! The stream of events: resumed without loss or doubling, reset, bounded, and no burden to others.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use super::{Console, LONG, access, device, risk, verdict};
use crate::server::Limits;

struct Listener {
    lines: BufReader<TcpStream>,
}

#[derive(Debug, Default, PartialEq)]
struct Event {
    id: String,
    kind: String,
    data: Value,
}

impl Listener {
    fn of(console: &Console, after: Option<&str>) -> Self {
        let mut stream = console.connect();
        let last = after.map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
        let request = format!("GET /v1/events HTTP/1.1\r\nHost: localhost\r\n{last}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut listener = Self {
            lines: BufReader::new(stream),
        };
        let head = listener.until("");
        assert!(head[0].contains(" 200 "), "{head:?}");
        listener
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line).unwrap();
        assert!(read > 0, "the stream ended");
        line.trim_end().to_owned()
    }

    fn until(&mut self, end: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.line();
            if line == end {
                return lines;
            }
            lines.push(line);
        }
    }

    /// The next event that is of devices.
    fn next(&mut self) -> Event {
        let mut event = Event::default();
        loop {
            let line = self.line();
            if let Some(id) = line.strip_prefix("id: ") {
                id.clone_into(&mut event.id);
            } else if let Some(name) = line.strip_prefix("event: ") {
                name.clone_into(&mut event.kind);
            } else if let Some(data) = line.strip_prefix("data: ") {
                event.data = serde_json::from_str(data).unwrap();
                if event.kind != "status" {
                    return event;
                }
                event = Event::default();
            }
        }
    }

    /// How the pipeline is doing, the next time it is told.
    fn status(&mut self) -> Value {
        loop {
            if self.line() == "event: status" {
                let line = self.line();
                return serde_json::from_str(line.strip_prefix("data: ").unwrap()).unwrap();
            }
        }
    }
}

#[test]
fn changes_come_as_they_happen_with_what_a_row_shows() {
    let console = Console::new();
    let mut listener = Listener::of(&console, None);
    // What was told before it came is told first.
    while listener.status()["clients"] != 1 {}
    let id = device(0);
    console
        .board
        .verdict(&verdict(&id, "v1", 1, "raised", "HIGH"));
    console.board.risk(&risk(&id, 1, 80, Some("v1")));
    let first = listener.next();
    assert_eq!(
        (first.kind.as_str(), first.id.as_str()),
        ("verdict", "boot-1")
    );
    assert_eq!(first.data["verdict_id"], "v1");
    let second = listener.next();
    assert_eq!(
        (second.kind.as_str(), second.id.as_str()),
        ("risk", "boot-2")
    );
    assert_eq!(second.data["lamp"], "high");
    assert_eq!(second.data["score"], 80);
}

#[test]
fn the_end_of_a_verdict_comes_with_what_its_lamp_is_then() {
    let console = Console::new();
    let mut listener = Listener::of(&console, None);
    while listener.status()["clients"] != 1 {}
    let id = device(0);
    console
        .board
        .verdict(&verdict(&id, "v1", 1, "raised", "HIGH"));
    assert_eq!(listener.next().kind, "verdict");
    let mut over = verdict(&id, "v1", 2, "cleared", "HIGH");
    over.risk = andon_schemas::verdict::Risk::UNKNOWN;
    console.board.verdict(&over);
    assert_eq!(listener.next().data["state"], "cleared");
    let then = listener.next();
    assert_eq!(then.kind, "risk");
    // Silent for too long: its end is not its health.
    assert_eq!(then.data["lamp"], "unknown");
}

#[test]
fn whoever_follows_reads_all_again_when_the_plant_is_another() {
    let console = Console::new();
    let mut listener = Listener::of(&console, None);
    while listener.status()["clients"] != 1 {}
    let inventory = andon_schemas::builtin::inventory().unwrap();
    let enforce = andon_schemas::command::Mode::Enforce;
    console.board.change(&inventory, enforce);
    let event = listener.next();
    assert_eq!(
        (event.kind.as_str(), event.id.as_str()),
        ("reset", "boot-1")
    );
    assert_eq!(event.data["seq"], "boot-1");
    assert_eq!(console.get("/v1/plant").json()["mode"], "enforce");
}

#[test]
fn a_listener_that_comes_back_misses_nothing_and_hears_nothing_twice() {
    let console = Console::new();
    let id = device(0);
    let mut heard = Vec::new();
    let mut after = console.get("/v1/board").json()["seq"]
        .as_str()
        .unwrap()
        .to_owned();
    for round in 0..5_u8 {
        for step in 0..4 {
            console.board.risk(&risk(&id, 1, round * 4 + step, None));
        }
        let mut listener = Listener::of(&console, Some(&after));
        // It leaves in the middle of what there is.
        for _ in 0..3 {
            let event = listener.next();
            heard.push(event.data["score"].as_u64().unwrap());
            after = event.id;
        }
    }
    let mut listener = Listener::of(&console, Some(&after));
    for _ in 0..5 {
        heard.push(listener.next().data["score"].as_u64().unwrap());
    }
    assert_eq!(heard, (0..20).collect::<Vec<u64>>());
}

#[test]
fn who_asks_for_what_is_of_another_process_begins_anew() {
    let console = Console::new();
    let id = device(0);
    console.board.risk(&risk(&id, 1, 1, None));
    for lost in ["other-1", "boot-7", "nonsense"] {
        let mut listener = Listener::of(&console, Some(lost));
        let reset = listener.next();
        assert_eq!(
            (reset.kind.as_str(), reset.id.as_str()),
            ("reset", "boot-1")
        );
    }
    let mut listener = Listener::of(&console, Some("other-1"));
    assert_eq!(listener.next().kind, "reset");
    console.board.risk(&risk(&id, 2, 2, None));
    assert_eq!(listener.next().id, "boot-2");
}

#[test]
fn listeners_beyond_the_places_are_told_to_come_again_and_requests_are_answered() {
    let limits = Limits {
        places: 2,
        ..Limits::default()
    };
    let console = Console::of(limits, access(), 100);
    let mut listeners: Vec<_> = (0..100).map(|_| Listener::of(&console, None)).collect();
    let refused = console.get("/v1/events");
    refused.is_problem(503, "every place");
    assert_eq!(refused.header("retry-after"), Some("5"));
    let id = device(0);
    for score in 0..20 {
        console.board.risk(&risk(&id, 1, score, None));
        assert_eq!(
            console.get(&format!("/v1/risk/{id}")).json()["score"],
            score
        );
    }
    for listener in &mut listeners {
        let scores: Vec<_> = (0..20)
            .map(|_| listener.next().data["score"].as_u64())
            .collect();
        assert_eq!(scores, (0..20).map(Some).collect::<Vec<_>>());
    }
    drop(listeners.pop());
    // A place is free again once the server has noticed.
    while console.get("/v1/status").json()["clients"] == 100 {
        console.board.risk(&risk(&id, 2, 50, None));
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(Listener::of(&console, None));
}

#[test]
fn one_who_does_not_read_is_cut_off_and_counted_and_holds_nobody_up() {
    let limits = Limits {
        deaf_after: Duration::from_millis(300),
        ..Limits::default()
    };
    let console = Console::of(limits, access(), 4);
    let deaf = Listener::of(&console, None);
    let mut other = Listener::of(&console, None);
    let id = device(0);
    let mut long = verdict(&id, "v1", 1, "raised", "HIGH");
    long.sentence = "x".repeat(64 << 10);
    let mut revision = 0;
    while console.get("/v1/status").json()["slow_clients"] == 0 {
        revision += 1;
        long.revision = revision;
        console.board.verdict(&long);
        assert_eq!(other.next().data["revision"], revision);
    }
    assert_eq!(console.get("/v1/status").json()["clients"], 1);
    drop(deaf);
}

#[test]
fn one_who_falls_behind_what_is_kept_is_told_to_begin_anew() {
    let limits = Limits {
        deaf_after: 10 * LONG,
        ..Limits::default()
    };
    let console = Console::of(limits, access(), 4);
    let mut slow = Listener::of(&console, None);
    let id = device(0);
    let mut long = verdict(&id, "v1", 1, "raised", "HIGH");
    long.sentence = "x".repeat(1 << 20);
    // More than its socket and what is kept hold together.
    for revision in 1..=80 {
        long.revision = revision;
        console.board.verdict(&long);
        std::thread::sleep(Duration::from_millis(2));
    }
    let mut last = 0;
    loop {
        let event = slow.next();
        if event.kind == "reset" {
            break;
        }
        let revision = event.data["revision"].as_u64().unwrap();
        assert_eq!(revision, last + 1, "nothing is left out unsaid");
        last = revision;
    }
    assert!(last < 80);
    console.board.risk(&risk(&id, 2, 2, None));
    assert_eq!(slow.next().kind, "risk");
}

#[test]
fn the_end_of_the_server_ends_streams() {
    let console = Console::new();
    let mut listener = Listener::of(&console, None);
    let (board, runtime, running) = (console.board, console.runtime, console.running);
    runtime.block_on(running.shutdown(LONG));
    let mut line = String::new();
    while listener.lines.read_line(&mut line).unwrap() > 0 {}
    drop(board);
}
