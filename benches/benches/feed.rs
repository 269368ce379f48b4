//! The risk feed at 50,000 devices: 10,000 look-ups a second, each timed from when it was due, while
//! risks change; and one change told to 1,000 listeners. Server and clients share the machine.
//!
//! A thousand listeners are two thousand sockets of one process: `ulimit -n 4096` before it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use andon_benches::{Sheet, Stage};
use andon_console::{Access, Board, Health, Metrics, Running, Server};
use andon_schemas::command::Mode;
use andon_schemas::identity::DeviceId;
use andon_schemas::inventory::Function;
use andon_schemas::time::{EventTime, Span};
use andon_schemas::verdict::{RISK_SCHEMA, Risk, RiskUpdate};
use hdrhistogram::Histogram;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

const DEVICES: usize = 50_000;
const LOOKUPS_PER_SECOND: u32 = 10_000;
const SECONDS: u32 = 10;
/// Each asks its share, on a connection that is kept.
const CLIENTS: u32 = 16;
/// So many risks change in a second meanwhile.
const CHANGES_PER_SECOND: u32 = 1_000;
const LISTENERS: usize = 1_000;
/// So many changes are told to every listener, one at a time.
const TOLD: usize = 100;
const TOLD_EVERY: Duration = Duration::from_millis(50);
/// Whoever has not heard by then has not heard at all.
const HEARD_WITHIN: Duration = Duration::from_secs(10);
const LONGEST_NS: u64 = 60_000_000_000;

fn main() -> Result<(), String> {
    let stage = Stage::new(DEVICES)?;
    let inventory = stage.plant.inventory();
    let ids: Vec<DeviceId> = inventory
        .devices
        .iter()
        .filter(|device| device.function == Function::Device)
        .map(|device| device.id.clone())
        .collect();
    let board = Board::new(inventory, Mode::Monitor, "bench", "bench");
    for (place, id) in ids.iter().enumerate() {
        board.risk(&update(id, place));
    }
    let runtime = Runtime::new().map_err(|e| e.to_string())?;
    let running = serve(&board, &runtime)?;
    let mut sheet = Sheet::new("risk feed, 50,000 devices, server and clients on one machine");
    lookups(&mut sheet, &board, &ids, running.local_addr())?;
    fan_out(&mut sheet, &board, &ids, running.local_addr(), &runtime)?;
    sheet.print();
    runtime.block_on(running.shutdown(Duration::from_secs(1)));
    Ok(())
}

fn serve(board: &Board, runtime: &Runtime) -> Result<Running, String> {
    let health = Health::new(&[], Duration::from_secs(3_600));
    let server = Server::bind("127.0.0.1:0", health, Metrics::new("bench"));
    let server = server.map_err(|e| e.to_string())?;
    let access = Access {
        requests_per_second: Some(1_000_000),
        ..Access::default()
    };
    let server = server.telling(board.clone(), access);
    let server = server.map_err(|e| e.to_string())?;
    server.spawn(runtime.handle()).map_err(|e| e.to_string())
}

/// A risk that changes with the number.
fn update(id: &DeviceId, number: usize) -> RiskUpdate {
    let seconds = i64::try_from(number).unwrap_or(0);
    RiskUpdate {
        schema: RISK_SCHEMA.to_owned(),
        device_id: id.clone(),
        site: "precision-parts".to_owned(),
        event_time: EventTime::from_micros(1_765_500_000_000_000) + Span::from_secs(seconds),
        risk: Risk::of_score(u8::try_from(number % 95).unwrap_or(0)),
        risk_class: None,
        verdict_id: None,
    }
}

fn histogram() -> Result<Histogram<u64>, String> {
    Histogram::new_with_bounds(1, LONGEST_NS, 3).map_err(|e| e.to_string())
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Asks at even distances, whatever the answers take, and counts from when a question was due.
fn lookups(
    sheet: &mut Sheet,
    board: &Board,
    ids: &[DeviceId],
    address: SocketAddr,
) -> Result<(), String> {
    let done = AtomicBool::new(false);
    let mut all = histogram()?;
    let begin = Instant::now() + Duration::from_millis(100);
    std::thread::scope(|scope| -> Result<(), String> {
        scope.spawn(|| change(board, ids, &done));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| scope.spawn(move || client(number, ids, address, begin)))
            .collect();
        let mut ended = Ok(());
        for client in clients {
            match client.join() {
                Ok(Ok(latency)) => all.add(latency).map_err(|e| e.to_string())?,
                Ok(Err(error)) => ended = Err(error),
                Err(_) => ended = Err("a client ended by a panic".to_owned()),
            }
        }
        done.store(true, Ordering::Relaxed);
        ended
    })?;
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let rate = all.len() as f64 / begin.elapsed().as_secs_f64();
    sheet.figure(
        "look-ups asked and answered",
        &format!("{rate:.0}/s"),
        "10,000/s",
    );
    quantiles(sheet, "look-up", &all, "< 1 ms");
    Ok(())
}

fn quantiles(sheet: &mut Sheet, what: &str, latency: &Histogram<u64>, goal: &str) {
    for (name, quantile) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
        let micros = latency.value_at_quantile(quantile) / 1_000;
        let goal = if name == "p99" { goal } else { "" };
        sheet.figure(&format!("{what}, {name}"), &format!("{micros} µs"), goal);
    }
}

/// Changes risks until it is told to stop.
fn change(board: &Board, ids: &[DeviceId], done: &AtomicBool) {
    let mut number = ids.len();
    while !done.load(Ordering::Relaxed) {
        board.risk(&update(&ids[number * 7 % ids.len()], number));
        number += 1;
        std::thread::sleep(Duration::from_secs(1) / CHANGES_PER_SECOND);
    }
}

fn client(
    number: u32,
    ids: &[DeviceId],
    address: SocketAddr,
    begin: Instant,
) -> Result<Histogram<u64>, String> {
    let mut latency = histogram()?;
    let mut stream = TcpStream::connect(address).map_err(|e| e.to_string())?;
    stream.set_nodelay(true).map_err(|e| e.to_string())?;
    let every = Duration::from_secs(1) * CLIENTS / LOOKUPS_PER_SECOND;
    let mut due = begin + every * number / CLIENTS;
    let mut place = number as usize * 31;
    let mut buffer = vec![0; 8 << 10];
    for _ in 0..LOOKUPS_PER_SECOND * SECONDS / CLIENTS {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        // Devices far from each other, so that nothing is at hand.
        place = (place + 7_919) % ids.len();
        let id = &ids[place];
        let request = format!("GET /v1/risk/{id} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream
            .write_all(request.as_bytes())
            .map_err(|e| e.to_string())?;
        answer(&mut stream, &mut buffer)?;
        latency.saturating_record(nanos(due.elapsed()));
        due += every;
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
        // The document is one object and nothing follows it.
        let so_far = &buffer[..filled];
        if so_far.ends_with(b"}") && so_far.windows(4).any(|four| four == b"\r\n\r\n") {
            break;
        }
    }
    if buffer.starts_with(b"HTTP/1.1 200") {
        return Ok(());
    }
    let head = String::from_utf8_lossy(&buffer[..filled.min(80)]).into_owned();
    Err(format!("unexpected answer: {head}"))
}

/// Tells changes to many listeners, and counts until each has heard of each.
fn fan_out(
    sheet: &mut Sheet,
    board: &Board,
    ids: &[DeviceId],
    address: SocketAddr,
    runtime: &Runtime,
) -> Result<(), String> {
    let (heard, mut news) = mpsc::unbounded_channel();
    for _ in 0..LISTENERS {
        let heard = heard.clone();
        runtime.block_on(async {
            let lines = listen(address)
                .await
                .map_err(|e| format!("a listener: {e}"))?;
            tokio::spawn(hear(lines, heard));
            Ok::<_, String>(())
        })?;
    }
    let mut latency = histogram()?;
    let mut missing = 0;
    for number in 0..TOLD {
        let told = Instant::now();
        board.risk(&update(&ids[number], 2 * ids.len() + number));
        missing += runtime.block_on(count(&mut news, told, &mut latency));
        std::thread::sleep(TOLD_EVERY);
    }
    let told = LISTENERS * TOLD - missing;
    let figure = format!("{told} of {}", LISTENERS * TOLD);
    sheet.figure("changes heard by 1,000 listeners", &figure, "all");
    quantiles(sheet, "change told to a listener", &latency, "");
    Ok(())
}

/// Counts who has heard of a change; returns how many have not in time.
async fn count(
    news: &mut mpsc::UnboundedReceiver<Instant>,
    told: Instant,
    latency: &mut Histogram<u64>,
) -> usize {
    for heard in 0..LISTENERS {
        match tokio::time::timeout(HEARD_WITHIN, news.recv()).await {
            Ok(Some(at)) => latency.saturating_record(nanos(at.saturating_duration_since(told))),
            _ => return LISTENERS - heard,
        }
    }
    0
}

type Lines = BufReader<tokio::net::TcpStream>;

async fn listen(address: SocketAddr) -> std::io::Result<Lines> {
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    let request = b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(request).await?;
    let mut lines = BufReader::new(stream);
    let mut line = String::new();
    // It is a listener from the greeting on.
    while !line.starts_with("retry:") {
        line.clear();
        if lines.read_line(&mut line).await? == 0 {
            return Err(std::io::Error::other("the server hung up"));
        }
    }
    Ok(lines)
}

/// Says when a change was heard of.
async fn hear(mut lines: Lines, heard: mpsc::UnboundedSender<Instant>) {
    let mut line = String::new();
    while lines.read_line(&mut line).await.is_ok_and(|read| read > 0) {
        if line == "event: risk\n" && heard.send(Instant::now()).is_err() {
            return;
        }
        line.clear();
    }
}
