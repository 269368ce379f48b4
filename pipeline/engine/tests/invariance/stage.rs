//! The engine as the pipeline runs it: a feed, some number of engines, and now and then an end
//! with no warning and a start from what was saved.

use std::sync::{Arc, LazyLock};

use andon_detectors::catalog::CATALOG;
use andon_engine::{Cause, Counts, Engine, Feed, Input, Item, Output, Plant, routed_to, vnode_of};
use andon_schemas::builtin;
use andon_schemas::bundle::Bundle;
use andon_schemas::command::Mode;
use andon_schemas::inventory;
use andon_schemas::profile::{self, SourceFile};
use andon_schemas::time::EventTime;

use crate::rows::Record;

/// The shipped plant.
pub(crate) static PLANT: LazyLock<Arc<Plant>> = LazyLock::new(|| {
    let names: Vec<_> = CATALOG.iter().map(|entry| entry.name).collect();
    let profiles = builtin::profiles(&names).unwrap();
    let inventory = builtin::inventory().unwrap();
    Arc::new(Plant::compile(inventory, &profiles, Mode::Monitor))
});

/// The plant after its engineers changed it: a destination more and in another order, another
/// volume, other patience, and one controller that the inventory does not list any more.
pub(crate) static CHANGED: LazyLock<Arc<Plant>> = LazyLock::new(|| {
    let names: Vec<_> = CATALOG.iter().map(|entry| entry.name).collect();
    let rewrite = |text: &str, changes: &[(&str, &str)]| {
        changes.iter().fold(text.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        })
    };
    let profiles: Vec<(&str, String)> = builtin::PROFILES
        .iter()
        .map(|file| {
            let changes: &[(&str, &str)] = match file.path {
                "profiles/cnc_controller.yaml" => &[("silence: 15 min", "silence: 40 min")],
                "profiles/cnc_controller_fanuc.yaml" => &[
                    (
                        "destinations:\n",
                        "destinations:\n  - { address: 203.0.113.9 }\n",
                    ),
                    ("50-150 MB", "1-3 MB"),
                ],
                _ => &[],
            };
            (file.path, rewrite(file.text, changes))
        })
        .collect();
    let files: Vec<SourceFile> = profiles
        .iter()
        .map(|(path, text)| SourceFile { path, text })
        .collect();
    let text = rewrite(builtin::INVENTORY.text, &[("{0031..0050}", "{0032..0050}")]);
    let inventory = inventory::parse(SourceFile {
        path: builtin::INVENTORY.path,
        text: &text,
    });
    let profiles = profile::parse(&files, &names).unwrap();
    Arc::new(Plant::compile(inventory.unwrap(), &profiles, Mode::Monitor))
});

/// How the input is cut and dealt out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    /// Most rows in one bundle.
    pub(crate) batch: usize,
    /// Number of engines.
    pub(crate) shards: usize,
    /// Parts of the batches in which the rows are laid together, if they are; two of three records
    /// then come with the places of their devices in the inventory.
    pub(crate) parts: Option<usize>,
}

/// Before this record everything stops and goes on from what was saved, cut in another way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kill {
    pub(crate) record: usize,
    pub(crate) then: Cut,
}

/// Everything that came out.
#[derive(Debug, Default)]
pub(crate) struct Played {
    pub(crate) items: Vec<(Cause, Item)>,
    pub(crate) counts: Counts,
    pub(crate) devices: usize,
    /// Tick after a record, by the record's number.
    pub(crate) ticks: Vec<(usize, EventTime)>,
    /// Snapshots of all engines at the end.
    pub(crate) saved: Vec<Vec<u8>>,
}

impl Played {
    /// What came out as text, causes included.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.items
            .iter()
            .map(|(cause, item)| {
                let Cause {
                    ordinal,
                    deadline,
                    device,
                } = cause;
                format!("{ordinal} {deadline} {device} {}", line(item))
            })
            .collect()
    }
}

/// An item as it is written.
pub(crate) fn line(item: &Item) -> String {
    match item {
        Item::Verdict(verdict) => serde_json::to_string(verdict).unwrap(),
        Item::Risk(update) => serde_json::to_string(update).unwrap(),
        Item::Late(row) | Item::Duplicate(row) => serde_json::to_string(row).unwrap(),
        Item::Window(window) => format!("{window:?}"),
        Item::Heartbeat(update) => format!("{update:?}"),
        Item::Refusal(refusal) => format!("{refusal:?}"),
    }
}

struct Run {
    /// What the engines measure against, and what the next record is to be measured against.
    plant: Arc<Plant>,
    given: Arc<Plant>,
    feed: Feed,
    places: bool,
    engines: Vec<Engine>,
    played: Played,
}

fn feed(plant: &Arc<Plant>, cut: Cut) -> Feed {
    let feed = Feed::new(plant.clone(), cut.batch);
    match cut.parts {
        Some(parts) => feed.in_batches(parts),
        None => feed,
    }
}

impl Run {
    fn new(cut: Cut) -> Self {
        Self {
            plant: PLANT.clone(),
            given: PLANT.clone(),
            feed: feed(&PLANT, cut),
            places: cut.parts.is_some(),
            engines: (0..cut.shards)
                .map(|_| Engine::new(PLANT.clone()))
                .collect(),
            played: Played::default(),
        }
    }

    /// Every engine takes the rows of its own virtual nodes, and every tick.
    fn step(&mut self) {
        for input in self.feed.take() {
            if let Input::Control(plant) = &input {
                self.plant = plant.clone();
            }
            let shards = self.engines.len();
            let outputs: Vec<Output> = self
                .engines
                .iter_mut()
                .enumerate()
                .map(|(at, engine)| {
                    let own = |bundle: &Bundle| {
                        let own = bundle.order.iter().filter(|row| {
                            let device = routed_to(&self.plant, bundle, row);
                            usize::from(vnode_of(device)) % shards == at
                        });
                        bundle.with_order(own.copied().collect())
                    };
                    match &input {
                        Input::Bundle(bundle) => engine.step(&Input::Bundle(Box::new(own(bundle)))),
                        Input::Batch(batch) => {
                            let mut batch = batch.clone();
                            for (_, bundle) in &mut batch.bundles {
                                *bundle = own(bundle);
                            }
                            engine.step(&Input::Batch(batch))
                        }
                        other => engine.step(other),
                    }
                })
                .collect();
            self.played.items.extend(Output::merge(outputs).items);
        }
    }

    fn push(&mut self, number: usize, record: &Record) {
        let with_places = self.places && !number.is_multiple_of(3);
        let views = record.iter().map(|row| {
            let mut view = row.view();
            let place = self.given.inventory().position(row.header.device.as_str());
            view.header.place = place
                .filter(|_| with_places)
                .map(|at| at.try_into().unwrap());
            view
        });
        self.feed.push_views(views);
    }

    fn save(&self) -> Vec<Vec<u8>> {
        let engines = self.engines.iter();
        engines.map(|engine| engine.snapshot().unwrap()).collect()
    }

    fn kill(&mut self, then: Cut) {
        self.feed.flush();
        self.step();
        let (saved, stood) = (self.save(), self.feed.state());
        self.feed = feed(&self.plant, then);
        self.places = then.parts.is_some();
        self.feed.resume(stood);
        self.engines = (0..then.shards)
            .map(|at| {
                let own = |vnode| usize::from(vnode) % then.shards == at;
                Engine::restore(self.plant.clone(), &saved, own, at == 0).unwrap()
            })
            .collect();
    }

    fn finish(mut self) -> Played {
        self.step();
        for engine in &self.engines {
            self.played.counts.add(&engine.counts());
            self.played.devices += engine.device_count();
        }
        self.played.saved = self.save();
        self.played
    }
}

/// Plays records to their end.
pub(crate) fn play(records: &[Record], cut: Cut, kills: &[Kill]) -> Played {
    play_changed(records, cut, kills, &[])
}

/// Plays records to their end; before those that are named, the plant is changed or changed back.
pub(crate) fn play_changed(
    records: &[Record],
    cut: Cut,
    kills: &[Kill],
    changes: &[usize],
) -> Played {
    let mut run = Run::new(cut);
    let mut other = [&*CHANGED, &*PLANT].into_iter().cycle();
    for (number, record) in records.iter().enumerate() {
        if changes.contains(&number)
            && let Some(plant) = other.next()
        {
            run.feed.control(plant.clone());
            run.given = plant.clone();
        }
        for kill in kills.iter().filter(|kill| kill.record == number) {
            run.kill(kill.then);
        }
        run.push(number, record);
        if let Some(tick) = run.feed.take_tick() {
            run.played.ticks.push((number, tick));
        }
        run.step();
    }
    run.feed.end();
    run.finish()
}

/// Plays records with the ticks of an earlier run, and does not end the input.
pub(crate) fn replay(records: &[Record], ticks: &[(usize, EventTime)]) -> Played {
    let mut run = Run::new(Cut {
        batch: 64,
        shards: 1,
        parts: None,
    });
    run.feed.recorded();
    for (number, record) in records.iter().enumerate() {
        run.feed.push(record);
        for (_, tick) in ticks.iter().filter(|(at, _)| *at == number) {
            run.feed.tick(*tick);
        }
    }
    run.feed.flush();
    run.finish()
}
