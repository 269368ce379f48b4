//! Whether the system lets a run open what it needs. The runtime and the clients below us do not
//! all survive being refused a descriptor while they start, so that is found out before.

use std::fs::File;

use anyhow::Context as _;

/// What a run opens before it has taken anything in: files, signals, sockets, and the client's
/// ends of its threads.
const NEEDED: usize = 64;

/// Makes sure that a run can start.
///
/// # Errors
/// If the system gives fewer descriptors than it takes.
pub fn require() -> anyhow::Result<()> {
    let opened: Result<Vec<File>, _> = (0..NEEDED).map(|_| File::open("/dev/null")).collect();
    opened.map(drop).with_context(|| {
        format!("a run needs {NEEDED} file descriptors at least: raise the limit (`ulimit -n`)")
    })
}
