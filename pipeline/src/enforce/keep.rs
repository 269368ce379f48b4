//! What stands, on disk: written as a whole beside the old file, made durable, put in its place.
//! A restart restores from it before it hears anything.

use std::borrow::Cow;
use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use andon_schemas::command::DeviceCommand;
use andon_schemas::identity::DeviceId;
use anyhow::{Context as _, anyhow};
use serde::{Deserialize, Serialize};

use crate::exit::usage;

/// Version of the file's form.
const SCHEMA: &str = "andon.enforce.v1";
/// Name of the file.
const FILE: &str = "enforce.json";
/// Held while an enforcement point uses the folder.
const LOCK: &str = "enforce.lock";

/// The folder of an enforcement point, which nobody else uses.
#[derive(Debug)]
pub struct Keep {
    folder: PathBuf,
    site: String,
    enforcer: String,
    /// Released when it is closed, by a crash too.
    _lock: File,
}

/// An order as it was commanded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// The device.
    pub device: DeviceId,
    /// The command.
    pub command: DeviceCommand,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page<'a, O> {
    schema: Cow<'a, str>,
    site: Cow<'a, str>,
    enforcer: Cow<'a, str>,
    orders: O,
}

#[derive(Serialize)]
struct Line<'a> {
    device: &'a DeviceId,
    command: &'a DeviceCommand,
}

impl Keep {
    /// Opens a folder, which is made if it is not there.
    ///
    /// # Errors
    /// If it cannot be used, or another process uses it.
    pub fn open(folder: &Path, site: &str, enforcer: &str) -> anyhow::Result<Self> {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make folder `{}`", folder.display()))?;
        let path = folder.join(LOCK);
        let lock =
            File::create(&path).with_context(|| format!("cannot open `{}`", path.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(usage(anyhow!(
                    "folder `{}` is in use by another enforcement point",
                    folder.display()
                )));
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock `{}`", path.display()));
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
            site: site.to_owned(),
            enforcer: enforcer.to_owned(),
            _lock: lock,
        })
    }

    /// What stood when it was written last; nothing if it never was.
    ///
    /// # Errors
    /// If the file cannot be read, is none of ours, or is of another enforcement point. It is left
    /// as it is.
    pub fn load(&self) -> anyhow::Result<Vec<Kept>> {
        let path = self.folder.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read `{}`", path.display()));
            }
        };
        let page: Page<'_, Vec<Kept>> = serde_json::from_str(&text)
            .with_context(|| format!("`{}` cannot be read", path.display()))
            .map_err(usage)?;
        if page.schema != SCHEMA {
            let schema = page.schema;
            return Err(usage(anyhow!(
                "`{}` is of the form `{schema}`, and this version knows `{SCHEMA}`",
                path.display()
            )));
        }
        if page.site != self.site || page.enforcer != self.enforcer {
            return Err(usage(anyhow!(
                "`{}` is of the enforcement point `{}` of `{}`, not of `{}` of `{}`",
                path.display(),
                page.enforcer,
                page.site,
                self.enforcer,
                self.site
            )));
        }
        Ok(page.orders)
    }

    /// Writes what stands.
    ///
    /// # Errors
    /// If it is not on disk for certain. The old file is left then, or the new one is whole.
    pub fn save<'a>(
        &self,
        orders: impl Iterator<Item = (&'a DeviceId, &'a DeviceCommand)>,
    ) -> Result<(), String> {
        let lines = orders.map(|(device, command)| Line { device, command });
        let page = Page {
            schema: SCHEMA.into(),
            site: Cow::from(&self.site),
            enforcer: Cow::from(&self.enforcer),
            orders: lines.collect::<Vec<_>>(),
        };
        let write = || -> anyhow::Result<()> {
            let bytes = serde_json::to_vec(&page)?;
            let beside = self.folder.join("enforce.json.new");
            let mut file = File::create(&beside)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&beside, self.folder.join(FILE))?;
            File::open(&self.folder)?.sync_all()?;
            Ok(())
        };
        write().map_err(|error| {
            format!(
                "cannot write `{}`: {error:#}",
                self.folder.join(FILE).display()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use andon_respond::key_of;
    use andon_schemas::command::Action;
    use andon_schemas::time::EventTime;

    use super::*;

    fn order(name: &str) -> Kept {
        let device = DeviceId::new(name).unwrap();
        let command = DeviceCommand {
            key: key_of(&device, Action::Isolate),
            action: Action::Isolate,
            scope: Vec::new(),
            expiry: EventTime::from_micros(5_000_000),
        };
        Kept { device, command }
    }

    fn save(keep: &Keep, orders: &[Kept]) {
        let lines = orders.iter().map(|kept| (&kept.device, &kept.command));
        keep.save(lines).unwrap();
    }

    #[test]
    fn what_is_saved_last_is_what_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let keep = Keep::open(folder.path(), "plant", "gw-1").unwrap();
        assert_eq!(keep.load().unwrap(), []);
        save(&keep, &[order("a"), order("b")]);
        save(&keep, &[order("b")]);
        drop(keep);
        let keep = Keep::open(folder.path(), "plant", "gw-1").unwrap();
        assert_eq!(keep.load().unwrap(), [order("b")]);
    }

    #[test]
    fn a_folder_is_used_by_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let _first = Keep::open(folder.path(), "plant", "gw-1").unwrap();
        let refused = Keep::open(folder.path(), "plant", "gw-1").unwrap_err();
        assert!(refused.to_string().contains("in use"), "{refused}");
    }

    #[test]
    fn what_is_of_another_or_damaged_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let keep = Keep::open(folder.path(), "plant", "gw-1").unwrap();
        save(&keep, &[order("a")]);
        drop(keep);
        let keep = Keep::open(folder.path(), "plant", "gw-2").unwrap();
        let refused = keep.load().unwrap_err().to_string();
        assert!(refused.contains("`gw-1` of `plant`"), "{refused}");
        let path = folder.path().join(FILE);
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        let refused = keep.load().unwrap_err().to_string();
        assert!(refused.contains("line 1"), "{refused}");
        assert_eq!(fs::read_to_string(&path).unwrap().len(), whole.len() / 2);
    }
}
