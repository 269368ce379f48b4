//! The network between a process and a broker, with all that happens to networks: a proxy that ends
//! connections, loses what goes one way or both, lets the other side vanish, or is slow.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::requests::{Requests, Wanted};

/// How long nothing may come before it is looked whether the line is still the same.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Below those that `docker/kafka/broker` takes.
const PORTS_FROM: u32 = 12_000;
const PORTS: u32 = 8_000;

/// How the line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Everything passes.
    Whole,
    /// Every connection ends, and new ones are refused.
    Cut,
    /// What goes one way is lost, or both, and sent again by TCP when the line is whole again.
    Lossy(Ways),
    /// The other side is gone without a word. What is sent is swallowed, and those connections stay
    /// so when the line is whole again: nobody is left who knows of them.
    Vanished,
    /// So many bytes go at a time, and are under way for so long.
    Slow(usize, Duration),
}

/// What is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ways {
    /// What the process sends; what the broker sends comes through.
    Out,
    /// What the broker sends.
    Back,
    Both,
}

/// The line as it is, and what happened to it that a connection does not outlive.
struct State {
    line: Line,
    ended: bool,
    broker: String,
    cuts: u64,
    vanishings: u64,
    /// What is waited for, and how the line is from then on.
    trap: Option<(Wanted, Line)>,
}

/// When a connection began, in those counts.
#[derive(Clone, Copy)]
struct Birth {
    cuts: u64,
    vanishings: u64,
}

/// What becomes of bytes.
enum Fate {
    Pass,
    Crawl(usize, Duration),
    Wait,
    Swallow,
    End,
}

/// A network; everything ends when it is dropped.
pub(crate) struct Network {
    state: Arc<Mutex<State>>,
    address: String,
    thread: Option<JoinHandle<()>>,
}

impl Network {
    /// One that leads nowhere yet.
    pub(crate) fn new() -> Self {
        let listener = listener();
        let state = Arc::new(Mutex::new(State {
            line: Line::Whole,
            ended: false,
            broker: String::new(),
            cuts: 0,
            vanishings: 0,
            trap: None,
        }));
        let address = listener.local_addr().unwrap().to_string();
        let (shared, port) = (state.clone(), address.clone());
        Self {
            state,
            address,
            thread: Some(thread::spawn(move || serve(&shared, listener, &port))),
        }
    }

    /// Where a process finds it.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// It leads to this broker.
    pub(crate) fn lead_to(&self, broker: &str) {
        broker.clone_into(&mut locked(&self.state).broker);
    }

    /// The line is like this from now on.
    pub(crate) fn set(&self, line: Line) {
        let mut state = locked(&self.state);
        state.trap = None;
        state.turn(line);
    }

    /// The line is like this from the next such request on, which is the first that it happens to.
    pub(crate) fn set_at(&self, request: Wanted, line: Line) {
        locked(&self.state).trap = Some((request, line));
    }

    /// Whether such a request has come.
    pub(crate) fn is_sprung(&self) -> bool {
        locked(&self.state).trap.is_none()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        locked(&self.state).ended = true;
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join().is_ok();
        }
    }
}

impl State {
    fn turn(&mut self, line: Line) {
        self.cuts += u64::from(line == Line::Cut);
        self.vanishings += u64::from(line == Line::Vanished);
        self.line = line;
    }

    /// When a connection begins that begins now. One to a side that has vanished is no better than
    /// those from before.
    fn birth(&self) -> Birth {
        Birth {
            cuts: self.cuts,
            vanishings: self.vanishings - u64::from(self.line == Line::Vanished),
        }
    }

    fn fate(&self, birth: Birth, way: Ways) -> Fate {
        if self.ended || self.cuts > birth.cuts {
            return Fate::End;
        }
        if self.vanishings > birth.vanishings {
            return Fate::Swallow;
        }
        match self.line {
            Line::Lossy(lost) if lost == way || lost == Ways::Both => Fate::Wait,
            Line::Slow(bytes, pause) => Fate::Crawl(bytes, pause),
            _ => Fate::Pass,
        }
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// On a port that no client is given for its own end: while the line is cut, nobody listens there,
/// and a client that tries again and again would meet itself. Nor does another network get it then.
fn listener() -> TcpListener {
    static TRIED: AtomicU32 = AtomicU32::new(0);
    loop {
        let tried = TRIED.fetch_add(1, Ordering::Relaxed);
        assert!(tried < PORTS, "no port is free");
        // Tests in other processes begin somewhere else.
        let port = PORTS_FROM + (std::process::id() * 16 + tried) % PORTS;
        let port = u16::try_from(port).unwrap();
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return listener;
        }
    }
}

/// Takes connections while the line is not cut.
fn serve(state: &Arc<Mutex<State>>, listener: TcpListener, address: &str) {
    let mut listener = Some(listener);
    loop {
        let (line, ended) = {
            let state = locked(state);
            (state.line, state.ended)
        };
        if ended {
            return;
        }
        if line == Line::Cut {
            listener = None;
        } else if listener.is_none() {
            listener = TcpListener::bind(address).ok();
        }
        let accepted = listener.as_ref().and_then(|listener| {
            listener.set_nonblocking(true).unwrap();
            listener.accept().ok()
        });
        match accepted {
            Some((process, _)) => connect(state, process),
            None => thread::sleep(LOOK_EVERY),
        }
    }
}

fn connect(state: &Arc<Mutex<State>>, process: TcpStream) {
    let (birth, broker) = {
        let state = locked(state);
        (state.birth(), state.broker.clone())
    };
    // One whose broker is gone ends at once.
    let Ok(broker) = TcpStream::connect(broker) else {
        return;
    };
    for end in [&process, &broker] {
        end.set_nonblocking(false).unwrap();
        end.set_nodelay(true).unwrap();
        end.set_read_timeout(Some(LOOK_EVERY)).unwrap();
        end.set_write_timeout(Some(LOOK_EVERY)).unwrap();
    }
    let (process, broker) = (Arc::new(process), Arc::new(broker));
    let carry = |from: &Arc<TcpStream>, to: &Arc<TcpStream>, way| Carrier {
        state: state.clone(),
        birth,
        way,
        from: from.clone(),
        to: to.clone(),
    };
    let out = carry(&process, &broker, Ways::Out);
    let back = carry(&broker, &process, Ways::Back);
    thread::spawn(move || out.run());
    thread::spawn(move || back.run());
}

/// Carries what goes one way on one connection.
struct Carrier {
    state: Arc<Mutex<State>>,
    birth: Birth,
    way: Ways,
    from: Arc<TcpStream>,
    to: Arc<TcpStream>,
}

impl Carrier {
    fn fate(&self) -> Fate {
        locked(&self.state).fate(self.birth, self.way)
    }

    fn run(&self) {
        let mut requests = Requests::default();
        let mut buffer = [0; 16_384];
        loop {
            let (most, pause) = match self.fate() {
                Fate::Crawl(bytes, pause) => (bytes, pause),
                Fate::End => return self.end(),
                _ => (buffer.len(), Duration::ZERO),
            };
            let read = match (&*self.from).read(&mut buffer[..most]) {
                Ok(0) => return self.ended(),
                Ok(read) => read,
                Err(error) if is_timeout(&error) => continue,
                Err(_) => return self.ended(),
            };
            if self.way == Ways::Out {
                requests.pass(&buffer[..read], |head| self.look_at(head));
            }
            thread::sleep(pause);
            if !self.deliver(&buffer[..read]) {
                return self.end();
            }
        }
    }

    /// Whether what is waited for has come.
    fn look_at(&self, head: &[u8]) {
        let mut state = locked(&self.state);
        if let Some((wanted, line)) = state.trap.take() {
            if wanted.is(head) {
                state.turn(line);
            } else {
                state.trap = Some((wanted, line));
            }
        }
    }

    /// Hands bytes on, as soon as they pass. `false` if the connection is over.
    fn deliver(&self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            match self.fate() {
                Fate::End => return false,
                Fate::Swallow => return true,
                Fate::Wait => thread::sleep(LOOK_EVERY),
                Fate::Pass | Fate::Crawl(..) => match (&*self.to).write(bytes) {
                    Ok(written) => bytes = &bytes[written..],
                    Err(error) if is_timeout(&error) => {}
                    Err(_) => return false,
                },
            }
        }
        true
    }

    /// One side has nothing more to say. The other hears of it, but not from one that has vanished,
    /// and not before the line lets it pass.
    fn ended(&self) {
        loop {
            match self.fate() {
                Fate::End => return self.end(),
                Fate::Swallow | Fate::Wait => thread::sleep(LOOK_EVERY),
                Fate::Pass | Fate::Crawl(..) => {
                    let _told = self.to.shutdown(Shutdown::Write).is_ok();
                    return;
                }
            }
        }
    }

    fn end(&self) {
        for end in [&self.from, &self.to] {
            let _ended = end.shutdown(Shutdown::Both).is_ok();
        }
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
