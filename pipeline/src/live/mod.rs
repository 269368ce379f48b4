//! The live pipeline, between whatever brings messages and whatever takes verdicts.
//!
//! `message` reads a message, `core` takes it through the engine and hands out what comes of it,
//! `acts` brings what people decide, `outlet` publishes, `state` survives a restart; `shadow` measures the same against other profiles.

pub mod acts;
pub mod core;
pub mod message;
mod outgoing;
pub mod outlet;
pub mod shadow;
pub mod source;
pub mod state;
mod told;
