//! Where verdicts, risk and commands are published.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

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
    Broker(mpsc::Sender<Errand>),
}

/// What the publishing task is asked.
#[derive(Debug)]
pub enum Errand {
    /// To publish a message.
    Publish(Outgoing),
    /// To say when everything before has been acknowledged.
    Flush(SyncSender<()>),
}

/// How long a broker is given to acknowledge.
const ARRIVES_WITHIN: Duration = Duration::from_secs(5);

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
                .blocking_send(Errand::Publish(message))
                .map_err(|_| anyhow::anyhow!("the publisher has ended"))?,
        }
        Ok(())
    }

    /// Waits a while for everything handed over to be acknowledged. The clients of the endpoint
    /// acknowledge nothing: what they were sent is out.
    pub fn has_arrived(&self) -> bool {
        let Self::Broker(queue) = self else {
            return true;
        };
        let (told, answer) = sync_channel(1);
        queue.blocking_send(Errand::Flush(told)).is_ok()
            && answer.recv_timeout(ARRIVES_WITHIN).is_ok()
    }
}
