//! Records from Kafka: a consumer that one thread polls, and what its messages hold.

pub mod payload;
mod reader;
mod watch;

pub use reader::{Change, Committed, Message, Reader, ReaderError, Taken};
pub use watch::Standing;
