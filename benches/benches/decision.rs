//! Decisions at 50,000 devices: what the decision point of a run takes for one, the look-up of the
//! risk and its line in the audit included, and what a client waits for it over HTTP, while risks
//! change. Server and clients share the machine; nothing is asked faster than it is answered.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use andon::pdp::{Audit, AuditSettings, Parts, Point, Policies};
use andon_benches::{Sheet, Stage};
use andon_console::{
    Access, Board, DecisionPoint, Health, Heard, Metrics, Offers, RiskFeed, Running, Server,
};
use andon_schemas::command::Mode;
use andon_schemas::inventory::{Device, Function};
use andon_schemas::time::{EventTime, Span};
use andon_schemas::verdict::Risk;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

const DEVICES: usize = 50_000;
/// So many are decided one after another, and as many over HTTP.
const DECISIONS: usize = 20_000;
/// Whoever asks over HTTP, each on a connection that is kept.
const CLIENTS: usize = 2;
/// So many risks change in a second meanwhile.
const CHANGES_PER_SECOND: u32 = 1_000;
const LONGEST_NS: u64 = 60_000_000_000;
const GOAL: &str = "< 5 ms (goal < 1 ms)";

fn main() -> Result<(), String> {
    let stage = Stage::new(DEVICES)?;
    let inventory = stage.plant.inventory();
    let devices: Vec<&Device> = inventory
        .devices
        .iter()
        .filter(|device| device.function == Function::Device)
        .collect();
    let board = Board::new(inventory, Mode::Monitor, "bench", "bench");
    board.hear((0..devices.len()).map(|place| heard(devices[place], place)));
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let health = Health::new(&[], Duration::from_secs(3_600));
    let metrics = Metrics::new("bench");
    let point = point(&stage, &board, &health, &metrics, folder.path())?;
    let runtime = Runtime::new().map_err(|e| e.to_string())?;
    let running = serve(&board, health, metrics, &point, &runtime)?;
    let questions: Vec<Value> = devices.iter().map(|device| question(device)).collect();
    let mut sheet = Sheet::new("decisions, 50,000 devices, server and clients on one machine");
    let done = AtomicBool::new(false);
    let measured = std::thread::scope(|scope| {
        scope.spawn(|| change(&board, &devices, &done));
        let measured = measure(&mut sheet, &*point, &questions, running.local_addr());
        done.store(true, Ordering::Relaxed);
        measured
    });
    measured?;
    sheet.print();
    runtime.block_on(running.shutdown(Duration::from_secs(1)));
    Ok(())
}

fn point(
    stage: &Stage,
    board: &Board,
    health: &Health,
    metrics: &Metrics,
    folder: &Path,
) -> Result<Arc<Point>, String> {
    let audit = AuditSettings {
        path: folder.join("decisions.jsonl"),
        bytes_max: 100_000_000,
        keep: 1,
    };
    let parts = Parts {
        policies: Policies::builtin().map_err(|e| format!("{e:#}"))?,
        feed: RiskFeed::new(board.clone(), health.clone()),
        audit: Some(Audit::start(&audit).map_err(|e| format!("{e:#}"))?),
        metrics: metrics.decisions().clone(),
        real_time: true,
        boot: "bench".to_owned(),
    };
    let point = Point::new(parts, stage.plant.inventory(), &stage.profiles);
    point.map(Arc::new).map_err(|e| format!("{e:#}"))
}

fn serve(
    board: &Board,
    health: Health,
    metrics: Metrics,
    point: &Arc<Point>,
    runtime: &Runtime,
) -> Result<Running, String> {
    let offers = Offers {
        bundles: None,
        signals: None,
        decisions: Some(Arc::clone(point) as Arc<dyn DecisionPoint>),
    };
    let access = Access {
        requests_per_second: Some(1_000_000),
        ..Access::default()
    };
    let server = Server::bind("127.0.0.1:0", health, metrics).map_err(|e| e.to_string())?;
    let server = server.offering(offers).telling(board.clone(), access);
    let server = server.map_err(|e| e.to_string())?;
    server.spawn(runtime.handle()).map_err(|e| e.to_string())
}

/// A risk that changes with the number.
fn heard(device: &Device, number: usize) -> Heard {
    let seconds = i64::try_from(number).unwrap_or(0);
    let at = EventTime::from_micros(1_765_500_000_000_000) + Span::from_secs(seconds);
    Heard {
        device_id: device.id.clone(),
        risk: Risk::of_score(u8::try_from(number % 95).unwrap_or(0)),
        last_seen: at,
        at,
        open: None,
    }
}

/// Changes risks until it is told to stop.
fn change(board: &Board, devices: &[&Device], done: &AtomicBool) {
    let mut number = devices.len();
    while !done.load(Ordering::Relaxed) {
        board.hear([heard(devices[number * 7 % devices.len()], number)]);
        number += 1;
        std::thread::sleep(Duration::from_secs(1) / CHANGES_PER_SECOND);
    }
}

fn question(device: &Device) -> Value {
    json!({
        "device": {
            "id": device.id, "authenticated": true, "address": device.addresses.first(),
        },
        "attestation": { "state": "good" },
        "request": {
            "resource": "telemetry", "action": "write",
            "address": "10.6.0.13", "transport": "tcp", "port": 8_883,
        },
    })
}

fn measure(
    sheet: &mut Sheet,
    point: &dyn DecisionPoint,
    questions: &[Value],
    address: SocketAddr,
) -> Result<(), String> {
    let mut alone = histogram()?;
    for number in 0..DECISIONS {
        let question = far(questions, number).clone();
        let began = Instant::now();
        point.decide("bench", question)?;
        alone.saturating_record(nanos(began.elapsed()));
    }
    quantiles(sheet, "decision, with risk and audit", &alone, GOAL);
    let mut all = histogram()?;
    std::thread::scope(|scope| -> Result<(), String> {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| scope.spawn(move || ask(client, questions, address)))
            .collect();
        for client in clients {
            let latency = client.join().map_err(|_| "a client ended by a panic")?;
            all.add(latency?).map_err(|e| e.to_string())?;
        }
        Ok(())
    })?;
    quantiles(sheet, "the same over HTTP, two clients", &all, GOAL);
    Ok(())
}

/// Devices far from each other, so that nothing is at hand.
fn far(questions: &[Value], number: usize) -> &Value {
    &questions[number * 7_919 % questions.len()]
}

fn ask(client: usize, questions: &[Value], address: SocketAddr) -> Result<Histogram<u64>, String> {
    let mut latency = histogram()?;
    let mut stream = TcpStream::connect(address).map_err(|e| e.to_string())?;
    stream.set_nodelay(true).map_err(|e| e.to_string())?;
    let mut buffer = vec![0; 16 << 10];
    for number in 0..DECISIONS / CLIENTS {
        let body = far(questions, number * CLIENTS + client).to_string();
        let request = format!(
            "POST /v1/decision HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let began = Instant::now();
        stream
            .write_all(request.as_bytes())
            .map_err(|e| e.to_string())?;
        answer(&mut stream, &mut buffer)?;
        latency.saturating_record(nanos(began.elapsed()));
    }
    Ok(latency)
}

/// Reads one answer, and insists that it is one.
fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<(), String> {
    let mut filled = 0;
    loop {
        let read = stream
            .read(&mut buffer[filled..])
            .map_err(|e| e.to_string())?;
        if read == 0 {
            return Err("the server hung up".to_owned());
        }
        filled += read;
        if is_whole(&buffer[..filled]) {
            break;
        }
    }
    if buffer.starts_with(b"HTTP/1.1 200") {
        return Ok(());
    }
    let head = String::from_utf8_lossy(&buffer[..filled.min(80)]).into_owned();
    Err(format!("unexpected answer: {head}"))
}

/// Whether an answer is there as long as it says that it is.
fn is_whole(so_far: &[u8]) -> bool {
    let text = String::from_utf8_lossy(so_far);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().ok())?
    });
    length.is_some_and(|length| body.len() >= length)
}

fn histogram() -> Result<Histogram<u64>, String> {
    Histogram::new_with_bounds(1, LONGEST_NS, 3).map_err(|e| e.to_string())
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn quantiles(sheet: &mut Sheet, what: &str, latency: &Histogram<u64>, goal: &str) {
    for (name, quantile) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
        let micros = latency.value_at_quantile(quantile) / 1_000;
        let goal = if name == "p99" { goal } else { "" };
        sheet.figure(&format!("{what}, {name}"), &format!("{micros} µs"), goal);
    }
}
