//! The texts that a plant is compiled from. They go wherever a verdict may have to be understood
//! later: into the log when they change, into the saved state, into a recorded run, and beside the
//! verdicts, for `andon explain`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use andon_engine::Plant;
use andon_schemas::builtin;
use andon_schemas::command::Mode;
use andon_schemas::indicator;
use andon_schemas::inventory::{self, Inventory, Lookup};
use andon_schemas::profile::{ProfileSet, SourceFile};
use andon_schemas::time::PlantClock;
use anyhow::{Context as _, anyhow};
use serde::{Deserialize, Serialize};

use crate::alerts;
use crate::args::PlantArgs;
use crate::exit::{usage, words};
use crate::setting::{gather, lists, read, read_profiles};

/// Folder of blueprints beside the verdicts of a run.
const FOLDER: &str = "plants";

/// A file as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Page {
    path: String,
    text: String,
}

/// Everything that a plant is compiled from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blueprint {
    mode: Mode,
    /// None for a capture whose plant nobody described.
    inventory: Option<Page>,
    profiles: Vec<Page>,
    /// Lists of hostile destinations. Blueprints of before there were any have none. They are
    /// always written, because the saved state is in a format that cannot leave a field out.
    #[serde(default)]
    indicators: Vec<Page>,
}

impl Page {
    fn of(file: &SourceFile) -> Self {
        Self {
            path: file.path.to_owned(),
            text: file.text.to_owned(),
        }
    }

    fn file(&self) -> SourceFile<'_> {
        SourceFile {
            path: &self.path,
            text: &self.text,
        }
    }
}

impl Blueprint {
    /// Whether enforcement points act.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Reads what the arguments name; what they leave out is built in.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn read(args: &PlantArgs, mode: Mode) -> anyhow::Result<Self> {
        let inventory = match &args.inventory {
            None => Page::of(&builtin::INVENTORY),
            Some(path) => Page {
                path: path.display().to_string(),
                text: read(path, "inventory")?,
            },
        };
        Ok(Self {
            mode,
            inventory: Some(inventory),
            profiles: pages(args.profiles.as_deref())?,
            indicators: list_pages(args)?,
        })
    }

    /// What a capture is measured against whose plant nobody described: devices go by their
    /// address, and no profile applies to them; who is hostile may be known all the same.
    ///
    /// # Errors
    /// If a list of hostile destinations cannot be read.
    pub fn undescribed(args: &PlantArgs) -> anyhow::Result<Self> {
        Ok(Self {
            mode: Mode::Monitor,
            inventory: None,
            profiles: builtin::PROFILES.iter().map(Page::of).collect(),
            indicators: list_pages(args)?,
        })
    }

    /// Compiles it.
    ///
    /// # Errors
    /// Every problem of every file at once.
    pub fn compile(&self) -> anyhow::Result<Arc<Plant>> {
        let inventory = match &self.inventory {
            Some(page) => inventory::parse(page.file()).map_err(usage)?,
            None => nobody()?,
        };
        alerts::check(&inventory)?;
        let profiles = self.profiles()?;
        let lists: Vec<SourceFile> = self.indicators.iter().map(Page::file).collect();
        let indicators = Arc::new(indicator::parse(&lists).map_err(usage)?);
        for (skip, count) in indicators.skipped() {
            tracing::info!("{count} indicators left out: {}", skip.as_str());
        }
        Ok(Arc::new(Plant::with_indicators(
            inventory, &profiles, indicators, self.mode,
        )))
    }

    /// Its profiles, checked.
    ///
    /// # Errors
    /// Every problem of every file at once.
    pub fn profiles(&self) -> anyhow::Result<ProfileSet> {
        let files: Vec<SourceFile> = self.profile_files().collect();
        read_profiles(&files)
    }

    /// The files of its profiles.
    pub fn profile_files(&self) -> impl Iterator<Item = SourceFile<'_>> {
        self.profiles.iter().map(Page::file)
    }

    /// The same plant with other profiles: paths and texts.
    #[must_use]
    pub fn with_profiles(&self, texts: &[(String, String)]) -> Self {
        let page = |(path, text): &(String, String)| Page {
            path: path.clone(),
            text: text.clone(),
        };
        Self {
            profiles: texts.iter().map(page).collect(),
            ..self.clone()
        }
    }

    /// The same plant with what the arguments name in its place.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn with_named(&self, args: &PlantArgs) -> anyhow::Result<Self> {
        let read = Self::read(args, self.mode)?;
        Ok(Named::of(args, &read).over(self))
    }

    /// Keeps it in a folder of verdicts.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn keep(&self, folder: &Path, plant: &Plant) -> anyhow::Result<()> {
        let folder = folder.join(FOLDER);
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make folder `{}`", folder.display()))?;
        let lists = match plant.indicator_hash() {
            "" => String::new(),
            hash => format!("-{hash:.16}"),
        };
        let name = format!(
            "{:.16}-{:.16}{lists}.json",
            plant.profile_hash(),
            plant.inventory_hash()
        );
        // Verdicts that are on disk must be explainable: it is there as a whole before them.
        let beside = folder.join("new");
        let write = || -> anyhow::Result<()> {
            let mut file = File::create(&beside)?;
            serde_json::to_writer(&mut file, self)?;
            file.sync_all()?;
            std::fs::rename(&beside, folder.join(name))?;
            File::open(&folder)?.sync_all()?;
            Ok(())
        };
        write().with_context(|| format!("cannot write `{}`", beside.display()))
    }

    /// The plants that are kept in a folder of verdicts, compiled. One that cannot be read, or that
    /// this build cannot compile, is passed over with a warning: others may be what is asked for.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn kept(folder: &Path) -> anyhow::Result<Vec<Arc<Plant>>> {
        let mut paths = kept_files(folder)?;
        paths.sort();
        let mut plants = Vec::new();
        for path in paths {
            match Self::opened(&path).and_then(|blueprint| blueprint.compile()) {
                Ok(plant) => plants.push(plant),
                Err(error) => tracing::warn!("`{}`: {}", path.display(), words(&error)),
            }
        }
        Ok(plants)
    }

    /// What the newest verdicts in a folder were measured against, if it keeps anything.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn newest(folder: &Path) -> anyhow::Result<Option<Self>> {
        let paths = by_age(kept_files(folder)?);
        let newest = paths.last();
        newest
            .map(|path| Self::opened(path).with_context(|| format!("`{}`", path.display())))
            .transpose()
    }

    /// Everything that verdicts in a folder were measured against, what came into force last as
    /// the last. What cannot be read is passed over with a warning.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn in_turn(folder: &Path) -> anyhow::Result<Vec<Self>> {
        let mut found = Vec::new();
        for path in by_age(kept_files(folder)?) {
            match Self::opened(&path) {
                Ok(blueprint) => found.push(blueprint),
                Err(error) => tracing::warn!("`{}`: {}", path.display(), words(&error)),
            }
        }
        Ok(found)
    }

    /// The same for whoever only watches: nothing is ever ordered because of it.
    #[must_use]
    pub fn monitored(self) -> Self {
        Self {
            mode: Mode::Monitor,
            ..self
        }
    }

    fn opened(path: &Path) -> anyhow::Result<Self> {
        serde_json::from_str(&read(path, "blueprint")?).context("it is no blueprint")
    }
}

/// The files of the plants that are kept in a folder of verdicts.
fn kept_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let folder = folder.join(FOLDER);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read `{}`", folder.display()));
        }
    };
    let mut paths: Vec<_> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .with_context(|| format!("cannot read `{}`", folder.display()))?;
    paths.retain(|path| path.extension().is_some_and(|name| name == "json"));
    Ok(paths)
}

/// Those files, the one that was written last as the last: whatever comes into force is written
/// anew.
fn by_age(mut paths: Vec<PathBuf>) -> Vec<PathBuf> {
    paths.sort_by_key(|path| path.metadata().and_then(|about| about.modified()).ok());
    paths
}

/// The half of a plant that somebody names, to be measured against instead of what a recorded run
/// was measured against.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Named {
    inventory: Option<Page>,
    profiles: Option<Vec<Page>>,
    indicators: Option<Vec<Page>>,
}

impl Named {
    /// A folder of profiles, or a single file, checked.
    ///
    /// # Errors
    /// Every problem of every file at once.
    pub fn profiles(path: &Path) -> anyhow::Result<Self> {
        let args = PlantArgs {
            profiles: Some(path.to_owned()),
            ..PlantArgs::default()
        };
        let read = Blueprint::read(&args, Mode::Monitor)?;
        read.profiles()?;
        Ok(Self::of(&args, &read))
    }

    /// All of a plant.
    pub fn all(of: &Blueprint) -> Self {
        Self {
            inventory: of.inventory.clone(),
            profiles: Some(of.profiles.clone()),
            indicators: Some(of.indicators.clone()),
        }
    }

    /// What the arguments name, of what was read for them.
    pub fn of(args: &PlantArgs, read: &Blueprint) -> Self {
        let profiles = args.profiles.as_ref().map(|_| read.profiles.clone());
        Self {
            indicators: (!args.indicators.is_empty()).then(|| read.indicators.clone()),
            inventory: read.inventory.clone().filter(|_| args.inventory.is_some()),
            profiles,
        }
    }

    /// What a run was measured against, with what is named in its place.
    #[must_use]
    pub fn over(&self, recorded: &Blueprint) -> Blueprint {
        Blueprint {
            mode: recorded.mode,
            inventory: self
                .inventory
                .clone()
                .or_else(|| recorded.inventory.clone()),
            profiles: self
                .profiles
                .clone()
                .unwrap_or_else(|| recorded.profiles.clone()),
            indicators: self
                .indicators
                .clone()
                .unwrap_or_else(|| recorded.indicators.clone()),
        }
    }
}

/// The profiles below a path, or the built-in ones.
fn pages(path: Option<&Path>) -> anyhow::Result<Vec<Page>> {
    let Some(path) = path else {
        return Ok(builtin::PROFILES.iter().map(Page::of).collect());
    };
    let mut texts = Vec::new();
    gather(path, &mut texts)?;
    Ok(texts
        .into_iter()
        .map(|(path, text)| Page { path, text })
        .collect())
}

/// The lists of hostile destinations that the arguments name.
fn list_pages(args: &PlantArgs) -> anyhow::Result<Vec<Page>> {
    let texts = lists(&args.indicators)?;
    Ok(texts
        .into_iter()
        .map(|(path, text)| Page { path, text })
        .collect())
}

/// An inventory of nothing.
fn nobody() -> anyhow::Result<Inventory> {
    Ok(Inventory {
        site: "capture".to_owned(),
        clock: PlantClock::new("UTC").map_err(|e| anyhow!(e))?,
        zones: Vec::new(),
        networks: Vec::new(),
        segments: Vec::new(),
        devices: Vec::new(),
        holidays: Vec::new(),
        maintenance: Vec::new(),
        alert_budget: None,
        enforcement: inventory::Enforcement::default(),
        hash: String::new(),
        lookup: Lookup::default(),
    })
}

#[cfg(test)]
mod tests;
