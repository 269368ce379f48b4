//! Where verdicts, risk and commands are published.

use andon_ingest::endpoint::Publisher;
use tokio::sync::mpsc;

/// One message on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Full topic.
    pub topic: String,
    /// JSON.
    pub payload: Vec<u8>,
    /// Kept for readers that come later.
    pub retain: bool,
}

/// A way out.
#[derive(Debug)]
pub enum Outlet {
    /// To nobody.
    None,
    /// To the clients of the embedded endpoint.
    Endpoint(Publisher),
    /// To a task that publishes to a broker; a full queue makes the pipeline wait.
    Broker(mpsc::Sender<Outgoing>),
}

impl Outlet {
    /// Hands a message over.
    ///
    /// # Errors
    /// If the publishing task has ended.
    pub fn publish(&self, message: Outgoing) -> anyhow::Result<()> {
        match self {
            Self::None => {}
            Self::Endpoint(publisher) => {
                publisher.publish(&message.topic, &message.payload, message.retain);
            }
            Self::Broker(queue) => queue
                .blocking_send(message)
                .map_err(|_| anyhow::anyhow!("the publisher has ended"))?,
        }
        Ok(())
    }
}
