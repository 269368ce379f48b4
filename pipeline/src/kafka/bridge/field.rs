//! Where a bridge takes messages from: a broker that it subscribes to, or an endpoint of its own.

use std::sync::Arc;
use std::time::Duration;

use andon_ingest::delivery::{Delivery, Settle};
use andon_ingest::endpoint::{Anonymous, Authority, Endpoint, Limits, Origin, Refusal};
use andon_ingest::subscriber::{self, Health, Subscriber};
use anyhow::Context as _;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::config::{Broker, Config, Mqtt};
use crate::exit::usage;

/// What can be stopped.
enum Open {
    Endpoint(Endpoint),
    Subscriber(Subscriber),
    Closing(JoinHandle<()>),
    Closed,
}

/// A source of messages.
#[expect(
    missing_debug_implementations,
    reason = "the way back is a trait object"
)]
pub struct Field {
    /// What comes in; ends once the source was stopped and everything was taken.
    pub deliveries: mpsc::Receiver<Delivery>,
    /// The way back for receipts.
    pub settle: Arc<dyn Settle>,
    /// Where messages come from, in words.
    pub name: String,
    open: Open,
    refusals: Option<mpsc::Receiver<Refusal>>,
    /// Of the connection to a broker.
    health: Option<watch::Receiver<Health>>,
}

impl Field {
    /// Opens what the configuration names. Whoever stops it later has `goodbye` to settle what was
    /// handed out.
    ///
    /// # Errors
    /// If the address cannot be listened on, or the options cannot work. A broker that is absent
    /// is no error: it is waited for.
    pub fn open(
        runtime: &Runtime,
        config: &Config,
        site: &str,
        goodbye: Duration,
    ) -> anyhow::Result<Self> {
        match &config.mqtt {
            Mqtt::Listen(address) => Self::listen(runtime, config, address, goodbye),
            Mqtt::Broker(broker) => Self::subscribe(runtime, broker, site, goodbye),
        }
    }

    fn listen(
        runtime: &Runtime,
        config: &Config,
        address: &str,
        goodbye: Duration,
    ) -> anyhow::Result<Self> {
        let anonymous = Anonymous {
            from: Origin::Loopback,
            ..Anonymous::default()
        };
        let authority = Authority::new(config.principals.clone(), anonymous).map_err(usage)?;
        let limits = Limits {
            drain_within: goodbye,
            ..Limits::default()
        };
        let (mut endpoint, deliveries) = runtime
            .block_on(Endpoint::bind(address, authority, limits))
            .with_context(|| format!("cannot listen on `{address}`"))
            .map_err(usage)?;
        Ok(Self {
            deliveries,
            settle: Arc::new(endpoint.settle_handle()),
            name: format!("whoever publishes to mqtt://{}", endpoint.local_addr()),
            refusals: endpoint.refusals(),
            open: Open::Endpoint(endpoint),
            health: None,
        })
    }

    fn subscribe(
        runtime: &Runtime,
        broker: &Broker,
        site: &str,
        goodbye: Duration,
    ) -> anyhow::Result<Self> {
        let filter = format!("andon/v1/in/{site}/#");
        let name = format!("{filter} at {}", broker.address);
        let mut options =
            subscriber::Options::new(broker.address.clone(), &broker.client_id, vec![filter]);
        options.credentials.clone_from(&broker.credentials);
        options.trusted_topics = broker.trusted_topics;
        options.drain_within = goodbye;
        let _within = runtime.enter();
        let (subscriber, deliveries) = Subscriber::start(options).map_err(usage)?;
        Ok(Self {
            deliveries,
            settle: Arc::new(subscriber.settle_handle()),
            name,
            refusals: None,
            health: Some(subscriber.health()),
            open: Open::Subscriber(subscriber),
        })
    }

    /// The next message that the endpoint turned away, if there is one.
    pub fn next_refusal(&mut self) -> Option<Refusal> {
        self.refusals.as_mut()?.try_recv().ok()
    }

    /// Why nothing can come; `None` while something can.
    pub fn trouble(&self) -> Option<String> {
        match &*self.health.as_ref()?.borrow() {
            Health::Connected { .. } => None,
            Health::Refused { reason } => Some(reason.clone()),
            Health::Connecting { last_error, .. } => Some(
                last_error
                    .clone()
                    .unwrap_or_else(|| "not connected yet".to_owned()),
            ),
        }
    }

    /// Lets nothing more in. What was handed out can still be settled.
    pub fn stop(&mut self, runtime: &Runtime) {
        self.open = match std::mem::replace(&mut self.open, Open::Closed) {
            Open::Endpoint(endpoint) => Open::Closing(runtime.spawn(async move {
                let counts = endpoint.shutdown().await;
                tracing::info!(?counts, "endpoint closed");
            })),
            Open::Subscriber(subscriber) => Open::Closing(runtime.spawn(subscriber.shutdown())),
            closing => closing,
        };
    }

    /// Waits until the last acknowledgements are on their way.
    pub fn close(self, runtime: &Runtime) {
        if let Open::Closing(closing) = self.open
            && runtime.block_on(closing).is_err()
        {
            tracing::error!("closing the source ended by a panic");
        }
    }
}
