//! Records sent at once, without a transaction: for whoever cannot wait for an epoch.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext};
use rdkafka::statistics::Statistics;

use super::ProducerError;
use super::arrivals::Arrivals;
use super::hopeless;
use super::transaction::{Outgoing, choose_partitions, drained, send};

/// What is heard of the brokers is true for this long.
const HEARD_WITHIN: Duration = Duration::from_secs(5);

/// A producer whose records go out at once, each once, in order.
pub struct Stream {
    producer: BaseProducer<Deliveries>,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

/// Hears from the client what became of records and of brokers.
#[derive(Default)]
struct Deliveries {
    arrivals: Mutex<Arrivals>,
    /// How many brokers answer, and when that was heard.
    brokers: Mutex<Option<(usize, Instant)>>,
    trouble: Mutex<Option<String>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ClientContext for Deliveries {
    fn stats(&self, statistics: Statistics) {
        let brokers = statistics.brokers.values();
        let up = brokers.filter(|broker| broker.state == "UP").count();
        *locked(&self.brokers) = Some((up, Instant::now()));
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!("kafka: {error}: {reason}");
        *locked(&self.trouble) = Some(reason.to_owned());
    }
}

impl ProducerContext for Deliveries {
    /// The number of the record.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        let mut arrivals = locked(&self.arrivals);
        match result {
            Ok(_) => arrivals.acknowledge(number),
            Err((error, _)) => {
                let reason = error.to_string();
                arrivals.fail(hopeless::in_words(error, &reason).unwrap_or(reason));
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
            .set("message.timeout.ms", "0")
            .set("statistics.interval.ms", "1000");
        Self::of(client)
    }

    /// The same for what is sent now and then, by somebody who waits for it: a record that the
    /// cluster has not taken within this time is given up.
    ///
    /// # Errors
    /// If the configuration cannot work.
    pub fn occasional(client: &ClientConfig, within: Duration) -> Result<Self, ProducerError> {
        let mut client = client.clone();
        // Nobody polls between two records, so nothing may gather that only polling takes away.
        client
            .set("message.timeout.ms", within.as_millis().to_string())
            .set("statistics.interval.ms", "0");
        Self::of(client)
    }

    fn of(mut client: ClientConfig) -> Result<Self, ProducerError> {
        client
            .set("enable.idempotence", "true")
            .set("compression.type", "lz4")
            .set("linger.ms", "0");
        choose_partitions(&mut client);
        let producer = client
            .create_with_context(Deliveries::default())
            .map_err(|cause| ProducerError::Client {
                doing: "make the producer",
                cause,
            })?;
        Ok(Self { producer })
    }

    /// Sends a record and returns its number; records are numbered from 0.
    ///
    /// # Errors
    /// If it can never be sent, or the cluster takes nothing for half a minute.
    pub fn send(&self, record: &Outgoing) -> Result<usize, ProducerError> {
        let arrivals = &self.producer.context().arrivals;
        let number = locked(arrivals).begin();
        send(&self.producer, record, number).map_err(|cause| {
            locked(arrivals).take_back();
            ProducerError::Client {
                doing: "send a record",
                cause,
            }
        })?;
        Ok(number)
    }

    /// Lets the client tell what was delivered, without waiting.
    pub fn poll(&self) {
        self.wait(Duration::ZERO);
    }

    /// The same, waiting at most so long for something to tell.
    pub fn wait(&self, within: Duration) {
        self.producer.poll(within);
    }

    /// Below which number everything has been acknowledged, as far as the client has told.
    ///
    /// # Errors
    /// If something can never be delivered.
    pub fn delivered(&self) -> Result<usize, ProducerError> {
        let arrivals = locked(&self.producer.context().arrivals);
        if arrivals.failed > 0 {
            return Err(ProducerError::Undelivered {
                failed: arrivals.failed,
                reason: arrivals.reason.clone(),
            });
        }
        Ok(arrivals.through())
    }

    /// Waits until everything sent so far has been acknowledged.
    ///
    /// # Errors
    /// If something could not be delivered, or not in time.
    pub fn flush(&self, within: Duration) -> Result<(), ProducerError> {
        let is_drained = drained(&self.producer, Instant::now() + within);
        self.delivered()?;
        let waiting = usize::try_from(self.producer.in_flight_count()).unwrap_or(0);
        if is_drained {
            Ok(())
        } else {
            Err(ProducerError::Slow(waiting))
        }
    }

    /// How many brokers answer, if that was heard lately.
    pub fn brokers(&self) -> Option<usize> {
        let (brokers, at) = (*locked(&self.producer.context().brokers))?;
        (at.elapsed() < HEARD_WITHIN).then_some(brokers)
    }

    /// What the client complained of since the last time this was asked.
    pub fn trouble(&self) -> Option<String> {
        locked(&self.producer.context().trouble).take()
    }
}
