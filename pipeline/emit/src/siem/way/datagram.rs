//! Syslog over UDP (RFC 5426): a message is a datagram. Nobody says whether it came.

use std::net::{ToSocketAddrs as _, UdpSocket};

use andon_schemas::verdict::Verdict;

use crate::outlet::{Event, Trouble, Way};
use crate::siem::{Form, Writer, carried};

/// Sends datagrams.
#[derive(Debug)]
pub struct Datagrams {
    address: String,
    form: Form,
    writer: Writer,
    socket: Option<UdpSocket>,
}

impl Datagrams {
    /// To `host:port`; nothing is opened before something is sent.
    pub fn to(address: &str, form: Form, writer: Writer) -> Self {
        Self {
            address: address.to_owned(),
            form,
            writer: Writer {
                message_bytes_max: writer.message_bytes_max.min(Writer::DATAGRAM_BYTES_MAX),
                ..writer
            },
            socket: None,
        }
    }

    fn socket(&mut self) -> std::io::Result<&UdpSocket> {
        if self.socket.is_none() {
            let mut last = std::io::Error::from(std::io::ErrorKind::NotFound);
            for address in self.address.to_socket_addrs()? {
                let ours = if address.is_ipv4() {
                    "0.0.0.0:0"
                } else {
                    "[::]:0"
                };
                let opened = UdpSocket::bind(ours).and_then(|socket| {
                    socket.connect(address)?;
                    Ok(socket)
                });
                match opened {
                    Ok(socket) => return Ok(self.socket.insert(socket)),
                    Err(error) => last = error,
                }
            }
            return Err(last);
        }
        self.socket
            .as_ref()
            .ok_or_else(|| std::io::ErrorKind::NotConnected.into())
    }
}

impl Way<Verdict> for Datagrams {
    fn send(&mut self, event: &Event<'_, Verdict>) -> Result<(), Trouble> {
        let message = carried(self.form, event.item, &self.writer);
        let sent = self
            .socket()
            .and_then(|socket| socket.send(message.as_bytes()));
        if let Err(error) = sent {
            // The name may stand for another address by now.
            self.socket = None;
            let bytes = message.len();
            // EMSGSIZE: a datagram holds 65,507 bytes at most.
            if bytes > 65_507 {
                return Err(Trouble::Never(format!(
                    "{bytes} bytes do not fit into a datagram"
                )));
            }
            return Err(Trouble::later(error));
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<(), Trouble> {
        Ok(())
    }

    fn window(&self) -> u64 {
        64
    }

    fn confirms(&self) -> bool {
        false
    }
}
