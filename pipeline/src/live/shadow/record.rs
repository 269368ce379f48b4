//! What is kept of a shadow beside its results: since when it runs, and where it stands.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use andon_respond::{Incidents, Orders};
use andon_schemas::chain::Chain;
use andon_schemas::time::EventTime;
use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::FOLDER;
use crate::blueprint::{Blueprint, Named};
use crate::live::state;
use crate::results::{VERDICTS, write_json};
use crate::wall;

/// Name of the file that says since when a shadow runs.
const ABOUT: &str = "shadow.json";
const MAGIC: [u8; 8] = *b"ANDONSH4";

/// Since when a shadow runs, and beside what. `shadow.json` is this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The profiles of the run: a folder, or that they are built in.
    pub active: String,
    /// The profiles of the shadow.
    pub profiles: String,
    /// When it began, by the system's clock.
    pub began_at: EventTime,
    /// Verdicts of the run from this byte of its file on are of the same time.
    pub verdicts_from: u64,
    /// How it ended; null while it runs, and between two runs.
    pub ended: Option<Ended>,
}

/// How a shadow ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When, by the system's clock.
    pub at: EventTime,
    /// Why.
    pub cause: String,
    /// Verdicts of the run from this byte of its file on are of another time.
    pub verdicts_to: u64,
}

impl About {
    /// A shadow that begins now, beside the run that writes into a folder and has written out all
    /// its verdicts.
    ///
    /// # Errors
    /// If the size of its file cannot be told.
    pub fn now(data: &Path, active: String, profiles: String) -> anyhow::Result<Self> {
        Ok(Self {
            active,
            profiles,
            began_at: wall::now(),
            verdicts_from: verdict_bytes(data)?,
            ended: None,
        })
    }

    /// Reads it.
    ///
    /// # Errors
    /// If there is none, or it is damaged.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(ABOUT);
        let text = fs::read_to_string(&path)
            .with_context(|| format!("cannot read `{}`", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("`{}`", path.display()))
    }

    /// The same of one that goes on.
    #[must_use]
    pub fn going_on(self) -> Self {
        Self {
            ended: None,
            ..self
        }
    }

    pub(super) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        write_json(&folder.join(ABOUT), self)
    }
}

/// How much a run has written of its verdicts.
fn verdict_bytes(data: &Path) -> anyhow::Result<u64> {
    let path = data.join(VERDICTS);
    let about = fs::metadata(&path);
    Ok(about
        .with_context(|| format!("cannot read `{}`", path.display()))?
        .len())
}

/// Notes that a shadow of which something is left has ended, unless that is known.
///
/// # Errors
/// If the note cannot be read or written.
pub fn retire(data: &Path, cause: &str) -> anyhow::Result<()> {
    let folder = data.join(FOLDER);
    if !folder.join(ABOUT).exists() {
        return Ok(());
    }
    let mut about = About::read(&folder)?;
    if about.ended.is_some() {
        return Ok(());
    }
    about.ended = Some(Ended {
        at: wall::now(),
        cause: cause.to_owned(),
        verdicts_to: verdict_bytes(data)?,
    });
    about.write(&folder)
}

/// Makes room for another shadow. What an earlier one left is kept beside, as `shadow.1` and so
/// on.
pub(super) fn set_aside(data: &Path) -> anyhow::Result<()> {
    if let Err(error) = retire(data, "another took its place") {
        // What is wrong with the old one is no reason against a new one.
        tracing::warn!("{error:#}");
    }
    let folder = data.join(FOLDER);
    let free = (1_u32..).map(|number| data.join(format!("{FOLDER}.{number}")));
    for aside in free {
        if aside.exists() {
            continue;
        }
        return match fs::rename(&folder, &aside) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot move `{}` away", folder.display()))
            }
            _ => Ok(()),
        };
    }
    Ok(())
}

/// Where a shadow stands, to go on from after a restart.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Saved {
    /// Entries of the run's log up to this number are in it.
    pub through: u64,
    /// Its profiles.
    pub named: Named,
    /// What it measures against.
    pub blueprint: Blueprint,
    /// What came out, as JSON.
    pub ledger: Vec<u8>,
    /// What would have followed, and stands.
    pub orders: Orders,
    /// The incidents that are kept.
    pub incidents: Incidents,
    /// The end of its audit trail.
    pub audit: Chain,
    /// Snapshots of its shards.
    pub shards: Vec<Vec<u8>>,
}

impl Saved {
    /// What was saved last; `None` if nothing was.
    ///
    /// # Errors
    /// If it is damaged, or of another version.
    pub fn load(data: &Path) -> anyhow::Result<Option<Self>> {
        let folder = data.join(FOLDER);
        state::get(&folder, MAGIC).with_context(|| format!("`{}`", folder.display()))
    }

    /// Whether it measures against these profiles.
    ///
    /// # Errors
    /// If either cannot be used.
    pub fn is_of(&self, named: &Named) -> anyhow::Result<bool> {
        let now = named.over(&self.blueprint).profiles()?;
        Ok(now.hash() == self.blueprint.profiles()?.hash())
    }

    pub(super) fn put(&self, folder: &Path) -> anyhow::Result<()> {
        state::put(folder, MAGIC, self)
    }
}
