//! Which application a flow carries, from the first bytes of its payloads, under the names that
//! Zeek and its ICS packages use. The port says where to look first and decides between forms
//! that many things could have; without a payload that fits, no name is given.

mod it;
mod ot;
mod tls;

use andon_schemas::observation::Transport;
use andon_schemas::protocol::REGISTRY;

/// How many payloads of each side are looked at.
const LOOKS_MAX: u8 = 8;

/// Most bytes of a greeting that is spread over several segments.
const GREETING_BYTES_MAX: usize = 4 << 10;

/// Whether this is a registered port of a server.
pub(super) fn is_registered(transport: Transport, port: u16) -> bool {
    REGISTRY
        .iter()
        .any(|known| known.ports.contains(&(transport, Some(port))))
}

/// A payload and where it was seen.
#[derive(Clone, Copy, Debug)]
struct Payload<'a> {
    bytes: &'a [u8],
    /// The server's port.
    port: u16,
    /// Whether the client sent it.
    asks: bool,
}

impl Payload<'_> {
    fn starts(&self, with: &[u8]) -> bool {
        self.bytes.starts_with(with)
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// Two bytes, the more significant first.
    fn big(&self, at: usize) -> Option<usize> {
        Some(usize::from(self.byte(at)?) << 8 | usize::from(self.byte(at + 1)?))
    }

    /// Two bytes, the less significant first.
    fn little(&self, at: usize) -> Option<usize> {
        Some(usize::from(self.byte(at + 1)?) << 8 | usize::from(self.byte(at)?))
    }

    fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// What has been found out about a flow's application.
#[derive(Debug, Default)]
pub(super) struct Naming {
    service: Option<&'static str>,
    looks: [u8; 2],
    /// The beginning of a TLS greeting whose end is still to come.
    greeting: Option<Vec<u8>>,
    server: Option<String>,
}

impl Naming {
    /// The name of the application, if it is known.
    pub(super) fn service(&self) -> Option<&'static str> {
        self.service
    }

    /// The name under which the originator asked for the responder.
    pub(super) fn server(&self) -> Option<&str> {
        self.server.as_deref()
    }

    /// Looks at a payload. `ports` are those of originator and responder; `asks` says that the
    /// originator sent it.
    pub(super) fn look(&mut self, transport: Transport, ports: [u16; 2], asks: bool, bytes: &[u8]) {
        if bytes.is_empty() || self.looks[usize::from(!asks)] >= LOOKS_MAX {
            return;
        }
        self.looks[usize::from(!asks)] += 1;
        // The transport of S7 is that of other things too: what it carries says more.
        if self.service.is_none() || self.service == Some("cotp") {
            let [originator, responder] = ports;
            let found = application(transport, responder, asks, bytes).or_else(|| {
                // Who opened it may have been taken wrongly, and a server may call back.
                is_registered(transport, originator)
                    .then(|| application(transport, originator, !asks, bytes))?
            });
            self.service = found.or(self.service);
        }
        if asks && self.server.is_none() {
            self.ask_for_server(bytes);
        }
    }

    fn ask_for_server(&mut self, bytes: &[u8]) {
        match self.service {
            Some("http") => self.server = it::http_host(bytes),
            Some("ssl") => {
                let mut greeting = self.greeting.take().unwrap_or_default();
                let room = GREETING_BYTES_MAX.saturating_sub(greeting.len());
                greeting.extend_from_slice(&bytes[..bytes.len().min(room)]);
                match tls::server_name(&greeting) {
                    tls::Found::Name(name) => self.server = Some(name),
                    tls::Found::Unfinished if greeting.len() < GREETING_BYTES_MAX => {
                        self.greeting = Some(greeting);
                    }
                    tls::Found::Unfinished | tls::Found::Nothing => {}
                }
            }
            _ => {}
        }
    }
}

/// The application of a payload to or from a server's port.
fn application(transport: Transport, port: u16, asks: bool, bytes: &[u8]) -> Option<&'static str> {
    let payload = Payload { bytes, port, asks };
    match transport {
        Transport::Tcp => ot::over_tcp(&payload).or_else(|| it::over_tcp(&payload)),
        Transport::Udp => ot::over_udp(&payload).or_else(|| it::over_udp(&payload)),
        Transport::Icmp | Transport::Other => None,
    }
}

/// A host name as a record carries it: lower case, without a final dot or a port, if it is one.
fn host_name(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?.trim();
    let text = text.split_once(':').map_or(text, |(host, _)| host);
    let text = text.strip_suffix('.').unwrap_or(text);
    let is_name = !text.is_empty()
        && text.len() <= 253
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    is_name.then(|| text.to_ascii_lowercase())
}
