//! The publisher: verdicts, risk and commands to any MQTT broker (v3.1.1).
//!
//! Stands at the end of the flow. It has a connection of its own, never that of the subscriber, so
//! that a broker which is slow to take verdicts does not keep observations out, or the other way
//! round.
//!
//! Messages go out with QoS 1 and stay in a bounded outbox until the broker has acknowledged them;
//! after a reconnect those that it has not are sent again, in order. Delivery is at least once;
//! verdicts and commands carry ids by which consumers recognise repetitions. The outbox is in
//! memory: whoever must not lose a message commits its cause only after a
//! [`flush`](Publisher::flush).
//!
//! MQTT v3.1.1 has no way to refuse a message: a broker acknowledges what its access rules forbid
//! and drops it, so test those rules with a reader.

mod connection;
mod health;
mod outbox;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rumqttc::{Publish, QoS};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub use self::health::Health;

use self::connection::Driver;
use self::health::Reporter;
use self::outbox::Outbox;

/// Largest packet of the protocol, bytes.
const PACKET_BYTES_MAX: usize = 268_435_455;

/// Longest topic of the protocol, bytes.
const TOPIC_BYTES_MAX: usize = 65_535;

/// Where to publish, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Name or IP address of the broker, without brackets.
    pub host: String,
    /// Its TCP port.
    pub port: u16,
    /// Must be no one else's, the subscriber's least of all.
    pub client_id: String,
    /// User and password, if the broker wants them.
    pub credentials: Option<Credentials>,
    /// How many bytes may wait for their acknowledgement, topics and some overhead included;
    /// [`Publisher::publish`] waits beyond.
    pub outbox_bytes: usize,
    /// How many messages may be on their way at a time; at least 1. Some brokers allow 100 only.
    pub window: u16,
    /// After how much silence the broker is asked whether it is there; at least 1 s.
    pub keep_alive: Duration,
    /// Pause after the first failed attempt to connect; it doubles with each.
    pub shortest_pause: Duration,
    /// Longest pause between attempts.
    pub longest_pause: Duration,
}

impl Options {
    /// The usual options, without credentials.
    pub fn new(host: &str, port: u16, client_id: &str) -> Self {
        Self {
            host: host.to_owned(),
            port,
            client_id: client_id.to_owned(),
            credentials: None,
            outbox_bytes: 16 << 20,
            window: 100,
            keep_alive: Duration::from_secs(30),
            shortest_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(30),
        }
    }

    fn check(&self) -> Result<(), OptionsError> {
        if self.host.is_empty() {
            return Err(OptionsError::NoHost);
        }
        if self.client_id.is_empty() {
            return Err(OptionsError::NoClientId);
        }
        if self.outbox_bytes == 0 || self.outbox_bytes > Semaphore::MAX_PERMITS {
            return Err(OptionsError::Outbox(self.outbox_bytes));
        }
        if self.window == 0 {
            return Err(OptionsError::NoWindow);
        }
        if self.keep_alive < Duration::from_secs(1) {
            return Err(OptionsError::KeepAlive(self.keep_alive));
        }
        Ok(())
    }

    /// The host as it stands before a colon and a port.
    fn bracketed_host(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        }
    }
}

/// User and password. The password is not shown in debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User name.
    pub user: String,
    /// Password.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Options that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// There is no broker to connect to.
    #[error("host is empty")]
    NoHost,
    /// Brokers tell clients apart by it.
    #[error("client id is empty")]
    NoClientId,
    /// No room, or more than there can be.
    #[error("an outbox of {0} bytes is not possible")]
    Outbox(usize),
    /// Nothing could be sent.
    #[error("window is 0 messages")]
    NoWindow,
    /// The protocol counts in seconds, and 0 would switch it off.
    #[error("keep-alive of {0:?} is shorter than 1 s")]
    KeepAlive(Duration),
}

/// Why a message was not taken, or not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// Empty, too long, or with a wildcard or NUL in it.
    #[error("topic {0:?} cannot be published to")]
    Topic(String),
    /// Larger than the outbox or the protocol allows.
    #[error("message of {bytes} bytes to {topic:?} is too large")]
    TooLarge {
        /// The topic.
        topic: String,
        /// Length of the payload, bytes.
        bytes: usize,
    },
    /// The publisher has ended.
    #[error("publisher has ended")]
    Ended,
}

/// A running publisher. Dropping it abandons what is not acknowledged.
#[derive(Debug)]
pub struct Publisher {
    outbox: Arc<Outbox>,
    health: watch::Receiver<Health>,
    stop: watch::Sender<bool>,
    driving: JoinHandle<()>,
}

impl Publisher {
    /// Starts a publisher. It need not be able to reach the broker yet: it tries until it can, and
    /// [`health`](Self::health) tells. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The options cannot work.
    pub fn start(options: Options) -> Result<Self, OptionsError> {
        options.check()?;
        let broker = format!("mqtt://{}:{}", options.bracketed_host(), options.port);
        let (reporter, health) = Reporter::new(broker);
        let (stop, stopping) = watch::channel(false);
        let outbox = Arc::new(Outbox::new(options.outbox_bytes));
        let driver = Driver::new(options, Arc::clone(&outbox), reporter, stopping);
        Ok(Self {
            outbox,
            health,
            stop,
            driving: tokio::spawn(driver.run()),
        })
    }

    /// Puts a message into the outbox, once there is room. The broker keeps it as the last one of
    /// its topic if `retain` is set.
    ///
    /// # Errors
    /// The topic or the size is impossible, or the publisher has ended. The message is not in the
    /// outbox then.
    pub async fn publish(
        &self,
        topic: &str,
        payload: Vec<u8>,
        retain: bool,
    ) -> Result<(), PublishError> {
        let is_topic = !topic.is_empty()
            && topic.len() <= TOPIC_BYTES_MAX
            && !topic.contains(['+', '#', '\0']);
        if !is_topic {
            return Err(PublishError::Topic(topic.to_owned()));
        }
        let bytes = payload.len();
        let fits = topic.len() + bytes < PACKET_BYTES_MAX - 16;
        let Some(cost) = self.outbox.cost(topic, &payload).filter(|_| fits) else {
            return Err(PublishError::TooLarge {
                topic: topic.to_owned(),
                bytes,
            });
        };
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, payload);
        publish.retain = retain;
        if self.outbox.add(publish, cost).await {
            Ok(())
        } else {
            Err(PublishError::Ended)
        }
    }

    /// Waits until the broker has acknowledged everything that was published so far. Without a
    /// broker that takes as long as it takes.
    ///
    /// # Errors
    /// The publisher has ended before.
    pub async fn flush(&self) -> Result<(), PublishError> {
        if self.outbox.flushed().await {
            Ok(())
        } else {
            Err(PublishError::Ended)
        }
    }

    /// How many messages are not acknowledged.
    pub fn unacknowledged(&self) -> usize {
        self.outbox.len()
    }

    /// The state of the connection, and its changes.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }

    /// Waits until everything is acknowledged, at most so long, says good-bye, and returns how many
    /// messages are abandoned.
    pub async fn shutdown(mut self, within: Duration) -> usize {
        // Whether it worked is told by what is left.
        let _flushed = timeout(within, self.flush()).await.is_ok();
        let _ended = self.stop.send(true).is_err();
        if let Err(error) = (&mut self.driving).await {
            tracing::error!("the publisher ended abnormally: {error}");
        }
        self.outbox.len()
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.driving.abort();
    }
}
