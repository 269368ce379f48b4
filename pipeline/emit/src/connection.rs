//! A connection of our own to a receiver, over TLS or not; every wait on it has an end.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

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

    /// The same connection over TLS, with the host of this address at its other end.
    pub(crate) fn secured(self, tls: &Arc<ClientConfig>, address: &str) -> io::Result<Self> {
        let socket = match self {
            Self::Plain(socket) => socket,
            secure @ Self::Tls(_) => return Ok(secure),
        };
        let host = host_of(address).to_owned();
        let patience = socket.read_timeout()?.unwrap_or_default();
        let name = ServerName::try_from(host).map_err(io::Error::other)?;
        let session = ClientConnection::new(tls.clone(), name).map_err(io::Error::other)?;
        let mut stream = Box::new(StreamOwned::new(session, socket));
        while stream.conn.is_handshaking() {
            let moved = stream.conn.complete_io(&mut stream.sock);
            moved.map_err(|error| impatient(error, patience))?;
        }
        Ok(Self::Tls(stream))
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => &stream.sock,
        }
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
