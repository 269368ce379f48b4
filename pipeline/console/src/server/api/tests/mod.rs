//! The routes under `/v1` over real sockets, on the board of the demo plant.

mod access;
mod advisories;
mod offers;
mod plant;
mod profiles;
mod signals;
mod streams;
mod tls;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use andon_schemas::builtin;
use andon_schemas::command::Mode;
use andon_schemas::identity::DeviceId;
use andon_schemas::time::EventTime;
use andon_schemas::verdict::{RISK_SCHEMA, Risk, RiskUpdate, Verdict};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::access::{Access, Role, Token};
use crate::board::{Board, Heard};
use crate::health::Health;
use crate::metrics::Metrics;
use crate::server::{Limits, Offers, Running, Server};

const LONG: Duration = Duration::from_secs(20);
/// The token of the person at the machine.
const OPERATOR: &str = "andon_operator";

struct Console {
    board: Board,
    running: Running,
    runtime: Runtime,
}

impl Console {
    fn new() -> Self {
        Self::of(Limits::default(), access(), 1_024)
    }

    fn of(limits: Limits, access: Access, streams: usize) -> Self {
        Self::offering(limits, access, streams, Offers::default())
    }

    fn offering(limits: Limits, access: Access, streams: usize, offers: Offers) -> Self {
        let runtime = Runtime::new().unwrap();
        let inventory = builtin::inventory().unwrap();
        let board = Board::new(&inventory, Mode::Monitor, "1.2.3", "boot");
        let health = Health::new(&[], LONG);
        let mut server = Server::bind("127.0.0.1:0", health, Metrics::new("1.2.3")).unwrap();
        server.limits = limits;
        let server = server
            .offering(offers)
            .with_streams(board.clone(), access, streams)
            .unwrap();
        let running = server.spawn(runtime.handle()).unwrap();
        Self {
            board,
            running,
            runtime,
        }
    }

    fn address(&self) -> SocketAddr {
        self.running.local_addr()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream
    }

    /// The whole answer to one request on a connection of its own.
    fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let mut stream = self.connect();
        let length = body.len();
        let host = if headers.contains("Host:") {
            ""
        } else {
            "Host: localhost\r\n"
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\n{host}Connection: close\r\nContent-Length: {length}\r\n\
             {headers}\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        Answer::of(&String::from_utf8_lossy(&bytes))
    }

    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "", "")
    }

    fn post(&self, path: &str, headers: &str, body: &str) -> Answer {
        let headers = format!("Content-Type: application/json\r\n{headers}");
        self.ask("POST", path, &headers, body)
    }
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn of(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        Self {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_lowercase(),
            body: body.to_owned(),
        }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }

    /// It is a problem document of this status, which says this.
    fn is_problem(&self, status: u16, says: &str) {
        assert_eq!(self.status, status, "{}", self.body);
        assert!(self.head.contains("content-type: application/problem+json"));
        let problem = self.json();
        assert_eq!(problem["status"], status);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(says), "{detail}");
    }

    fn header(&self, name: &str) -> Option<&str> {
        let begin = format!("\r\n{name}: ");
        let rest = self.head.split(&begin).nth(1)?;
        rest.split("\r\n").next()
    }
}

fn access() -> Access {
    Access {
        operator: Some(Token::of_text(OPERATOR, "operator", Role::Admin)),
        ..Access::default()
    }
}

fn at(minute: i64) -> EventTime {
    EventTime::from_micros((1_765_000_000 + 60 * minute) * 1_000_000)
}

/// Some device of the plant, by its place in the list.
fn device(place: usize) -> DeviceId {
    let inventory = builtin::inventory().unwrap();
    let mut devices = inventory
        .devices
        .iter()
        .filter(|device| device.device_type.starts_with("cnc_controller"));
    devices.nth(place).unwrap().id.clone()
}

fn risk(device: &DeviceId, minute: i64, score: u8, verdict: Option<&str>) -> RiskUpdate {
    RiskUpdate {
        schema: RISK_SCHEMA.to_owned(),
        device_id: device.clone(),
        site: "precision-parts".to_owned(),
        event_time: at(minute),
        risk: Risk::of_score(score),
        risk_class: None,
        verdict_id: verdict.map(ToOwned::to_owned),
    }
}

fn heard(device: &DeviceId, minute: i64, risk: Risk) -> Heard {
    Heard {
        device_id: device.clone(),
        risk,
        last_seen: at(minute),
        at: at(minute),
        open: None,
    }
}

fn verdict(device: &DeviceId, id: &str, revision: u32, state: &str, grade: &str) -> Verdict {
    let time = at(i64::from(revision)).to_string();
    serde_json::from_value(json!({
        "schema": "andon.verdict.v1", "verdict_id": id, "revision": revision, "state": state,
        "device_id": device, "device_type": "cnc_controller", "segment": "cnc-safety",
        "risk_class": null, "site": "precision-parts", "event_time": at(0),
        "window": { "start": at(0), "end": time }, "grade": grade,
        "confidence": { "basis": "policy", "n": 0 },
        "risk": { "score": 95, "trust": 5, "band": "critical" }, "sentence": "It spoke.",
        "findings": [],
        "response": {
            "action": "quarantine", "mode": "monitor", "scope": [], "exceptions": [],
            "expires": null, "approval": "automatic", "note": "", "notify": [],
        },
        "profile": { "name": "", "version": "", "hash": "" },
    }))
    .unwrap()
}
