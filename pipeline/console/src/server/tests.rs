//! The server over real sockets.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use tokio::runtime::Runtime;

use super::{Limits, Running, Server};
use crate::health::{Clock, Health};
use crate::metrics::Metrics;
use crate::probe::{NotReady, check_ready};

/// Long enough for a machine that is busy with other things, and shorter than the 30 s after which
/// hyper would end a silent connection by itself.
const LONG: Duration = Duration::from_secs(20);

struct Console {
    health: Health,
    running: Running,
    runtime: Runtime,
}

impl Console {
    fn waiting_for(conditions: &[(&'static str, &str)]) -> Self {
        Self::of(Health::new(conditions, LONG), Limits::default())
    }

    fn of(health: Health, limits: Limits) -> Self {
        let runtime = Runtime::new().unwrap();
        let metrics = Metrics::new("1.2.3");
        let mut server = Server::bind("127.0.0.1:0", health.clone(), metrics).unwrap();
        server.limits = limits;
        let running = server.spawn(runtime.handle()).unwrap();
        Self {
            health,
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
    fn ask(&self, method: &str, path: &str) -> String {
        let mut stream = self.connect();
        let request = format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn get(&self, path: &str) -> (u16, serde_json::Value) {
        let answer = self.ask("GET", path);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (status(head), serde_json::from_str(body).unwrap())
    }
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Whether the other side has closed, once it has.
fn is_closed(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => true,
        Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
    }
}

/// Asks on a connection that is kept.
fn ask_and_stay(stream: &mut TcpStream) -> u16 {
    stream
        .write_all(b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    let mut byte = [0];
    while !answer.ends_with('}') {
        stream.read_exact(&mut byte).unwrap();
        answer.push(char::from(byte[0]));
    }
    status(&answer)
}

#[test]
fn readiness_names_each_condition_that_does_not_hold() {
    let console = Console::waiting_for(&[("kafka", "not reached yet"), ("partitions", "none")]);
    console.health.ready("partitions");
    let (code, body) = console.get("/health/ready");
    assert_eq!((code, &body["ready"]), (503, &false.into()));
    assert_eq!(body["unmet"].as_array().unwrap().len(), 1);
    assert_eq!(body["unmet"][0]["condition"], "kafka");
    assert_eq!(body["unmet"][0]["reason"], "not reached yet");
    let since = body["unmet"][0]["since"].as_str().unwrap();
    assert!(
        andon_schemas::time::EventTime::parse(since).is_ok(),
        "{since}"
    );

    console.health.ready("kafka");
    let (code, body) = console.get("/health/ready");
    assert_eq!((code, &body["ready"]), (200, &true.into()));
}

#[test]
fn liveness_follows_the_main_loop_and_not_the_socket() {
    let minutes = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let hands = std::sync::Arc::clone(&minutes);
    let clock = Clock::from_fn(move || {
        Duration::from_secs(60 * hands.load(std::sync::atomic::Ordering::Relaxed))
    });
    let health = Health::with_clock(&[], Duration::from_secs(30), clock);
    let console = Console::of(health, Limits::default());
    assert_eq!(console.get("/health/live").0, 200);
    minutes.store(1, std::sync::atomic::Ordering::Relaxed);
    let (code, body) = console.get("/health/live");
    assert_eq!((code, &body["live"]), (503, &false.into()));
    assert_eq!(console.get("/health/ready").0, 503);
    assert!(console.ask("GET", "/metrics").contains("\nandon_ready 0\n"));
    console.health.beat();
    assert_eq!(console.get("/health/live").0, 200);
}

#[test]
fn metrics_are_open_metrics_text() {
    let console = Console::waiting_for(&[]);
    let answer = console.ask("GET", "/metrics");
    assert_eq!(status(&answer), 200);
    let kind = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n";
    assert!(answer.contains(kind), "{answer}");
    assert!(answer.contains("\nandon_ready 1\n"), "{answer}");
    assert!(answer.ends_with("# EOF\n"), "{answer}");
}

#[test]
fn a_head_request_gets_the_head_only() {
    let console = Console::waiting_for(&[("kafka", "not reached yet")]);
    for (path, code) in [
        ("/health/live", 200),
        ("/health/ready", 503),
        ("/metrics", 200),
    ] {
        let answer = console.ask("HEAD", path);
        assert_eq!(status(&answer), code, "{path}");
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    }
}

#[test]
fn what_is_not_there_or_not_possible_is_a_problem_document() {
    let console = Console::waiting_for(&[]);
    for (method, path, code) in [
        ("GET", "/nowhere", 404),
        // The page belongs to a plant, and nobody tells of one here.
        ("GET", "/", 404),
        ("POST", "/health/live", 405),
        ("DELETE", "/metrics", 405),
    ] {
        let answer = console.ask(method, path);
        assert_eq!(status(&answer), code, "{answer}");
        assert!(
            answer.contains("content-type: application/problem+json\r\n"),
            "{answer}"
        );
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let problem: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(problem["status"], code);
        assert_eq!(problem["type"], "about:blank");
        assert!(
            problem["detail"].as_str().unwrap().contains(path),
            "{problem}"
        );
        assert_eq!(code == 405, head.contains("allow: GET,HEAD"), "{head}");
    }
}

#[test]
fn an_address_in_use_is_named_in_the_error() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = Server::bind(&address, Health::new(&[], LONG), Metrics::new("1")).unwrap_err();
    assert!(error.to_string().contains(&address), "{error}");
    assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
    assert!(Server::bind("no address", Health::new(&[], LONG), Metrics::new("1")).is_err());
}

#[test]
fn a_silent_connection_ends() {
    let limits = Limits {
        request_within: Duration::from_millis(100),
        ..Limits::default()
    };
    let console = Console::of(Health::new(&[], LONG), limits);
    let mut silent = console.connect();
    let mut slow = console.connect();
    slow.write_all(b"GET /health/live HTTP/1.1\r\nHo").unwrap();
    let mut idle = console.connect();
    assert_eq!(ask_and_stay(&mut idle), 200);
    for stream in [&mut silent, &mut slow, &mut idle] {
        assert!(is_closed(stream));
    }
}

/// Two places, and nobody leaves them by himself.
fn narrow() -> Limits {
    Limits {
        places: 2,
        request_within: 4 * LONG,
        patience: Duration::from_millis(10),
        end_within: Duration::from_millis(10),
        ..Limits::default()
    }
}

#[test]
fn idle_connections_make_place_for_a_newcomer() {
    let console = Console::of(Health::new(&[], LONG), narrow());
    let mut idle: Vec<TcpStream> = (0..2).map(|_| console.connect()).collect();
    for stream in &mut idle {
        assert_eq!(ask_and_stay(stream), 200);
    }
    assert_eq!(console.get("/health/live").0, 200);
    assert!(idle.iter_mut().all(is_closed));
}

#[test]
fn those_who_never_finish_asking_or_never_read_make_place_too() {
    let console = Console::of(Health::new(&[], LONG), narrow());
    let mut slow = console.connect();
    slow.write_all(b"GET /health/live HTTP/1.1\r\nHo").unwrap();
    let deaf = console.connect();
    deaf.set_write_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    // Asks until the server, which cannot send its answers, takes no more questions.
    let request = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
    while (&deaf).write_all(request).is_ok() {}
    assert_eq!(console.get("/health/live").0, 200);
    assert!(is_closed(&mut slow));
}

#[test]
fn many_clients_at_once_are_all_answered() {
    let console = Console::of(Health::new(&[], LONG), narrow());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(status(&console.ask("GET", "/health/live")), 200);
                }
            });
        }
    });
}

#[test]
fn what_is_not_http_does_no_harm() {
    let console = Console::waiting_for(&[]);
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(1 << 20));
    for bytes in [
        b"\0\xff\x16\x03\x01".as_slice(),
        b"GET\r\n\r\n\r\n",
        long.as_bytes(),
    ] {
        let mut stream = console.connect();
        // The server may hang up before it has taken everything.
        let _taken = stream.write_all(bytes).is_ok();
        assert!(is_closed(&mut stream));
    }
    assert_eq!(console.get("/health/live").0, 200);
}

#[test]
fn shutdown_lets_nobody_in_and_does_not_wait_for_idle_clients() {
    let console = Console::waiting_for(&[]);
    let address = console.address();
    let mut idle = console.connect();
    assert_eq!(ask_and_stay(&mut idle), 200);
    console.runtime.block_on(console.running.shutdown(LONG));
    assert!(is_closed(&mut idle));
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn shutdown_cuts_what_does_not_end_in_time() {
    let console = Console::of(
        Health::new(&[], LONG),
        Limits {
            end_within: 4 * LONG,
            ..narrow()
        },
    );
    let mut slow = console.connect();
    slow.write_all(b"GET /health/live HTTP/1.1\r\nHo").unwrap();
    assert_eq!(console.get("/health/live").0, 200);
    console
        .runtime
        .block_on(console.running.shutdown(Duration::from_millis(50)));
    assert!(is_closed(&mut slow));
}

#[test]
fn the_probe_tells_ready_from_not_ready_and_why() {
    let console = Console::waiting_for(&[("kafka", "not reached yet"), ("partitions", "none")]);
    let address = console.address().to_string();
    let refused = check_ready(&address, LONG).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "not ready: kafka: not reached yet; partitions: none"
    );
    console.health.ready("kafka");
    console.health.ready("partitions");
    check_ready(&address, LONG).unwrap();
    let everywhere = format!("0.0.0.0:{}", console.address().port());
    check_ready(&everywhere, LONG).unwrap();
}

#[test]
fn the_probe_gives_up_on_the_deaf_and_on_strangers() {
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = deaf.local_addr().unwrap().to_string();
    let gave_up = check_ready(&address, Duration::from_millis(50)).unwrap_err();
    assert!(matches!(gave_up, NotReady::NoAnswer { .. }), "{gave_up}");
    assert!(gave_up.to_string().contains(&address), "{gave_up}");
    drop(deaf);
    let gave_up = check_ready(&address, LONG).unwrap_err();
    assert!(matches!(gave_up, NotReady::NoAnswer { .. }), "{gave_up}");

    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = stranger.local_addr().unwrap().to_string();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = stranger.accept().unwrap();
            let mut request = String::new();
            let mut byte = [0];
            // Closing before all of it is read would reset the connection.
            while !request.ends_with("\r\n\r\n") {
                stream.read_exact(&mut byte).unwrap();
                request.push(char::from(byte[0]));
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nhello").unwrap();
        });
        let strange = check_ready(&address, LONG).unwrap_err();
        assert!(matches!(strange, NotReady::Unexpected { .. }), "{strange}");
    });
}
