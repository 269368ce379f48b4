//! Other profiles beside those that a live run measures against, on the same input.
//!
//! A shadow is what the run would be, had its profiles been replaced at the moment when it began:
//! its engines go on from the state of the run's, take the same bundles, ticks and changes, and
//! differ in the profiles alone. What comes of it goes into a folder of its own and nowhere else.
//!
//! The run hands a chunk over only once its own verdicts on it are out, and looks after what came
//! of it with the next. [`Beside`] keeps whatever goes wrong here from going wrong there.

mod compared;
mod record;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use andon_engine::{Input, Plant};
use andon_schemas::chain::Chain;

use crate::aside::{Asides, times};
use crate::blueprint::{Blueprint, Named};
use crate::devices;
use crate::engines::with_plants;
use crate::exit::words;
use crate::live::state::State;
use crate::results::Results;
use crate::shards::Shards;

pub use self::compared::{Compared, compared};
pub use self::record::{About, Ended, Saved, retire};

/// Folder of a shadow, in the data folder of its run.
pub const FOLDER: &str = "shadow";

/// The shadow of a run, as long as nothing went wrong with it.
#[derive(Debug, Default)]
pub struct Beside {
    shadow: Option<Shadow>,
}

impl Beside {
    /// This shadow runs from now on, or none does. `data` is the folder of the run.
    pub fn put(&mut self, data: &Path, shadow: anyhow::Result<Shadow>) {
        self.shadow = match shadow {
            Ok(shadow) => Some(shadow),
            Err(error) => {
                mourn(data, &error);
                None
            }
        };
    }

    /// Whether there is one.
    pub fn is_on(&self) -> bool {
        self.shadow.is_some()
    }

    /// Whether there is one that measures against these profiles.
    pub fn measures_against(&self, named: &Named) -> bool {
        let shadow = self.shadow.as_ref();
        shadow.is_some_and(|shadow| shadow.is_of(named).unwrap_or(false))
    }

    /// The run measures against another plant from here on.
    pub fn follow(&mut self, run: &Blueprint) {
        self.attempt(|shadow| shadow.follow(run));
    }

    /// The run's engines have taken this.
    pub fn take(&mut self, inputs: &Arc<[Input]>) {
        self.attempt(|shadow| shadow.take(inputs));
    }

    /// Writes out what came of everything that was taken.
    pub fn settle(&mut self) {
        self.attempt(Shadow::settle);
    }

    /// Saves where it stands after everything that was taken, which is up to this log entry.
    pub fn save(&mut self, through: u64) {
        self.attempt(|shadow| shadow.save(through));
    }

    fn attempt(&mut self, work: impl FnOnce(&mut Shadow) -> anyhow::Result<()>) {
        if let Some(mut shadow) = self.shadow.take() {
            match work(&mut shadow) {
                Ok(()) => self.shadow = Some(shadow),
                Err(error) => mourn(&shadow.data, &error),
            }
        }
    }
}

/// A shadow has failed. It is said here and noted beside its results, and nothing else comes of it.
fn mourn(data: &Path, error: &anyhow::Error) {
    let cause = words(error);
    tracing::error!("the shadow has ended, the run goes on without it: {cause}");
    if let Err(error) = retire(data, &cause) {
        tracing::warn!("that cannot be noted beside its results: {}", words(&error));
    }
}

/// Engines that measure against other profiles, and what comes out.
#[derive(Debug)]
pub struct Shadow {
    /// The data folder of the run.
    data: PathBuf,
    /// They take the place of whatever profiles the run measures against.
    named: Named,
    blueprint: Blueprint,
    plant: Arc<Plant>,
    engines: Shards,
    results: Results,
    /// What changes of the plant on their way bring here.
    plants: Vec<Arc<Plant>>,
    /// What time its engines are told that it is.
    times: Asides,
    is_working: bool,
}

impl Shadow {
    /// A shadow that begins where a run stands now. What an earlier one left is kept beside.
    ///
    /// # Errors
    /// If the profiles cannot be used, or its folder cannot be written.
    pub fn fork(
        data: &Path,
        about: &About,
        named: Named,
        from: State,
        shards: usize,
    ) -> anyhow::Result<Self> {
        record::set_aside(data)?;
        let run = from.blueprint.compile()?;
        let blueprint = named.over(&from.blueprint).monitored();
        let plant = blueprint.compile()?;
        let folder = data.join(FOLDER);
        let mut results = Results::go_on(&folder)?;
        results.resume(from.orders, Chain::default())?;
        results.incidents = from.incidents;
        results.measured_against(&blueprint, &plant)?;
        about.write(&folder)?;
        let mut shadow = Self {
            data: data.to_owned(),
            named,
            blueprint,
            engines: Shards::restore(&run, shards, &from.shards)?,
            results,
            plants: Vec::new(),
            times: Asides::new(),
            is_working: false,
            plant: plant.clone(),
        };
        // What the run remembers of its devices goes on against these profiles.
        shadow.take(&Arc::from([Input::Control(plant)]))?;
        shadow.save(from.through)?;
        Ok(shadow)
    }

    /// A shadow that goes on where it was saved.
    ///
    /// # Errors
    /// If what was saved cannot be used, or its folder cannot be written.
    pub fn resume(data: &Path, saved: Saved, shards: usize) -> anyhow::Result<Self> {
        let folder = data.join(FOLDER);
        let about = About::read(&folder)?.going_on();
        about.write(&folder)?;
        let plant = saved.blueprint.compile()?;
        let mut results = Results::go_on(&folder)?;
        results.ledger = serde_json::from_slice(&saved.ledger)?;
        results.resume(saved.orders, saved.audit)?;
        results.incidents = saved.incidents;
        results.measures_against(&plant);
        Ok(Self {
            data: data.to_owned(),
            named: saved.named,
            blueprint: saved.blueprint,
            engines: Shards::restore(&plant, shards, &saved.shards)?,
            plant,
            results,
            plants: Vec::new(),
            times: Asides::new(),
            is_working: false,
        })
    }

    fn is_of(&self, named: &Named) -> anyhow::Result<bool> {
        let profiles = named.over(&self.blueprint).profiles()?;
        Ok(profiles.hash() == self.plant.profile_hash())
    }

    fn follow(&mut self, run: &Blueprint) -> anyhow::Result<()> {
        // What was taken so far was measured against what held so far.
        self.settle()?;
        let blueprint = self.named.over(run).monitored();
        let plant = blueprint.compile()?;
        self.results.measured_against(&blueprint, &plant)?;
        self.plants.push(plant.clone());
        self.plant = plant;
        self.blueprint = blueprint;
        Ok(())
    }

    /// Begins with a chunk, once it is done with the one before. What people do and what enforcement
    /// points answer is about the run's commands, and not about those that a shadow would give.
    fn take(&mut self, inputs: &Arc<[Input]>) -> anyhow::Result<()> {
        self.settle()?;
        self.times = times(inputs);
        let inputs = with_plants(inputs, std::mem::take(&mut self.plants));
        self.engines.begin(&inputs)?;
        self.is_working = true;
        Ok(())
    }

    fn settle(&mut self) -> anyhow::Result<()> {
        if !std::mem::replace(&mut self.is_working, false) {
            return Ok(());
        }
        let output = self.engines.settled()?;
        let times = std::mem::take(&mut self.times);
        // The run refuses the same rows, and counts them: that depends on the inventory alone.
        drop(self.results.take(output, times, |_| {})?);
        // They are in its files; a shadow orders nobody about, and tells nobody.
        drop(self.results.take_fresh());
        self.results.flush()
    }

    fn save(&mut self, through: u64) -> anyhow::Result<()> {
        self.settle()?;
        self.results.sync()?;
        let folder = self.data.join(FOLDER);
        devices::write(&folder, &self.plant, &self.engines.status()?)?;
        let saved = Saved {
            through,
            named: self.named.clone(),
            blueprint: self.blueprint.clone(),
            ledger: serde_json::to_vec(&self.results.ledger)?,
            orders: self.results.orders.clone(),
            incidents: self.results.incidents.clone(),
            audit: self.results.chain().clone(),
            shards: self.engines.snapshot()?,
        };
        saved.put(&folder)
    }
}
