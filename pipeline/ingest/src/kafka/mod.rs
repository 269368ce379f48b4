//! Records from Kafka: a consumer that one thread polls, and what its messages hold.

mod heard;
pub mod payload;
mod reader;
mod seat;
mod watch;

pub use heard::{Change, Committed, Message, ReaderError, Taken};
pub use reader::{Reader, TOGETHER};
pub use watch::Standing;
