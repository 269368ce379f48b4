//! The reference enforcement point: carries out commands on a gateway that routes, with nftables.
//!
//! ```text
//! DeviceCommand ──▶ orders ──▶ ruleset ──▶ nft ──▶ kernel
//!      (MQTT)        what       text        │
//!                   stands   ◀── keep       └────▶ Ack (MQTT)
//! ```
//!
//! * **Safe.** It knows the plant by the same inventory and profiles as the run that commands it,
//!   and spares the safety flows by itself: their accept rules come before every drop. If it cannot
//!   work out a device's addresses or safety flows, it answers `failed` and leaves the device alone.
//! * **Atomic, idempotent.** Everything that stands is one ruleset, which replaces the one before in
//!   one transaction. A command that comes twice changes nothing.
//! * **Rolled back.** An order that lapses is taken out; should nobody be there to do it, it times
//!   out in the kernel. A command that the kernel refuses leaves everything as it was.
//! * **Restored.** What stands is on disk before it is in force, and in force again before the first
//!   message is read after a restart. A table that somebody else has flushed is put back.
//!
//! Expiries are times of the plant, and on a live run that is wall time: the clocks of the gateway
//! and of the run must agree as well as orders are to lapse on time.
//!
//! It filters what is routed through the machine, and what devices under order send to the machine
//! itself; hosts of one segment that reach each other through a switch are beyond it.

pub mod heard;
pub mod keep;
pub mod live;
pub mod nft;
pub mod openc2;
pub mod orders;
pub mod point;
pub mod ruleset;
#[cfg(test)]
mod sample;
pub mod shield;
