//! What a run tells SIEMs: every verdict, through outlets that keep what waits on disk.

pub mod settings;

use std::fs;
use std::path::Path;
use std::time::Duration;

use andon_emit::outlet::Status;
use andon_emit::siem::{Outlet, Writer};
use andon_schemas::grade::Grade;
use andon_schemas::verdict::Verdict;
use anyhow::{Context as _, anyhow};

use self::settings::Settings;
use crate::config;
use crate::exit::usage;

/// What a run on Kafka that shall tell a SIEM is told: it would lose what was committed right before
/// a crash.
pub const NOT_ON_KAFKA: &str = "`[[siem]]` works with a run on MQTT only so far, and this one reads \
     from Kafka. Its verdicts are in the topic `andon.verdicts.v1`, and \
     `andon siem convert verdicts.jsonl --form ocsf` writes them as a SIEM reads them.";

/// Where outlets keep what waits, in the data folder.
const FOLDER: &str = "siem";
/// How long the last verdicts are given at the end of a run; what is left goes out after the next
/// start.
const GOODBYE_WITHIN: Duration = Duration::from_secs(5);

/// The outlets of a run; without any it does nothing.
#[derive(Debug, Default)]
pub struct Siem {
    outlets: Vec<Outlet>,
}

impl Siem {
    /// Starts the outlets; what they keep lies in the data folder.
    ///
    /// # Errors
    /// If an outlet cannot be as it is configured, or the disk fails.
    pub fn start(data: &Path, settings: &[Settings]) -> anyhow::Result<Self> {
        let mut siem = Self::default();
        for outlet in settings {
            let way = outlet.way().map_err(usage)?;
            let folder = data.join(FOLDER);
            let started = Outlet::start(&folder, &outlet.options, way);
            let started = started.with_context(|| {
                let name = &outlet.options.name;
                format!(
                    "cannot keep what waits for siem {name} in `{}`",
                    folder.display()
                )
            })?;
            siem.outlets.push(started);
        }
        Ok(siem)
    }

    /// Takes a verdict. `alert`: whether the plant's budget makes this revision an alert; `None` if
    /// the plant has no budget, and then everything of MEDIUM or worse is one.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn take(&mut self, verdict: &Verdict, alert: Option<bool>) -> anyhow::Result<()> {
        let is_alert = alert.unwrap_or(verdict.grade >= Grade::Medium);
        for outlet in &mut self.outlets {
            outlet
                .take(verdict, is_alert)
                .context("cannot keep a verdict for a siem")?;
        }
        Ok(())
    }

    /// Makes sure that what was taken is on the disk.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn sync(&mut self) -> anyhow::Result<()> {
        for outlet in &mut self.outlets {
            outlet.sync().context("cannot keep verdicts for a siem")?;
        }
        Ok(())
    }

    /// Whether there is nobody to tell.
    pub fn is_empty(&self) -> bool {
        self.outlets.is_empty()
    }

    /// How each outlet stands.
    pub fn status(&self) -> Vec<Status> {
        self.outlets.iter().map(Outlet::status).collect()
    }

    /// Lets the last verdicts out, for a while.
    pub fn close(&mut self) {
        for outlet in &mut self.outlets {
            outlet.close(GOODBYE_WITHIN);
        }
    }
}

/// Who writes, unless it is configured: this version, on this host.
pub fn writer() -> Writer {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Writer::new(env!("CARGO_PKG_VERSION"), host.trim())
}

/// What a configuration says, for commands that need nothing else of it.
///
/// # Errors
/// Says what cannot be read, or does not go together.
pub fn configured(path: &Path) -> anyhow::Result<Vec<Settings>> {
    check(&config::read(path)?.siem).map_err(usage)
}

/// Reads all sections; all that is wrong is told at once.
///
/// # Errors
/// Names the section and the key.
pub fn check(sections: &[settings::Section]) -> anyhow::Result<Vec<Settings>> {
    let mut checked: Vec<Settings> = Vec::new();
    let mut wrong = Vec::new();
    for (at, section) in sections.iter().enumerate() {
        let place = || format!("siem {} of {}", at + 1, sections.len());
        match section.check() {
            Ok(one) if checked.iter().any(|c| c.options.name == one.options.name) => {
                wrong.push(format!(
                    "{}: another is called `{}` already; give it a `name`",
                    place(),
                    one.options.name
                ));
            }
            Ok(one) => checked.push(one),
            Err(error) => wrong.push(format!("{}: {error:#}", place())),
        }
    }
    if wrong.is_empty() {
        return Ok(checked);
    }
    Err(anyhow!(wrong.join("\n")))
}
