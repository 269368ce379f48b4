//! What survives a restart: the engine's state and where in the log it stands, in one file that is
//! replaced as a whole.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use andon_engine::{Engine, FeedState, Plant};
use andon_respond::{Incidents, Orders};
use andon_schemas::chain::Chain;
use anyhow::Context as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::blueprint::Blueprint;
use crate::intake::Tally;
use crate::sealed::{open, seal};

/// Name of the file in the data folder.
const FILE: &str = "state.bin";
const MAGIC: [u8; 8] = *b"ANDONST7";

/// What is saved.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    /// Entries of the log up to this number are in the state, and their effects are out.
    pub through: u64,
    /// What it is measured against.
    pub blueprint: Blueprint,
    /// Where the feed stands.
    pub feed: FeedState,
    /// Where every record went.
    pub tally: Tally,
    /// What came out, as JSON: verdicts hold values that only a format which describes itself can
    /// hold.
    pub ledger: Vec<u8>,
    /// The orders, and what is kept of those that are over.
    pub orders: Orders,
    /// The incidents that are kept.
    pub incidents: Incidents,
    /// The end of the audit trail.
    pub audit: Chain,
    /// Snapshots of the shards, each with its own checksums.
    pub shards: Vec<Vec<u8>>,
}

/// Saves the state.
///
/// # Errors
/// If it cannot be written.
pub fn save(folder: &Path, state: &State) -> anyhow::Result<()> {
    put(folder, MAGIC, state)
}

/// Loads the state; `None` if there is none yet.
///
/// # Errors
/// If the file is damaged.
pub fn load(folder: &Path) -> anyhow::Result<Option<State>> {
    get(folder, MAGIC).with_context(|| useless(folder))
}

/// Puts a state into a folder: written beside the old one, synced, then put in its place.
pub(super) fn put(folder: &Path, magic: [u8; 8], state: &impl Serialize) -> anyhow::Result<()> {
    let bytes = seal(magic, state).context("cannot write the state")?;
    let beside = folder.join("state.new");
    let mut file =
        File::create(&beside).with_context(|| format!("cannot write `{}`", beside.display()))?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(&beside, folder.join(FILE))?;
    File::open(folder)?.sync_all()?;
    Ok(())
}

/// The state that was put into a folder; `None` if there is none yet.
pub(super) fn get<T: DeserializeOwned>(folder: &Path, magic: [u8; 8]) -> anyhow::Result<Option<T>> {
    let path = folder.join(FILE);
    match fs::read(&path) {
        Ok(bytes) => open(magic, &bytes).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read `{}`", path.display())),
    }
}

/// What to do about a state that nothing can go on from.
pub fn useless(folder: &Path) -> String {
    format!(
        "cannot go on from `{}`: move `{}` away, or name another folder with --data, and what was \
         learned of the devices begins anew",
        folder.join(FILE).display(),
        folder.display()
    )
}

impl State {
    /// Whether an engine can go on from it; what it was measured against.
    ///
    /// # Errors
    /// If this build cannot use a part of it.
    pub fn check(&self) -> anyhow::Result<Arc<Plant>> {
        let plant = self.blueprint.compile()?;
        // Reads every section and keeps no device.
        Engine::restore(plant.clone(), &self.shards, |_| false, false)?;
        Ok(plant)
    }
}
