//! HTTP: health and metrics of a running pipeline.
//!
//! The main loop tells [`Health`] and [`Metrics`] how it is doing, from whatever thread it runs on;
//! the [`Server`] answers orchestrators and Prometheus from them, and never asks the loop itself.
//! Nobody listens unless an address is given.

mod health;
mod metrics;
mod page;
mod probe;
mod server;

pub use health::{Availability, Clock, Health, Liveness, Unmet};
pub use metrics::{Metrics, TransactionResult};
pub use probe::{NotReady, check_ready};
pub use server::{BindError, Running, Server};
