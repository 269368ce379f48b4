//! A connection of our own to a receiver, over TLS or not; every wait on it has an end.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

/// While TLS is agreed on it is looked this often whether that goes on for too long.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A connection.
#[derive(Debug)]
pub(crate) enum Connection {
    /// As it is.
    Plain(TcpStream),
    /// Over TLS.
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Connection {
    /// To `host:port`. `patience` is for each address of the host, and for each wait from then on.
    pub(crate) fn open(address: &str, patience: Duration) -> io::Result<Self> {
        let mut reached = Err(io::Error::from(io::ErrorKind::NotFound));
        for one in address.to_socket_addrs()? {
            reached = TcpStream::connect_timeout(&one, patience);
            if reached.is_ok() {
                break;
            }
        }
        let socket = reached?;
        socket.set_nodelay(true)?;
        let connection = Self::Plain(socket);
        connection.wait_at_most(patience)?;
        Ok(connection)
    }

    /// So much patience is for each wait from here on.
    pub(crate) fn wait_at_most(&self, patience: Duration) -> io::Result<()> {
        self.socket().set_write_timeout(Some(patience))?;
        self.socket().set_read_timeout(Some(patience))
    }

    /// The same connection over TLS, with the host of this address at its other end. `goes_on` is
    /// asked again and again, also while the other end says a little at a time, and ends it.
    pub(crate) fn secured(
        self,
        tls: &Arc<ClientConfig>,
        address: &str,
        goes_on: &dyn Fn() -> io::Result<()>,
    ) -> io::Result<Self> {
        let socket = match self {
            Self::Plain(socket) => socket,
            secure @ Self::Tls(_) => return Ok(secure),
        };
        let host = host_of(address).to_owned();
        let (reads, writes) = (socket.read_timeout()?, socket.write_timeout()?);
        socket.set_read_timeout(Some(LOOK_EVERY))?;
        socket.set_write_timeout(Some(LOOK_EVERY))?;
        let name = ServerName::try_from(host).map_err(io::Error::other)?;
        let mut session = ClientConnection::new(tls.clone(), name).map_err(io::Error::other)?;
        let mut watched = Watched {
            socket: &socket,
            goes_on,
        };
        while session.is_handshaking() {
            session.complete_io(&mut watched)?;
        }
        socket.set_read_timeout(reads)?;
        socket.set_write_timeout(writes)?;
        Ok(Self::Tls(Box::new(StreamOwned::new(session, socket))))
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => &stream.sock,
        }
    }
}

/// What `secured` asks whether it goes on, for somebody with so much patience for all of it.
pub(crate) fn within(patience: Duration) -> impl Fn() -> io::Result<()> {
    let until = Instant::now() + patience;
    move || {
        if Instant::now() < until {
            return Ok(());
        }
        Err(impatient(io::ErrorKind::TimedOut.into(), patience))
    }
}

/// A socket on which nobody waits for longer than it is to go on.
struct Watched<'a> {
    socket: &'a TcpStream,
    goes_on: &'a dyn Fn() -> io::Result<()>,
}

impl Watched<'_> {
    fn move_on(
        &mut self,
        mut step: impl FnMut(&mut &TcpStream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        loop {
            (self.goes_on)()?;
            match step(&mut self.socket) {
                Err(error) if is_wait(error.kind()) => {}
                moved => return moved,
            }
        }
    }
}

fn is_wait(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

impl Read for Watched<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.move_on(|socket| socket.read(bytes))
    }
}

impl Write for Watched<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.move_on(|socket| socket.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        // A socket keeps nothing back.
        Ok(())
    }
}

/// What an end of patience is called, which systems call a resource that is not available.
pub(crate) fn impatient(error: io::Error, patience: Duration) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => io::Error::new(
            io::ErrorKind::TimedOut,
            format!("it does not answer within {patience:?}"),
        ),
        _ => error,
    }
}

/// The host of `host:port`, a literal of IPv6 without its brackets.
pub(crate) fn host_of(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}

impl Read for Connection {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(bytes),
            Self::Tls(stream) => stream.read(bytes),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
