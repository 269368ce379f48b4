//! The shadow of a run: when it comes in, when it begins anew, and what it came to.

use std::path::Path;

use super::Run;
use crate::blueprint::Named;
use crate::exit::words;
use crate::live::shadow::{About, Compared, FOLDER, Saved, Shadow, compared, retire};
use crate::results::write_json;

/// Everything that a shadow would change.
const COMPARISON: &str = "compare.json";

impl Run<'_> {
    /// What an earlier run saved of its shadow, if this run can go on with it.
    pub(super) fn saved_shadow(&self, named: &Named) -> Option<Saved> {
        let found = Saved::load(&self.config.data).and_then(|saved| {
            let Some(saved) = saved else {
                return Ok(None);
            };
            let is_same = saved.is_of(named)?;
            Ok(is_same.then_some(saved))
        });
        let saved = match found {
            Ok(saved) => saved?,
            Err(error) => {
                tracing::warn!("cannot go on with the shadow: {}", words(&error));
                return None;
            }
        };
        let (began, ended) = (self.saved, self.log.last_sequence());
        if (began..=ended).contains(&saved.through) {
            return Some(saved);
        }
        tracing::warn!(
            "cannot go on with the shadow: it stood at log entry {}, and the log leads from {began} \
             to {ended}; a run without it went on meanwhile",
            saved.through
        );
        None
    }

    /// The log has been replayed to where a shadow was saved.
    pub(super) fn let_in(&mut self, saved: Saved) -> anyhow::Result<()> {
        self.collect(|core, each| core.flush(each))?;
        let folder = &self.config.data;
        match Shadow::resume(folder, saved, self.config.shards) {
            Ok(shadow) => self.core.beside.put(folder, Ok(shadow)),
            Err(error) => tracing::warn!("cannot go on with the shadow: {}", words(&error)),
        }
        Ok(())
    }

    /// Makes sure that a shadow runs, if one shall; returns what there is to say of it.
    pub(super) fn begin_shadow(&mut self, named: Option<Named>) -> anyhow::Result<Option<String>> {
        let Some(named) = named else {
            let cause = "the run went on without it";
            if let Err(error) = retire(&self.config.data, cause) {
                tracing::warn!("an earlier shadow: {}", words(&error));
            }
            return Ok(None);
        };
        let goes_on = self.core.beside.is_on();
        if !goes_on {
            self.fork(named)?;
        }
        if !self.core.beside.is_on() {
            return Ok(None);
        }
        let how = if goes_on {
            "it goes on where it stood"
        } else {
            "it begins now, from what the run remembers"
        };
        let results = self.config.data.join(FOLDER);
        Ok(Some(format!(
            "in shadow     {}: {how}; its verdicts are in {}",
            self.profiles_of_shadow(),
            results.display()
        )))
    }

    /// Reads the profiles of the shadow again. If they are others now, it begins anew: it has to
    /// say what these would change. What is wrong with them changes nothing.
    pub(super) fn reload_shadow(&mut self) -> anyhow::Result<()> {
        let Some(path) = &self.config.shadow else {
            return Ok(());
        };
        match Named::profiles(path) {
            Ok(named) if self.core.beside.measures_against(&named) => {
                tracing::info!("the profiles of the shadow are what they were");
            }
            Ok(named) => {
                self.fork(named)?;
                if self.core.beside.is_on() {
                    tracing::info!("the shadow has begun anew, from what the run remembers");
                }
            }
            Err(error) => tracing::error!(
                "the profiles of the shadow cannot be used, it goes on with the former ones: {}",
                words(&error)
            ),
        }
        Ok(())
    }

    /// Begins a shadow from where the run stands.
    fn fork(&mut self, named: Named) -> anyhow::Result<()> {
        self.collect(|core, each| core.flush(each))?;
        self.core.beside.settle();
        // From here on in its file, the verdicts of the run are of the time of the shadow.
        self.core.results.sync()?;
        let through = self.log.sync()?;
        let from = self.core.state(through)?;
        let config = self.config;
        let active = &config.plant.profiles;
        let active = active.as_deref().map_or("built in".to_owned(), named_as);
        let about = About::now(&config.data, active, self.profiles_of_shadow());
        let shadow =
            about.and_then(|about| Shadow::fork(&config.data, &about, named, from, config.shards));
        self.core.beside.put(&config.data, shadow);
        Ok(())
    }

    fn profiles_of_shadow(&self) -> String {
        let path = self.config.shadow.as_deref();
        path.map(named_as).unwrap_or_default()
    }

    /// What the shadow of this run would change. What goes wrong here is only said: the run itself
    /// ended well.
    pub(super) fn compared(&mut self) -> Option<Compared> {
        self.config.shadow.as_ref()?;
        self.core.beside.settle();
        let folder = &self.config.data;
        let found = compared(folder).and_then(|found| {
            write_json(&folder.join(FOLDER).join(COMPARISON), &found)?;
            Ok(found)
        });
        found
            .inspect_err(|error| {
                tracing::error!("cannot compare the shadow with the run: {}", words(error));
            })
            .ok()
    }
}

fn named_as(path: &Path) -> String {
    path.display().to_string()
}
