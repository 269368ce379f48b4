//! Whom a run notifies: those who run the plant, by webhook and by mail, through outlets that keep
//! what waits on disk.

pub mod settings;

use std::path::Path;
use std::time::Duration;

use andon_emit::outlet::{Outlet, Status};
use andon_schemas::command::Action;
use andon_schemas::notice::Notice;
use anyhow::{Context as _, anyhow};

use self::settings::{Section, Settings};
use crate::config;
use crate::exit::usage;

/// What a run on Kafka that shall notify somebody is told, for the reason that it tells no SIEM.
pub const NOT_ON_KAFKA: &str = "`[[notify]]` works with a run on MQTT only so far, and this one reads \
     from Kafka. Its notices are in the topic `andon.notices.v1`.";

/// Where outlets keep what waits, in the data folder.
const FOLDER: &str = "notify";
/// How long the last notices are given at the end of a run; what is left goes out after the next
/// start.
const GOODBYE_WITHIN: Duration = Duration::from_secs(5);

/// The outlets of a run; without any it does nothing.
#[derive(Debug, Default)]
pub struct Notify {
    outlets: Vec<(Action, Outlet<Notice>)>,
}

impl Notify {
    /// Starts the outlets; what they keep lies in the data folder.
    ///
    /// # Errors
    /// If an outlet cannot be as it is configured, or the disk fails.
    pub fn start(data: &Path, settings: &[Settings]) -> anyhow::Result<Self> {
        let folder = data.join(FOLDER);
        let mut notify = Self::default();
        for one in settings {
            for (name, way) in one.ways().map_err(usage)? {
                let started = Outlet::start(&folder, &name, one.spool_bytes_max, way);
                let started = started.with_context(|| {
                    let folder = folder.display();
                    format!("cannot keep what waits for notify {name} in `{folder}`")
                })?;
                notify.outlets.push((one.min_action, started));
            }
        }
        Ok(notify)
    }

    /// Takes a notice.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn take(&mut self, notice: &Notice) -> anyhow::Result<()> {
        for (min_action, outlet) in &mut self.outlets {
            if notice.action >= *min_action {
                outlet.take(notice).context("cannot keep a notice")?;
            }
        }
        Ok(())
    }

    /// Makes sure that what was taken is on the disk.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn sync(&mut self) -> anyhow::Result<()> {
        for (_, outlet) in &mut self.outlets {
            outlet.sync().context("cannot keep notices")?;
        }
        Ok(())
    }

    /// How each outlet stands.
    pub fn status(&self) -> Vec<Status> {
        let outlets = self.outlets.iter();
        outlets.map(|(_, outlet)| outlet.status()).collect()
    }

    /// Lets the last notices out, for a while.
    pub fn close(&mut self) {
        // All at once: one server that does not answer is not waited for by one after the other.
        for (_, outlet) in &self.outlets {
            outlet.end_within(GOODBYE_WITHIN);
        }
        for (_, outlet) in &mut self.outlets {
            outlet.close(GOODBYE_WITHIN);
        }
    }
}

/// What a configuration says, for commands that need nothing else of it.
///
/// # Errors
/// Says what cannot be read, or does not go together.
pub fn configured(path: &Path) -> anyhow::Result<Vec<Settings>> {
    check(&config::read(path)?.notify).map_err(usage)
}

/// Reads all sections; all that is wrong is told at once.
///
/// # Errors
/// Names the section and the key.
pub fn check(sections: &[Section]) -> anyhow::Result<Vec<Settings>> {
    let mut checked: Vec<Settings> = Vec::new();
    let mut wrong = Vec::new();
    for (at, section) in sections.iter().enumerate() {
        let place = || format!("notify {} of {}", at + 1, sections.len());
        match section.check() {
            Ok(one) if checked.iter().any(|known| known.name == one.name) => {
                wrong.push(format!(
                    "{}: another is called `{}` already; give it a `name`",
                    place(),
                    one.name
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

#[cfg(test)]
mod tests {
    use andon_schemas::notice::NOTICE_SCHEMA;
    use serde_json::json;

    use super::*;

    fn notice(action: &str) -> Notice {
        serde_json::from_value(json!({
            "schema": NOTICE_SCHEMA, "command_id": "c0ffee", "state": "issued",
            "at": "2026-01-05T10:00:00Z", "site": "mill", "device_id": "press-1",
            "action": action, "mode": "enforce", "waits_for_a_person": false,
            "headline": "press-1 is cut off", "text": "It is.", "stays_open": [],
        }))
        .unwrap()
    }

    #[test]
    fn milder_actions_than_somebody_wants_to_hear_of_are_not_told() {
        // Nobody listens there, so that everything stays.
        let sections = ["restrict", "isolate", "quarantine"].map(|action| {
            let text = format!(
                "kind = \"webhook\"\nurl = \"http://127.0.0.1:9/\"\nname = \"{action}\"\n\
                 min_action = \"{action}\""
            );
            toml::from_str::<Section>(&text).unwrap()
        });
        let folder = tempfile::tempdir().unwrap();
        let mut notify = Notify::start(folder.path(), &check(&sections).unwrap()).unwrap();
        for action in ["restrict", "isolate", "quarantine"] {
            notify.take(&notice(action)).unwrap();
        }
        notify.sync().unwrap();
        let waiting: Vec<u64> = notify.status().iter().map(|one| one.waiting).collect();
        assert_eq!(waiting, [3, 2, 1]);
    }
}
