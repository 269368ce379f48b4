//! HTTP: risk, verdicts, events, health and metrics of a running pipeline.
//!
//! The pipeline puts what it says of every device on the [`Board`]; policy decision points, the SOC
//! and its page read it under `/v1`.
//!
//! The main loop tells [`Health`] and [`Metrics`] how it is doing, from whatever thread it runs on;
//! the [`Server`] answers orchestrators and Prometheus from them, and never asks the loop itself.
//! Nobody listens unless an address is given.

mod access;
mod board;
mod bundle;
mod decision;
mod health;
mod metrics;
mod page;
mod probe;
mod server;
mod signals;

pub use access::{Access, AccessError, Certificates, Client, Role, Token};
pub use board::{
    Board, Changes, Document, Elsewhere, Follower, Freshness, Heard, Lamp, Pulse, RiskFeed,
    SILENT_FOR, Totals, Waker, wire,
};
pub use bundle::{BundleOptions, Signer, SignerError};
pub use decision::{Decided, DecisionPoint};
pub use health::{Availability, Clock, Health, Liveness, Unmet};
pub use metrics::{DecisionMetrics, Metrics, OutletStanding, TransactionResult};
pub use probe::{NotReady, check_ready};
pub use server::{BindError, Offers, Running, Server};
pub use signals::{Due, KeyError, POLL, PUSH, Pushed, SignalError, SignalOptions, Transmitter};
