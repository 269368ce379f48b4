//! What a live run keeps to go on from: its log, its saved state, and the changes of the plant in
//! between.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use andon_engine::Plant;
use andon_ingest::delivery::{Receipt, Settle};
use andon_ingest::log::{self, Body, Log, LogError};
use andon_schemas::bundle::BUNDLE_ROWS_MAX;
use andon_schemas::time::EventTime;
use anyhow::{Context as _, anyhow};

use super::{IDLE_EVERY, Run};
use crate::blueprint::{Blueprint, Named};
use crate::exit::{usage, words};
use crate::live::message::Message;
use crate::live::state::{self, State};
use crate::{advisories, devices, wall};

/// Kind of the control input that changes inventory and profiles.
const PLANT: &str = "plant";
/// Kind of the control input by which a person does something.
pub(super) const ACT: &str = "act";

/// Where receipts go, once there is a source to send them to.
type WayBack = Arc<OnceLock<Arc<dyn Settle>>>;

/// What earlier runs left in the data folder: read before anybody is listened to, so that a run
/// which cannot go on from it says so first, and leaves nothing new behind.
pub(super) struct Past {
    log: Option<Log>,
    way_back: WayBack,
    /// The saved state.
    pub(super) state: Option<State>,
}

impl Past {
    /// Reads it; there is none yet at the very beginning. A run that `is_captured` must have none,
    /// and one of another site than `plant`'s goes on from nothing that is here.
    ///
    /// # Errors
    /// If the state or the log is damaged or in use, or there is a past where none may be.
    pub(super) fn of(folder: &Path, is_captured: bool, plant: &Plant) -> anyhow::Result<Self> {
        let way_back = WayBack::default();
        let log = folder.join("log");
        let log = log
            .is_dir()
            .then(|| open_log(&log, way_back.clone()))
            .transpose()?;
        let state = state::load(folder).map_err(usage)?;
        if let Some(state) = &state {
            let saved = state
                .check()
                .with_context(|| state::useless(folder))
                .map_err(usage)?;
            check_site(folder, &saved, plant)?;
        }
        let covered = state.as_ref().map_or(0, |state| state.through);
        let reached = log.as_ref().map_or(0, Log::last_sequence);
        if reached < covered {
            return Err(usage(anyhow!(
                "the log in `{}` ends at entry {reached} and the state goes on to {covered}: what \
                 had been written is gone. Move the folder away, or name another with --data; \
                 what was learned of the devices begins anew",
                folder.display()
            )));
        }
        let has_rows = log.as_ref().is_some_and(|log| log.last_sequence() > 0);
        if is_captured && (state.is_some() || has_rows) {
            return Err(usage(anyhow!(
                "a capture repeats a run from its beginning, and `{}` holds the state of an \
                 earlier one; name another folder with --data",
                folder.display()
            )));
        }
        Ok(Self {
            log,
            way_back,
            state,
        })
    }

    /// The log, made if there was none; what becomes durable in it is acknowledged through
    /// `settle`.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(super) fn log(&mut self, folder: &Path, settle: Arc<dyn Settle>) -> anyhow::Result<Log> {
        self.way_back.get_or_init(|| settle);
        match self.log.take() {
            Some(log) => Ok(log),
            None => open_log(&folder.join("log"), self.way_back.clone()),
        }
    }
}

fn open_log(folder: &Path, way_back: WayBack) -> anyhow::Result<Log> {
    let (log, recovery) = Log::open(folder, log::Options::default(), move |commit| {
        // Nothing is written before the source is open, so no receipt is lost here.
        if let Some(settle) = way_back.get() {
            settle.settle(&commit.receipts);
        }
    })?;
    if let Some(torn) = &recovery.torn {
        tracing::warn!(
            "the log ended in the middle of a record, as after a crash: {} bytes that nobody was \
             promised were cut off {}",
            torn.bytes,
            torn.path.display()
        );
    }
    Ok(log)
}

/// What a folder holds is of one site: topics and ids of verdicts depend on it.
fn check_site(folder: &Path, ours: &Plant, theirs: &Plant) -> anyhow::Result<()> {
    let (ours, theirs) = (&ours.inventory().site, &theirs.inventory().site);
    if ours == theirs {
        return Ok(());
    }
    Err(usage(anyhow!(
        "`{}` belongs to the site `{ours}` and the inventory to `{theirs}`; name another folder \
         with --data",
        folder.display()
    )))
}

impl Run<'_> {
    /// Goes on where the last run stood: its saved state, then the log from there. A shadow comes
    /// in where it stood, which is never before the run.
    pub(super) fn recover(
        &mut self,
        state: Option<State>,
        shadow: Option<&Named>,
    ) -> anyhow::Result<()> {
        if let Some(state) = state {
            self.saved = state.through;
            self.core.resume(state, self.config.shards)?;
        } else {
            let (orders, chain) = Default::default();
            self.core.results.resume(orders, chain)?;
        }
        let mut shadow = shadow.and_then(|named| self.saved_shadow(named));
        let came = Instant::now();
        let mut waiting = 0;
        for entry in self.log.replay(self.saved + 1)? {
            let entry = entry?;
            if let Some(saved) = shadow.take_if(|saved| saved.through < entry.sequence) {
                self.let_in(saved)?;
            }
            let received_at = EventTime::from_micros(entry.received_at);
            match entry.body {
                Body::Message {
                    topic,
                    payload,
                    sender,
                    proven,
                } => {
                    let message = Message {
                        topic,
                        payload,
                        sender,
                        proven,
                        received_at,
                        sequence: entry.sequence,
                    };
                    self.take(&message, came)?;
                }
                Body::Tick { at } => self.core.idle(EventTime::from_micros(at))?,
                Body::Control { kind, payload } => {
                    let control = self.control(&kind, &payload);
                    let number = entry.sequence;
                    control.with_context(|| format!("log entry {number}"))?;
                }
            }
            waiting += 1;
            if waiting == BUNDLE_ROWS_MAX {
                // A long log must not fill the memory.
                self.collect(|core, each| core.flush(each))?;
                waiting = 0;
            }
        }
        if let Some(saved) = shadow {
            self.let_in(saved)?;
        }
        self.collect(|core, each| core.flush(each))
    }

    /// Takes a control input of the log.
    fn control(&mut self, kind: &str, payload: &[u8]) -> anyhow::Result<()> {
        match kind {
            PLANT => {
                let change = serde_json::from_slice(payload)
                    .context("cannot read the change of inventory, profiles and indicators")?;
                // A shadow takes what went before it first.
                self.collect(|core, each| core.flush(each))?;
                self.core.change(change)
            }
            ACT => {
                let act = serde_json::from_slice(payload).context("cannot read the act")?;
                self.core.act(act)
            }
            _ => Err(anyhow!(
                "`{kind}` is no control input that this build knows"
            )),
        }
    }

    /// Goes on with what the files say now. If that is not what was measured against so far, or if
    /// this is the very beginning, it is written into the log first: whoever replays the log must
    /// measure every row against what it was measured against here.
    pub(super) fn adopt(&mut self, blueprint: Blueprint) -> anyhow::Result<()> {
        let is_new = blueprint != *self.core.blueprint();
        if !is_new && self.log.last_sequence() > 0 {
            return Ok(());
        }
        if is_new {
            check_site(&self.config.data, self.core.plant(), &*blueprint.compile()?)?;
        }
        let body = Body::Control {
            kind: PLANT.to_owned(),
            payload: serde_json::to_vec(&blueprint)?,
        };
        self.append(wall::now(), &body, None)?;
        self.log.sync()?;
        if is_new {
            self.core.change(blueprint)?;
        }
        Ok(())
    }

    /// Reads inventory, profiles and indicators again. What is wrong with them changes nothing.
    ///
    /// # Errors
    /// If the change cannot be made durable: then nobody may go on, with or without it.
    pub(super) fn reload(&mut self) -> anyhow::Result<()> {
        let config = self.config;
        if let Some(advisor) = &self.core.advisor {
            advisor.reload_aside();
        }
        let read = Blueprint::read(&config.plant, config.mode).and_then(|blueprint| {
            check_site(&config.data, self.core.plant(), &*blueprint.compile()?)?;
            Ok(blueprint)
        });
        match read {
            Ok(blueprint) if blueprint == *self.core.blueprint() => {
                tracing::info!("inventory, profiles and indicators are what they were");
            }
            Ok(blueprint) => {
                self.adopt(blueprint)?;
                tracing::info!(
                    devices = self.core.plant().inventory().devices.len(),
                    profiles = self.core.plant().profile_hash(),
                    inventory = self.core.plant().inventory_hash(),
                    indicators = self.core.plant().indicators().len(),
                    "inventory, profiles and indicators were read again and are in force"
                );
            }
            Err(error) => tracing::error!(
                "inventory, profiles or indicators cannot be used, the former ones stay in force: \
                 {}",
                words(&error)
            ),
        }
        Ok(())
    }

    /// Writes an entry to the log. A full log is let go of as far as the state can cover it; if
    /// that frees nothing, the run waits and the source stops being read.
    pub(super) fn append(
        &mut self,
        received_at: EventTime,
        body: &Body,
        receipt: Option<Receipt>,
    ) -> anyhow::Result<u64> {
        loop {
            match self.log.append(received_at.micros(), body, receipt) {
                Err(LogError::Full { .. }) => {
                    self.collect(|core, each| core.flush(each))?;
                    self.save()?;
                    std::thread::sleep(IDLE_EVERY);
                }
                result => return Ok(result?),
            }
        }
    }

    /// Saves the state and lets go of the log that it covers.
    pub(super) fn save(&mut self) -> anyhow::Result<()> {
        let through = self.log.sync()?;
        if !self.core.effects_are_out()? {
            tracing::warn!("the broker has not acknowledged what was published; keeping the log");
            return Ok(());
        }
        let state = self.core.state(through)?;
        // It may stand further than the run does, never less far.
        self.core.beside.save(through);
        let folder = &self.config.data;
        state::save(folder, &state)?;
        self.saved = through;
        self.log.release(through)?;
        let inventory = self.core.plant().inventory();
        advisories::keep_aside(self.core.advisor.as_ref(), folder, inventory)?;
        devices::write(folder, self.core.plant(), &self.core.status()?)
    }
}
