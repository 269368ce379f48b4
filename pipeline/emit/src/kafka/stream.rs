//! Records sent at once, without a transaction: for whoever cannot wait for an epoch.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext};

use super::ProducerError;
use super::transaction::{Outgoing, drained, send};

/// A producer whose records go out at once, each once, in order.
pub struct Stream {
    producer: BaseProducer<Deliveries>,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

/// Counts what could not be delivered.
#[derive(Default)]
struct Deliveries {
    failed: AtomicU64,
    reason: Mutex<String>,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.failed.fetch_add(1, Ordering::Relaxed);
            if let Ok(mut reason) = self.reason.lock() {
                *reason = error.to_string();
            }
        }
    }
}

impl Stream {
    /// Makes the producer; the cluster need not be there yet.
    ///
    /// # Errors
    /// If the configuration cannot work.
    pub fn new(client: &ClientConfig) -> Result<Self, ProducerError> {
        let mut client = client.clone();
        // A record is tried for as long as it takes: whoever produces waits instead.
        client
            .set("enable.idempotence", "true")
            .set("message.timeout.ms", "0")
            .set("partitioner", "murmur2_random")
            .set("compression.type", "lz4")
            .set("linger.ms", "0");
        let producer = client
            .create_with_context(Deliveries::default())
            .map_err(|cause| ProducerError::Client {
                doing: "make the producer",
                cause,
            })?;
        Ok(Self { producer })
    }

    /// Sends a record.
    ///
    /// # Errors
    /// If it can never be sent, or the cluster takes nothing for half a minute.
    pub fn send(&self, record: &Outgoing) -> Result<(), ProducerError> {
        send(&self.producer, record).map_err(|cause| ProducerError::Client {
            doing: "send a record",
            cause,
        })
    }

    /// Lets the client tell what was delivered, without waiting.
    pub fn poll(&self) {
        self.producer.poll(Duration::ZERO);
    }

    /// Waits until everything sent so far has been acknowledged.
    ///
    /// # Errors
    /// If something could not be delivered, or not in time.
    pub fn flush(&self, within: Duration) -> Result<(), ProducerError> {
        let is_drained = drained(&self.producer, Instant::now() + within);
        let deliveries = self.producer.context();
        let failed = deliveries.failed.load(Ordering::Relaxed);
        if failed > 0 {
            let reason = deliveries.reason.lock().map(|reason| reason.clone());
            return Err(ProducerError::Undelivered {
                failed,
                reason: reason.unwrap_or_default(),
            });
        }
        let waiting = usize::try_from(self.producer.in_flight_count()).unwrap_or(0);
        if is_drained {
            Ok(())
        } else {
            Err(ProducerError::Slow(waiting))
        }
    }
}
