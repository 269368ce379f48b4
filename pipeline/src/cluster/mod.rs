//! A backtest on several machines. Every task plays the whole capture through the same intake and
//! feed as a backtest on one machine, and its engine takes the rows of its own devices: virtual
//! nodes are dealt to tasks as they are dealt to shards. What comes out is put in the one order that
//! outputs have, so that the results are the same.

mod order;
mod remote;
mod told;
mod work;

pub use order::Order;
pub use remote::Remote;
pub use work::Backtests;

use anyhow::{Context as _, anyhow};

/// Host and port of a scheduler.
///
/// # Errors
/// If it is written otherwise.
pub fn place(text: &str) -> anyhow::Result<(&str, u16)> {
    let wrong =
        || anyhow!("`{text}` is no scheduler: write its host and port, as in 127.0.0.1:50050");
    let (host, port) = text
        .rsplit_once(':')
        .filter(|(host, _)| !host.is_empty())
        .with_context(wrong)?;
    // An IPv6 address stands in brackets, or its last part would pass for a port.
    let is_bare = host.contains(':') && !host.starts_with('[');
    if host.contains('/') || is_bare {
        return Err(wrong());
    }
    Ok((host, port.parse().map_err(|_| wrong())?))
}
