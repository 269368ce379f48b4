//! A capture on its way through the engine, and beside it, if that is wanted, through a second one
//! that measures against other profiles. The capture is read and decoded once.

use std::path::Path;
use std::sync::Arc;

use andon_engine::{Input, Output, Plant};
use andon_ingest::files::{Captures, FileReport, Item, Order, Piece, ReadAhead};
use andon_lab::report::{History, Stretch};
use andon_schemas::profile::Profile;
use andon_schemas::reject::Reject;
use andon_schemas::time::EventTime;
use andon_schemas::verdict::Verdict;
use anyhow::anyhow;

use crate::args::BacktestArgs;
use crate::aside::{Aside, Asides};
use crate::blueprint::{Blueprint, Named};
use crate::engines::{Engines, with_plants};
use crate::exit::usage;
use crate::intake::{CHUNK, Intake};
use crate::progress::Progress;
use crate::results::{Results, Taken};
use crate::shards::{Shards, Status};
use crate::truth::{Labels, Leaks};

/// Folder of what the profiles compared with made of the capture, among the results.
pub(super) const COMPARED: &str = "compare";

/// Engines, what they measure against, and what comes out.
pub(super) struct Side {
    engines: Engines,
    /// What the engines came to at the end.
    pub(super) status: Status,
    pub(super) results: Results,
    pub(super) history: History,
    pub(super) plant: Arc<Plant>,
    /// Every profile that anything was measured against, the last of a name last.
    pub(super) profiles: Vec<Profile>,
}

impl Side {
    fn new(
        blueprint: &Blueprint,
        plant: &Arc<Plant>,
        engines: Engines,
        folder: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let mut side = Self {
            engines,
            status: Status::default(),
            results: Results::create(folder).map_err(usage)?,
            history: History::default(),
            plant: plant.clone(),
            profiles: Vec::new(),
        };
        side.results.measured_against(blueprint, plant)?;
        side.knows(blueprint, plant)?;
        Ok(side)
    }

    /// What the report tells of.
    fn knows(&mut self, blueprint: &Blueprint, plant: &Arc<Plant>) -> anyhow::Result<()> {
        self.profiles.extend(blueprint.profiles()?.iter().cloned());
        self.plant = plant.clone();
        Ok(())
    }

    fn take(&mut self, output: Output, asides: Asides) -> anyhow::Result<Taken> {
        let history = &mut self.history;
        let each = |verdict: &Verdict| history.take(verdict);
        let taken = self.results.take(output, asides, each)?;
        // They are in its files; a backtest orders nobody about, and tells nobody.
        drop(self.results.take_fresh());
        Ok(taken)
    }

    fn restart(&mut self, shards: usize) -> anyhow::Result<()> {
        self.engines.restart(&self.plant, shards)
    }
}

/// The profiles that are compared with.
pub(super) struct Other {
    pub(super) side: Side,
    /// They take the place of whatever profiles a recorded run brings.
    named: Named,
}

/// A capture on its way.
pub(super) struct Play<'a> {
    args: &'a BacktestArgs,
    pub(super) side: Side,
    pub(super) other: Option<Other>,
    pub(super) intake: Intake,
    pub(super) order: Order,
    pub(super) as_of: EventTime,
    pub(super) stretch: Stretch,
    /// What leaves while attacks go on.
    pub(super) labels: Option<Labels>,
    pub(super) leaks: Leaks,
    /// Labels are resolved against the first plant that a record was measured against.
    watches: bool,
    /// A recorded run brought a plant of its own.
    pub(super) is_recorded: bool,
    running: Option<Running>,
}

/// What the engines work on while the next is read.
struct Running {
    /// Ordinals below this one are in it or went before.
    given: u64,
    /// What was refused of it before it came to the engines.
    rejects: Vec<Reject>,
    /// What stands between its rows.
    asides: Asides,
    /// The same for the profiles compared with.
    other_asides: Asides,
}

impl<'a> Play<'a> {
    pub(super) fn new(
        args: &'a BacktestArgs,
        (blueprint, plant): (&Blueprint, &Arc<Plant>),
        engines: Engines,
        captures: &Captures,
        by_address: bool,
        as_of: EventTime,
    ) -> anyhow::Result<Self> {
        let kept = Named::of(&args.plant, blueprint);
        let compared = args.compare.as_deref();
        let compared = compared.map(|profiles| {
            if by_address {
                return Err(usage(anyhow!(
                    "nothing can be compared: devices are taken by their address, and no profile \
                     applies to them. Name the plant with --inventory."
                )));
            }
            Named::profiles(profiles)
        });
        // Profiles that cannot be used are told before results of an earlier run are emptied.
        let named = (kept, compared.transpose()?);
        Self::of(
            args,
            (blueprint, plant),
            engines,
            captures,
            as_of,
            named,
            by_address,
        )
    }

    /// The same, with what is kept to whatever plant a recorded run brings, and the profiles that
    /// are compared with.
    pub(super) fn of(
        args: &'a BacktestArgs,
        (blueprint, plant): (&Blueprint, &Arc<Plant>),
        engines: Engines,
        captures: &Captures,
        as_of: EventTime,
        (kept, compared): (Named, Option<Named>),
        by_address: bool,
    ) -> anyhow::Result<Self> {
        let mut intake = Intake::new(plant, args.batch_size, by_address).in_batches(args.shards);
        intake.keep_to(kept);
        let other = compared.map(|named| other_side(args, named, blueprint));
        let other = other.transpose()?;
        Ok(Self {
            args,
            other,
            side: Side::new(blueprint, plant, engines, args.out.as_deref())?,
            intake,
            order: captures.order(),
            as_of,
            stretch: Stretch::default(),
            labels: None,
            leaks: Leaks::default(),
            watches: false,
            is_recorded: false,
            running: None,
        })
    }

    /// Plays all of it; returns what became of each file. While the engines work on one chunk, the
    /// next is split and the one after it decoded.
    pub(super) fn all(&mut self, captures: Captures) -> anyhow::Result<Vec<FileReport>> {
        let mut captures = captures.pieces_ahead(CHUNK).map_err(usage)?;
        let played = self.chunks(&mut captures);
        self.watch();
        // What the engines work on stands in the results even if nothing can be read after it.
        let settled = self.settle();
        let rejects = self.intake.take_rejects();
        self.side.results.rejects(&rejects)?;
        self.sides()
            .try_for_each(|(side, _)| side.results.flush())?;
        played.and(settled)?;
        for (side, _) in self.sides() {
            side.status = side.engines.status()?;
        }
        Ok(captures.files().to_vec())
    }

    fn chunks(&mut self, captures: &mut ReadAhead<Piece>) -> anyhow::Result<()> {
        let progress = Progress::new("records");
        let mut chunks = 0_u64;
        loop {
            let pieces = captures.next_batch().map_err(usage)?;
            let ended = pieces.is_empty();
            for piece in pieces {
                self.piece(piece)?;
            }
            if ended {
                self.intake.end();
            }
            self.run()?;
            progress.set(self.intake.tally().records);
            if ended {
                progress.done();
                return Ok(());
            }
            chunks += 1;
            let every = self.args.restart_every;
            if every.is_some_and(|every| chunks.is_multiple_of(every)) {
                self.intake.feed().flush();
                self.run()?;
                self.settle()?;
                self.sides()
                    .try_for_each(|(side, shards)| side.restart(shards))?;
            }
        }
    }

    /// Both sides, each with the number of its shards.
    fn sides(&mut self) -> impl Iterator<Item = (&mut Side, usize)> {
        let shards = self.args.shards;
        let other = self.other.as_mut().map(|other| &mut other.side);
        [Some(&mut self.side), other]
            .into_iter()
            .flatten()
            .map(move |side| (side, shards))
    }

    /// Begins to watch for what the labels name, once it is known what devices are called: a
    /// recorded run brings its plant before its first record.
    fn watch(&mut self) {
        if std::mem::replace(&mut self.watches, true) {
            return;
        }
        if let Some(labels) = &mut self.labels {
            labels.resolve(self.intake.plant().inventory());
            self.leaks = Leaks::of(labels.all());
        }
    }

    fn piece(&mut self, piece: Piece) -> anyhow::Result<()> {
        let block = match piece {
            Piece::Items(items) => {
                return items.into_iter().try_for_each(|item| self.item(item));
            }
            Piece::Flows(block) => block,
        };
        self.watch();
        if self.leaks.is_any_watched() {
            return block.items(self.as_of).try_for_each(|item| self.item(item));
        }
        let stretch = &mut self.stretch;
        self.intake.flows(&block, self.as_of, |at| stretch.see(at));
        Ok(())
    }

    fn item(&mut self, item: Item) -> anyhow::Result<()> {
        let at = match &item {
            Item::Record { record, .. } => {
                self.watch();
                self.leaks.see(record, self.intake.plant().inventory());
                Some(record.event_time)
            }
            _ => None,
        };
        let before = self.intake.tally().observed;
        self.intake.item(item, self.as_of).map_err(usage)?;
        if let Some(at) = at.filter(|_| self.intake.tally().observed > before) {
            self.stretch.see(at);
        }
        Ok(())
    }

    /// What the intake holds goes to the engines, once they have done with what they had before.
    fn run(&mut self) -> anyhow::Result<()> {
        let rejects = self.intake.take_rejects();
        self.settle()?;
        let inputs: Arc<[Input]> = self.intake.take().into();
        let asides = self.intake.take_asides(&inputs);
        let mut other_asides = Asides::new();
        let mut swapped = Vec::new();
        for (place, aside) in &asides {
            match aside {
                Aside::Plant(blueprint, plant) => {
                    let other = self.change(blueprint, plant)?;
                    swapped.extend(other.iter().map(|(_, plant)| plant.clone()));
                    let other = other.map(|(b, plant)| (*place, Aside::Plant(Box::new(b), plant)));
                    other_asides.extend(other);
                }
                Aside::Time(_) => other_asides.push((*place, aside.clone())),
                // What people did about commands was not about those of other profiles.
                Aside::Act(_) | Aside::Ack(_) => {}
            }
        }
        self.side.engines.begin(&inputs)?;
        if let Some(Other { side, .. }) = &mut self.other {
            side.engines.begin(&with_plants(&inputs, swapped))?;
        }
        self.running = Some(Running {
            given: self.intake.given(),
            rejects,
            asides,
            other_asides,
        });
        Ok(())
    }

    /// A recorded run changes its plant; returns what that is to the profiles compared with.
    fn change(
        &mut self,
        blueprint: &Blueprint,
        plant: &Arc<Plant>,
    ) -> anyhow::Result<Option<(Blueprint, Arc<Plant>)>> {
        // It brings its plant before its first row: nothing was measured against the assumed one.
        if !self.is_recorded {
            self.sides().for_each(|(side, _)| side.profiles.clear());
        }
        self.is_recorded = true;
        self.side.knows(blueprint, plant)?;
        let Some(Other { side, named }) = &mut self.other else {
            return Ok(None);
        };
        let blueprint = named.over(blueprint);
        let plant = blueprint.compile()?;
        side.knows(&blueprint, &plant)?;
        Ok(Some((blueprint, plant)))
    }

    /// What the engines settled goes to the results.
    fn settle(&mut self) -> anyhow::Result<()> {
        let Some(running) = self.running.take() else {
            return Ok(());
        };
        let Running {
            given, mut rejects, ..
        } = running;
        let output = self.side.engines.settled(given)?;
        let taken = self.side.take(output, running.asides)?;
        self.intake.settle_below(given, taken.refused);
        for reject in taken.rejects {
            self.intake.reject(reject);
        }
        rejects.extend(self.intake.take_rejects());
        self.side.results.rejects(&rejects)?;
        if let Some(Other { side, .. }) = &mut self.other {
            let output = side.engines.settled(given)?;
            // Both refuse the same rows: that depends on the inventory alone.
            side.take(output, running.other_asides)?;
        }
        Ok(())
    }
}

fn other_side(args: &BacktestArgs, named: Named, blueprint: &Blueprint) -> anyhow::Result<Other> {
    let blueprint = named.over(blueprint);
    let plant = blueprint.compile()?;
    let folder = args.out.as_ref().map(|folder| folder.join(COMPARED));
    let engines = Engines::Here(Shards::new(&plant, args.shards)?);
    Ok(Other {
        side: Side::new(&blueprint, &plant, engines, folder.as_deref())?,
        named,
    })
}
