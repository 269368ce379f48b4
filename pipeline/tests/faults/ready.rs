//! How long processes were ready, asked over HTTP as a load balancer would, and printed beside what
//! the plant asks for.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::kafka_plant::say;

const EVERY: Duration = Duration::from_millis(50);
/// A process that does not answer within this long is not ready.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);

#[derive(Default)]
struct State {
    /// Where to ask; one that is ready is enough.
    addresses: Vec<String>,
    /// Everything was taken away on purpose.
    outage: bool,
    /// It has been ready.
    begun: bool,
    ended: bool,
    ready: Duration,
    total: Duration,
}

/// Asks until it is dropped, then says how it went.
pub(crate) struct Watch {
    case: String,
    state: Arc<Mutex<State>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Nobody is asked yet.
    pub(crate) fn new(case: &str) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let asked = state.clone();
        Self {
            case: case.to_owned(),
            state,
            thread: Some(std::thread::spawn(move || watch(&asked))),
        }
    }

    /// These are asked from now on.
    pub(crate) fn ask(&self, addresses: &[&str]) {
        let mut state = self.state.lock().unwrap();
        state.addresses = addresses.iter().map(|&a| a.to_owned()).collect();
        state.outage = false;
    }

    /// From now until [`ask`](Self::ask) there is nothing that could be ready.
    pub(crate) fn outage(&self) {
        self.state.lock().unwrap().outage = true;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Ok(mut state) = self.state.lock() {
            state.ended = true;
        }
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join().is_ok();
        }
        if let Ok(state) = self.state.lock() {
            // The form is read by docker/faults.
            say(&format!(
                "availability {}: ready {} ms of {} ms",
                self.case,
                state.ready.as_millis(),
                state.total.as_millis()
            ));
        }
    }
}

fn watch(state: &Mutex<State>) {
    let mut last = Instant::now();
    loop {
        let addresses = {
            let state = state.lock().unwrap();
            if state.ended {
                return;
            }
            state.addresses.clone()
        };
        let is_ready = addresses.iter().any(|address| is_ready(address));
        std::thread::sleep(EVERY);
        let (passed, now) = (last.elapsed(), Instant::now());
        last = now;
        let mut state = state.lock().unwrap();
        state.begun |= is_ready;
        if state.begun && !state.outage {
            state.total += passed;
            if is_ready {
                state.ready += passed;
            }
        }
    }
}

/// Whether a process says that it is ready.
pub(crate) fn is_ready(address: &str) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        stream.write_all(b"GET /health/ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}
