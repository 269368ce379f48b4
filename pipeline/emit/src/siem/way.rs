//! Ways to a SIEM: over a socket, over HTTP, into a file.

mod datagram;
mod file;
mod stream;
mod webhook;

pub use crate::tls::{TlsError, TlsOptions};
pub use datagram::Datagrams;
pub use file::{FileOptions, Files};
pub use stream::{Confirm, Framing, StreamOptions, Streams};
pub use webhook::{Webhook, WebhookError, WebhookOptions};
