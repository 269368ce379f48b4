//! Asks a running pipeline whether it is ready: what a container's health check calls, as an image
//! has no other HTTP client.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use serde::Deserialize;

/// More than any answer of ours.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Why a pipeline does not count as ready.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// It says so itself.
    #[error("not ready: {0}")]
    Unmet(String),
    /// Nobody listens there, or nobody answers in time.
    #[error("no answer from `{address}`: {source}")]
    NoAnswer {
        /// The address as it was given.
        address: String,
        /// Why not.
        source: io::Error,
    },
    /// Somebody else answers.
    #[error("unexpected answer from `{address}`: {answer:?}")]
    Unexpected {
        /// The address as it was given.
        address: String,
        /// How the answer begins.
        answer: String,
    },
}

/// Asks the pipeline whose console listens on `address`, and waits for the answer. An address that
/// stands for all of a machine's, such as `0.0.0.0:9184`, is asked on loopback.
///
/// # Errors
/// If it is not ready, or does not answer in time.
pub fn check_ready(address: &str, within: Duration) -> Result<(), NotReady> {
    let answer = ask(address, within).map_err(|source| NotReady::NoAnswer {
        address: address.to_owned(),
        source,
    })?;
    judge(&answer).unwrap_or_else(|| {
        Err(NotReady::Unexpected {
            address: address.to_owned(),
            answer: answer.chars().take(80).collect(),
        })
    })
}

fn ask(address: &str, within: Duration) -> io::Result<String> {
    let patience = Patience {
        begun: Instant::now(),
        within,
    };
    let mut stream = connect(address, &patience)?;
    // An answer to 1.0 comes in one piece and ends with the connection.
    let request = format!("GET /health/ready HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.set_write_timeout(Some(patience.left()?))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    while answer.len() < ANSWER_BYTES_MAX {
        stream.set_read_timeout(Some(patience.left()?))?;
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => answer.extend_from_slice(&chunk[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // What the system says of a read that took too long is `resource unavailable`.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(too_late()),
            Err(error) => return Err(error),
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// The first address that can be reached.
fn connect(address: &str, patience: &Patience) -> io::Result<TcpStream> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&reachable(address), patience.left()?) {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// How long is waited in all, whatever takes how much of it.
struct Patience {
    begun: Instant,
    within: Duration,
}

impl Patience {
    fn left(&self) -> io::Result<Duration> {
        let left = self.within.saturating_sub(self.begun.elapsed());
        if left.is_zero() {
            return Err(too_late());
        }
        Ok(left)
    }
}

fn too_late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "nothing came in time")
}

fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// What of the body of `/health/ready` is needed here.
#[derive(Deserialize)]
struct Body {
    ready: bool,
    unmet: Vec<Missing>,
}

#[derive(Deserialize)]
struct Missing {
    condition: String,
    reason: String,
}

/// `None` if the answer is not one of ours.
fn judge(answer: &str) -> Option<Result<(), NotReady>> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.get(2..5)?;
    let body: Body = serde_json::from_str(body).ok()?;
    match (status, body.ready) {
        ("200", true) => Some(Ok(())),
        ("503", false) => {
            let unmet: Vec<String> = body
                .unmet
                .iter()
                .map(|missing| format!("{}: {}", missing.condition, missing.reason))
                .collect();
            Some(Err(NotReady::Unmet(unmet.join("; "))))
        }
        _ => None,
    }
}
