//! Records to Kafka: in transactions that take the offsets of what they answer along, or at once.

mod arrivals;
mod hopeless;
mod stream;
mod transaction;
mod transactor;

pub use stream::Stream;
pub use transaction::{Epoch, Holds, NextOffset, Outcome, Outgoing};
pub use transactor::{Held, Options, Transactor};

use rdkafka::error::KafkaError;

/// Why a producer cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProducerError {
    /// The client could not be made or told something.
    #[error("cannot {doing}: {cause}")]
    Client {
        /// What was to be done.
        doing: &'static str,
        /// Why not.
        cause: KafkaError,
    },
    /// The system gives no thread.
    #[error("cannot start the thread of the producer: {0}")]
    Thread(std::io::Error),
    /// Records could not be delivered.
    #[error("{failed} records could not be delivered: {reason}")]
    Undelivered {
        /// How many.
        failed: u64,
        /// Why the last of them could not.
        reason: String,
    },
    /// The cluster did not take everything in time.
    #[error("the cluster has not acknowledged {0} records in time")]
    Slow(usize),
}
