//! Shared signals of a run: what a transmitter needs of the world around it. What receivers are told
//! lies in the console; here are its settings, and the thread that follows the run and pushes.

mod sender;
pub mod settings;

pub use self::sender::Sender;
