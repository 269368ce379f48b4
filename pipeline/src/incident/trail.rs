//! Whether an audit trail is one chain.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;

use andon_schemas::audit::AuditEntry;
use andon_schemas::chain::Chain;
use anyhow::Context as _;

use crate::results::AUDIT;

/// So many breaks are told; whoever wrote it anew as a whole breaks it everywhere.
const TOLD_MAX: usize = 10;

/// Follows the trail of a data folder; returns how many entries it has, and one sentence about each
/// place where it does not hold. Without one there is nothing to follow.
///
/// # Errors
/// If it cannot be read.
pub fn check_trail(data: &Path) -> anyhow::Result<(u64, Vec<String>)> {
    let path = data.join(AUDIT);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((0, Vec::new())),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read `{}`", path.display()));
        }
    };
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let (mut chain, mut entries, mut problems) = (Chain::default(), 0, Vec::new());
    let mut line = Vec::new();
    while problems.len() < TOLD_MAX {
        line.clear();
        reader.read_until(b'\n', &mut line)?;
        // A line without an end is still being written.
        if line.pop() != Some(b'\n') {
            break;
        }
        entries += 1;
        let followed = match serde_json::from_slice::<AuditEntry>(&line) {
            Ok(entry) => {
                let followed = chain.follow(&entry);
                if followed.is_err() {
                    // From here on it is followed as it stands: one break is one problem.
                    chain = Chain {
                        number: entry.link.number,
                        last: entry.link.hash,
                    };
                }
                followed
            }
            Err(error) => Err(error.to_string()),
        };
        if let Err(why) = followed {
            problems.push(format!("{AUDIT}, line {entries}: {why}"));
        }
    }
    Ok((entries, problems))
}
