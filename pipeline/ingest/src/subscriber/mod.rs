//! The subscriber: records from any MQTT broker (v3.1.1), for plants that have one.
//!
//! Stands beside the embedded `endpoint`: both hand over [`Delivery`]s, and both acknowledge a
//! message only when its receipt comes back through [`Settle`]. Until then the broker keeps it, and
//! sends it again after a reconnect of either side: delivery is at least once, from the broker's
//! own acknowledgement to its publisher on.
//!
//! The session is a persistent one, so give every subscriber a client id that is its own and does
//! not change. The broker must keep what it has no room to send: Mosquitto drops it beyond
//! `max_queued_messages` (1,000), which should be set to 0 with a limit in bytes instead.
//!
//! **Back-pressure.** While nobody takes deliveries the socket is not read; the connection is kept
//! alive and acknowledgements still go out.
//!
//! **Retained messages** come as any others, at most once per new subscription.
//!
//! **Who is speaking.** A subscriber does not see who published. The sender is the device that the
//! topic names, unproven, unless [`Options::trusted_topics`] says that the broker's access rules
//! let nobody publish below another one's topic.

mod address;
mod connection;
mod flight;
mod health;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

pub use self::address::{AddressError, AddressProblem, BrokerAddress};
pub use self::health::Health;

use self::connection::Driver;
use self::flight::Flight;
use self::health::Reporter;
use crate::delivery::{Delivery, Receipt, Settle};

/// Largest packet of the protocol, bytes. A smaller limit would make one larger message an endless
/// loop of reconnects, with everything behind it waiting.
const PACKET_BYTES_MAX: usize = 268_435_455;

/// Longest topic or filter of the protocol, bytes.
const FILTER_BYTES_MAX: usize = 65_535;

/// What to subscribe to, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The broker.
    pub address: BrokerAddress,
    /// Names the session; must be stable and no one else's.
    pub client_id: String,
    /// Topic filters, such as `andon/v1/in/precision-parts/#`.
    pub filters: Vec<String>,
    /// User and password, if the broker wants them.
    pub credentials: Option<Credentials>,
    /// The broker's access rules bind topics to identities: whoever publishes below a device's
    /// topic is that device, or a gateway that may speak for it.
    pub trusted_topics: bool,
    /// Which level of a topic names the device, from 0; 4 in `andon/v1/in/{site}/{device}/…`.
    /// A topic without that level has the empty sender.
    pub device_level: usize,
    /// How many deliveries may wait to be taken.
    pub deliveries: usize,
    /// What the broker has to keep for this subscriber.
    pub keeping: Keeping,
    /// After how much silence the broker is asked whether it is there; at least 1 s.
    pub keep_alive: Duration,
    /// Pause after the first failed attempt to connect; it doubles with each.
    pub shortest_pause: Duration,
    /// Longest pause between attempts.
    pub longest_pause: Duration,
    /// How long a shutdown waits for what was handed over to be settled.
    pub drain_within: Duration,
}

impl Options {
    /// The usual options: no credentials, unproven senders, our own topics.
    pub fn new(address: BrokerAddress, client_id: &str, filters: Vec<String>) -> Self {
        Self {
            address,
            client_id: client_id.to_owned(),
            filters,
            credentials: None,
            trusted_topics: false,
            device_level: 4,
            deliveries: 1_024,
            keeping: Keeping::Required,
            keep_alive: Duration::from_secs(30),
            shortest_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(30),
            drain_within: Duration::from_secs(5),
        }
    }

    fn check(&self) -> Result<(), OptionsError> {
        if self.client_id.is_empty() {
            return Err(OptionsError::NoClientId);
        }
        if self.filters.is_empty() {
            return Err(OptionsError::NoFilter);
        }
        let is_bad = |filter: &&String| {
            !rumqttc::valid_filter(filter)
                || filter.contains('\0')
                || filter.len() > FILTER_BYTES_MAX
        };
        if let Some(bad) = self.filters.iter().find(is_bad) {
            return Err(OptionsError::Filter(bad.clone()));
        }
        if self.deliveries == 0 || self.deliveries > tokio::sync::Semaphore::MAX_PERMITS {
            return Err(OptionsError::Deliveries(self.deliveries));
        }
        if self.keep_alive < Duration::from_secs(1) {
            return Err(OptionsError::KeepAlive(self.keep_alive));
        }
        Ok(())
    }
}

/// Whether the broker keeps what is published while there is no connection, until it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// It must, or it is no broker for us.
    Required,
    /// It shall if it can, as for those who are told again what they have missed: the embedded
    /// endpoint, for one, keeps nothing.
    Wished,
    /// It must not, as for those who only look on: the session ends with the connection.
    Unwanted,
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
    /// The broker could not find the session again.
    #[error("client id is empty")]
    NoClientId,
    /// Nothing would ever come.
    #[error("no topic filter is given")]
    NoFilter,
    /// Not a filter by the rules of MQTT.
    #[error("topic filter {0:?} is malformed")]
    Filter(String),
    /// No room, or more than there can be.
    #[error("{0} waiting deliveries are not possible")]
    Deliveries(usize),
    /// The protocol counts in seconds, and 0 would switch it off.
    #[error("keep-alive of {0:?} is shorter than 1 s")]
    KeepAlive(Duration),
}

/// A running subscriber. Dropping it cuts the connection as a crash would: what is not acknowledged
/// comes again.
#[derive(Debug)]
pub struct Subscriber {
    flight: Arc<Flight>,
    health: watch::Receiver<Health>,
    stop: watch::Sender<bool>,
    driving: JoinHandle<()>,
}

impl Subscriber {
    /// Starts a subscriber. It need not be able to reach the broker yet: it tries until it can, and
    /// [`health`](Self::health) tells. Must be called within a tokio runtime.
    ///
    /// Take deliveries at once, not only when the state is [`Health::Connected`]: what the broker
    /// has kept comes before its answer to the subscription.
    ///
    /// # Errors
    /// The options cannot work.
    pub fn start(options: Options) -> Result<(Self, mpsc::Receiver<Delivery>), OptionsError> {
        options.check()?;
        let (deliveries, taken) = mpsc::channel(options.deliveries);
        let (reporter, health) = Reporter::new(options.address.to_string());
        let (stop, stopping) = watch::channel(false);
        let flight = Arc::new(Flight::default());
        let driver = Driver::new(options, Arc::clone(&flight), deliveries, reporter, stopping);
        let subscriber = Self {
            flight,
            health,
            stop,
            driving: tokio::spawn(driver.run()),
        };
        Ok((subscriber, taken))
    }

    /// The way back for receipts.
    pub fn settle_handle(&self) -> SettleHandle {
        SettleHandle(Arc::clone(&self.flight))
    }

    /// The state of the connection, and its changes.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }

    /// Stops reading, waits for what was handed over to be settled (at most
    /// [`Options::drain_within`]), acknowledges it and says good-bye. The caller goes on taking and
    /// settling meanwhile; the receiver of deliveries ends first. The broker keeps the session.
    pub async fn shutdown(mut self) {
        // An error means that the task has ended already.
        let _ended = self.stop.send(true).is_err();
        if let Err(error) = (&mut self.driving).await {
            tracing::error!("the subscriber ended abnormally: {error}");
        }
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.driving.abort();
    }
}

/// Acknowledges messages to the broker once they are safe.
#[derive(Clone, Debug)]
pub struct SettleHandle(Arc<Flight>);

impl Settle for SettleHandle {
    fn settle(&self, receipts: &[Receipt]) {
        self.0.settle(receipts);
    }
}
