//! A profile from clean traffic: what the devices of one type do, in the words in which a person
//! would write it, with what each figure rests on.
//!
//! Hours come from the engine, which counts them as it does when it watches; peers, protocols,
//! rhythms and states are counted here, because no detector asks for them. What does not look like
//! the rest is left out of the figures and listed ([`screen`](LeftOut)).

mod cadence;
mod commands;
mod figures;
pub mod guess;
mod law;
mod peers;
mod sample;
mod screen;
mod sensors;
mod states;
mod tally;
mod week;
mod write;

pub use screen::LeftOut;
pub use write::Learned;

use std::collections::BTreeMap;
use std::sync::Arc;

use andon_engine::{Engine, Input, Item, Plant};
use andon_ingest::files::CaptureError;
use andon_schemas::identity::DeviceId;
use andon_schemas::observation::Observation;
use andon_schemas::profile::ProfileSet;
use andon_schemas::time::EventTime;
use thiserror::Error;

use self::tally::{Names, Tally};
use crate::play::Player;

/// Why nothing is learned.
#[derive(Debug, Error)]
pub enum LearnError {
    /// A capture cannot be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// No device of the type is in it.
    #[error("no device of type `{0}` is in the capture; it holds: {1}")]
    NoSuchType(String, String),
    /// No device of any type is in it.
    #[error(
        "no device of the capture is one that the inventory gives a type, so there is nothing to \
         learn"
    )]
    Empty,
}

/// Learns from traffic. `device_type` is the only one that is learned, if one is named; `present`
/// are the profiles that hold by now, for what traffic cannot tell.
///
/// # Errors
/// If the traffic cannot be read, or no device of a type is in it.
pub fn learn(
    mut player: Player,
    plant: &Arc<Plant>,
    present: &ProfileSet,
    device_type: Option<&str>,
    told: &mut dyn FnMut(u64),
) -> Result<Vec<Learned>, LearnError> {
    let mut learner = Learner::new(plant);
    let mut engine = Engine::new(plant.clone());
    engine.tell_windows();
    while let Some(inputs) = player.next(&mut |rows| learner.rows(rows))? {
        for input in &inputs {
            learner.step(&mut engine, input);
        }
        told(player.records());
    }
    for input in player.end() {
        learner.step(&mut engine, &input);
    }
    let types: Vec<&str> = learner.types.keys().map(String::as_str).collect();
    if let Some(wanted) = device_type
        && !types.contains(&wanted)
    {
        return Err(LearnError::NoSuchType(wanted.to_owned(), types.join(", ")));
    }
    if types.is_empty() {
        return Err(LearnError::Empty);
    }
    let wanted = |name: &&String| device_type.is_none_or(|wanted| wanted == *name);
    let tallies = learner.types.iter().filter(|(name, _)| wanted(name));
    Ok(Learned::of(tallies, plant.inventory(), present))
}

/// Counts what devices do, by type.
struct Learner<'a> {
    plant: &'a Plant,
    types: BTreeMap<String, Tally>,
    /// The type and the number of a device within it; none of one without a type.
    places: BTreeMap<DeviceId, Option<(String, u32)>>,
    names: Names,
    newest: EventTime,
}

impl<'a> Learner<'a> {
    fn new(plant: &'a Plant) -> Self {
        Self {
            plant,
            types: BTreeMap::new(),
            places: BTreeMap::new(),
            names: Names::default(),
            newest: EventTime::MIN,
        }
    }

    /// The tally of a device's type, and its number there.
    fn place(&mut self, device: &DeviceId) -> Option<(&mut Tally, u32)> {
        if !self.places.contains_key(device) {
            let listed = self.plant.inventory().device(device.as_str());
            let named = listed.filter(|device| !device.device_type.is_empty());
            let is_measured = named.filter(|device| {
                matches!(device.function, andon_schemas::inventory::Function::Device)
            });
            let place = is_measured.map(|listed| {
                let tally = self.types.entry(listed.device_type.clone()).or_default();
                (listed.device_type.clone(), tally.enlist(device))
            });
            self.places.insert(device.clone(), place);
        }
        let (device_type, number) = self.places.get(device)?.as_ref()?;
        Some((self.types.get_mut(device_type)?, *number))
    }

    fn rows(&mut self, rows: &[Observation]) {
        let plant = self.plant;
        let mut names = std::mem::take(&mut self.names);
        for row in rows {
            self.newest = self.newest.max(row.header.event_time);
            if let Some((tally, number)) = self.place(&row.header.device) {
                tally.row(number, row, &mut names, plant.inventory());
            }
        }
        self.names = names;
    }

    fn step(&mut self, engine: &mut Engine, input: &Input) {
        if matches!(input, Input::Control(_)) {
            return;
        }
        for (_, item) in engine.step(input).items {
            if let Item::Window(window) = item
                && let Some((tally, number)) = self.place(&window.device)
            {
                tally.window(number, &window);
            }
        }
    }
}
