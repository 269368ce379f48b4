//! How much advisories say of the devices of a run, in its data folder: for those who only have the
//! folder, such as the report of an incident.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use andon_schemas::advisory::{Affected, DeviceAdvisories};
use andon_schemas::identity::DeviceId;
use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::exit::usage;
use crate::results::write_json;

/// Name of the file.
const FILE: &str = "advisories.json";

/// How much is said of a device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counted {
    /// The version of its firmware that this rests on, if anybody said.
    pub firmware: Option<String>,
    /// Vulnerabilities that affect it.
    pub affected: u64,
    /// Vulnerabilities of which it cannot be told.
    pub cannot_tell: u64,
    /// The worst that affects it.
    pub worst: Option<Worst>,
}

/// A vulnerability, named.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Worst {
    /// Its id.
    pub cve: String,
    /// Base score of CVSS, 0–10, if an advisory says.
    pub cvss: Option<f64>,
}

impl Counted {
    /// What of an answer is kept; `None` if nothing is said.
    pub(super) fn of(found: &DeviceAdvisories) -> Option<Self> {
        let first = found.advisories.first()?;
        let worst = (first.verdict == Affected::Affected).then(|| Worst {
            cve: first.cve.clone(),
            cvss: first.cvss,
        });
        Some(Self {
            firmware: found.firmware.as_ref().map(|runs| runs.version.clone()),
            affected: found.affected,
            cannot_tell: found.cannot_tell,
            worst,
        })
    }

    /// In words, for people.
    pub fn words(&self) -> String {
        let mut words = format!("affected by {}", self.affected);
        if let Some(worst) = &self.worst {
            let score = worst
                .cvss
                .map_or("not known".to_owned(), |s| format!("{s:.1} of 10"));
            words = format!("{words}, the worst {} (CVSS {score})", worst.cve);
        }
        if self.cannot_tell > 0 {
            words = format!("{words}; of {} it cannot be told", self.cannot_tell);
        }
        match &self.firmware {
            Some(version) => format!("firmware {version}: {words}"),
            None => format!("firmware not known: {words}"),
        }
    }
}

/// Reads what a run kept; nothing if it kept nothing.
///
/// # Errors
/// If there is something, and it cannot be read.
pub fn read(folder: &Path) -> anyhow::Result<BTreeMap<DeviceId, Counted>> {
    let path = folder.join(FILE);
    match fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text)
            .with_context(|| format!("`{}`", path.display()))
            .map_err(usage),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => {
            let cannot = format!("cannot read `{}`", path.display());
            Err(usage(anyhow::Error::new(error).context(cannot)))
        }
    }
}

pub(super) fn write(folder: &Path, counted: &BTreeMap<DeviceId, Counted>) -> anyhow::Result<()> {
    write_json(&folder.join(FILE), counted)
}

/// A run without advisories says nothing, and what an earlier one said is not of now.
pub(super) fn forget(folder: &Path) -> anyhow::Result<()> {
    let path = folder.join(FILE);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove `{}`", path.display()))
        }
        _ => Ok(()),
    }
}
