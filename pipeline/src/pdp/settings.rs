//! The section `[pdp]` of the configuration: the decision point in a run, at `POST /v1/decision`.
//!
//! ```toml
//! [pdp]
//! policy = "policy"                    # folder of policies [default: those that are built in]
//! audit = "decisions.jsonl"            # a line for each decision [default: in the data folder]
//! rotate = "100 MB"                    # when that file is put aside
//! keep = 10                            # how many are kept beside
//! ```

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;

use super::audit::AuditSettings;
use super::policy::Policies;
use crate::siem::settings::bytes;

/// The audit in the data folder.
const FILE: &str = "decisions.jsonl";
const BYTES: u64 = 100_000_000;
const KEEP: u32 = 10;

/// The section as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Section {
    policy: Option<PathBuf>,
    audit: Option<PathBuf>,
    rotate: Option<String>,
    keep: Option<u32>,
}

/// What the decision point of a run is told.
#[derive(Clone, Debug)]
pub struct Settings {
    policy: Option<PathBuf>,
    /// What is written down; `None` for nothing, which only a demo does.
    pub audit: Option<AuditSettings>,
}

impl Section {
    /// What it comes to; `data` is the data folder.
    ///
    /// # Errors
    /// Names the key that holds something else than it should.
    pub fn check(&self, data: &Path) -> anyhow::Result<Settings> {
        let rotate = bytes("rotate", self.rotate.as_deref(), BYTES).context("pdp")?;
        let settings = Settings {
            policy: self.policy.clone(),
            audit: Some(AuditSettings {
                path: self.audit.clone().unwrap_or_else(|| data.join(FILE)),
                bytes_max: rotate,
                keep: self.keep.unwrap_or(KEEP),
            }),
        };
        settings.policies().context("pdp.policy")?;
        Ok(settings)
    }
}

impl Settings {
    /// What the decision point of a demo is told; it writes into the folder of results, if there is
    /// one.
    ///
    /// # Errors
    /// If the policies that are built in are none.
    pub fn of_demo(out: Option<&Path>) -> anyhow::Result<Self> {
        let settings = Section::default().check(out.unwrap_or(Path::new("")))?;
        Ok(Self {
            audit: settings.audit.filter(|_| out.is_some()),
            ..settings
        })
    }

    /// By what it decides.
    ///
    /// # Errors
    /// If the folder holds no policies.
    pub fn policies(&self) -> anyhow::Result<Policies> {
        match &self.policy {
            None => Policies::builtin(),
            Some(folder) => Policies::read(folder),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> anyhow::Result<Settings> {
        toml::from_str::<Section>(text)?.check(Path::new("data"))
    }

    #[test]
    fn what_it_holds_is_checked_at_the_start() {
        let settings = checked("rotate = \"1 MB\"").unwrap();
        let audit = settings.audit.unwrap();
        assert_eq!(audit.path, Path::new("data/decisions.jsonl"));
        assert_eq!(audit.bytes_max, 1_000_000);
        for (text, says) in [
            ("policy = \"/nowhere\"", "/nowhere"),
            ("rotate = \"1 B\"", "1 KB"),
            ("aduit = \"x\"", "unknown field `aduit`"),
        ] {
            let error = format!("{:#}", checked(text).unwrap_err());
            assert!(error.contains(says), "{error}");
        }
    }
}
