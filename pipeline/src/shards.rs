//! Several engines side by side, one per thread, each owning a set of virtual nodes.
//!
//! A chunk of input goes to all of them, each takes the rows of its own devices and every tick,
//! and what comes out is put in one order. The number of shards changes nothing but the speed.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use andon_engine::{
    Batch, Counts, Engine, Input, Output, Plant, SnapshotError, Standing, routed_to, vnode_of,
};
use andon_schemas::bundle::Bundle;
use andon_schemas::identity::DeviceId;
use andon_schemas::verdict::Risk;
use anyhow::{Context as _, anyhow};
use serde::{Deserialize, Serialize};

/// What a shard's thread is asked.
#[derive(Debug)]
enum Ask {
    Run(Arc<[Input]>),
    Snapshot,
    Status,
    Look(usize, usize),
}

/// What it answers.
#[derive(Debug)]
enum Answer {
    Ran(Output),
    Snapshot(Result<Vec<u8>, String>),
    Status(Box<Status>),
    Look(Look),
}

/// What is known of some devices, and how much there is.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// What is known of them.
    pub standings: Vec<Standing>,
    /// Counts of the engines.
    pub counts: Counts,
    /// The most devices that any of the engines has.
    pub devices: usize,
}

impl Look {
    /// Looks at so many devices of an engine, from a place on.
    pub fn at(engine: &Engine, from: usize, count: usize) -> Self {
        Self {
            standings: engine.standings(from, count),
            counts: engine.counts(),
            devices: engine.device_count(),
        }
    }

    /// Adds that of another engine.
    pub fn add(&mut self, other: Self) {
        self.standings.extend(other.standings);
        self.counts.add(&other.counts);
        self.devices = self.devices.max(other.devices);
    }
}

/// What can be told about a shard without stopping it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Status {
    /// Its counts.
    pub counts: Counts,
    /// Number of devices seen.
    pub devices: usize,
    /// Risk of every device seen.
    pub risks: Vec<(DeviceId, Risk)>,
}

impl Status {
    /// Adds that of another shard.
    pub fn add(&mut self, other: Self) {
        self.counts.add(&other.counts);
        self.devices += other.devices;
        self.risks.extend(other.risks);
    }

    /// Puts devices in order, once all shards are added.
    pub fn sort(&mut self) {
        self.risks.sort_by(|a, b| a.0.cmp(&b.0));
    }
}

#[derive(Debug)]
struct Shard {
    asks: Option<SyncSender<Ask>>,
    answers: Receiver<Answer>,
    thread: Option<JoinHandle<()>>,
}

/// Engines side by side.
#[derive(Debug)]
pub struct Shards {
    shards: Vec<Shard>,
}

/// The shard, of so many, that owns a device.
fn owner(device: &str, shards: usize) -> usize {
    usize::from(vnode_of(device)) % shards
}

impl Shards {
    /// Engines that have seen nothing.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn new(plant: &Arc<Plant>, shards: usize) -> anyhow::Result<Self> {
        let shards = shards.max(1);
        Self::start((0..shards).map(|_| Engine::new(plant.clone())).collect())
    }

    /// Engines that go on where the snapshots of some number of shards were taken.
    ///
    /// # Errors
    /// If a snapshot cannot be read, or the system gives no thread.
    pub fn restore(
        plant: &Arc<Plant>,
        shards: usize,
        snapshots: &[Vec<u8>],
    ) -> anyhow::Result<Self> {
        let shards = shards.max(1);
        let engines = (0..shards)
            .map(|at| {
                let own = |vnode| usize::from(vnode) % shards == at;
                Engine::restore(plant.clone(), snapshots, own, at == 0)
            })
            .collect::<Result<_, SnapshotError>>()?;
        Self::start(engines)
    }

    fn start(engines: Vec<Engine>) -> anyhow::Result<Self> {
        Self::start_with(engines, |name, work| {
            std::thread::Builder::new().name(name).spawn(work)
        })
    }

    /// The same by whatever gives threads. If it gives none, those it gave before end.
    fn start_with(
        engines: Vec<Engine>,
        spawn: impl Fn(String, Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle<()>>,
    ) -> anyhow::Result<Self> {
        let count = engines.len();
        let shards = engines
            .into_iter()
            .enumerate()
            .map(|(at, engine)| {
                let (asks, inbox) = sync_channel(2);
                let (outbox, answers) = sync_channel(2);
                let work = move || serve(engine, at, count, &inbox, &outbox);
                let thread = spawn(format!("shard-{at}"), Box::new(work))
                    .with_context(|| format!("cannot start thread {} of {count}", at + 1))?;
                Ok(Shard {
                    asks: Some(asks),
                    answers,
                    thread: Some(thread),
                })
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { shards })
    }

    /// Takes a chunk of input, in order, and returns everything it settled, in order.
    ///
    /// # Errors
    /// If a shard's thread is gone.
    pub fn run(&self, inputs: Vec<Input>) -> anyhow::Result<Output> {
        self.begin(&inputs.into())?;
        self.settled()
    }

    /// Hands a chunk of input over. Other shards can work on theirs before [`settled`] is called,
    /// once.
    ///
    /// [`settled`]: Self::settled
    ///
    /// # Errors
    /// If a shard's thread is gone.
    pub fn begin(&self, inputs: &Arc<[Input]>) -> anyhow::Result<()> {
        self.tell(|| Ask::Run(inputs.clone()))
    }

    /// Everything that the chunk settled, in order.
    ///
    /// # Errors
    /// If a shard's thread is gone.
    pub fn settled(&self) -> anyhow::Result<Output> {
        let outputs = self.answers()?;
        Ok(Output::merge(outputs.into_iter().filter_map(
            |answer| match answer {
                Answer::Ran(output) => Some(output),
                Answer::Snapshot(_) | Answer::Status(_) | Answer::Look(_) => None,
            },
        )))
    }

    /// The state of all shards at this point of the input.
    ///
    /// # Errors
    /// If a shard cannot write its state.
    pub fn snapshot(&self) -> anyhow::Result<Vec<Vec<u8>>> {
        let answers = self.ask(|| Ask::Snapshot)?;
        answers
            .into_iter()
            .map(|answer| match answer {
                Answer::Snapshot(bytes) => bytes.map_err(|e| anyhow!(e)),
                Answer::Ran(_) | Answer::Status(_) | Answer::Look(_) => {
                    Err(anyhow!("a shard answered out of turn"))
                }
            })
            .collect()
    }

    /// Counts and risks of all shards.
    ///
    /// # Errors
    /// If a shard's thread is gone.
    pub fn status(&self) -> anyhow::Result<Status> {
        let mut all = Status::default();
        for answer in self.ask(|| Ask::Status)? {
            if let Answer::Status(status) = answer {
                all.add(*status);
            }
        }
        all.sort();
        Ok(all)
    }

    /// What is known of so many devices of each shard, from a place on.
    ///
    /// # Errors
    /// If a shard's thread is gone.
    pub fn look(&self, from: usize, count: usize) -> anyhow::Result<Look> {
        let mut all = Look::default();
        for answer in self.ask(|| Ask::Look(from, count))? {
            if let Answer::Look(look) = answer {
                all.add(look);
            }
        }
        Ok(all)
    }

    fn ask(&self, question: impl Fn() -> Ask) -> anyhow::Result<Vec<Answer>> {
        self.tell(question)?;
        self.answers()
    }

    fn tell(&self, question: impl Fn() -> Ask) -> anyhow::Result<()> {
        for shard in &self.shards {
            let asks = shard.asks.as_ref().context("the shards have stopped")?;
            asks.send(question())
                .map_err(|_| anyhow!("a shard's thread is gone"))?;
        }
        Ok(())
    }

    fn answers(&self) -> anyhow::Result<Vec<Answer>> {
        self.shards
            .iter()
            .map(|shard| shard.answers.recv().context("a shard's thread is gone"))
            .collect()
    }
}

impl Drop for Shards {
    fn drop(&mut self) {
        for shard in &mut self.shards {
            shard.asks = None;
            if let Some(thread) = shard.thread.take()
                && thread.join().is_err()
            {
                tracing::error!("a shard's thread ended by a panic");
            }
        }
    }
}

fn serve(
    mut engine: Engine,
    at: usize,
    count: usize,
    inbox: &Receiver<Ask>,
    outbox: &SyncSender<Answer>,
) {
    while let Ok(ask) = inbox.recv() {
        let answer = match ask {
            Ask::Run(inputs) => Answer::Ran(run(&mut engine, &inputs, at, count)),
            Ask::Snapshot => Answer::Snapshot(engine.snapshot()),
            Ask::Status => Answer::Status(Box::new(status(&engine))),
            Ask::Look(from, count) => Answer::Look(Look::at(&engine, from, count)),
        };
        if outbox.send(answer).is_err() {
            return;
        }
    }
}

/// What can be told about an engine.
pub fn status(engine: &Engine) -> Status {
    Status {
        counts: engine.counts(),
        devices: engine.device_count(),
        risks: engine.risks(),
    }
}

/// What an engine settles that is number `at` of `count`, each with its own devices.
pub fn run(engine: &mut Engine, inputs: &[Input], at: usize, count: usize) -> Output {
    let mut all = Output::default();
    for input in inputs {
        let output = match input {
            Input::Bundle(bundle) if count > 1 => {
                let own = own_rows(engine.plant(), bundle, at, count);
                engine.step(&Input::Bundle(Box::new(own)))
            }
            Input::Batch(batch) if count > 1 => {
                let own = own_parts(engine.plant(), batch, at, count);
                engine.step(&Input::Batch(Box::new(own)))
            }
            other => engine.step(other),
        };
        all.items.extend(output.items);
    }
    all
}

fn own_rows(plant: &Plant, bundle: &Bundle, at: usize, count: usize) -> Bundle {
    let own = bundle
        .order
        .iter()
        .filter(|row| owner(routed_to(plant, bundle, row), count) == at)
        .copied()
        .collect();
    bundle.with_order(own)
}

/// The bundles of an engine's own devices. Where the parts divide evenly among the engines, each part
/// is of one engine.
fn own_parts(plant: &Plant, batch: &Batch, at: usize, count: usize) -> Batch {
    let parts = batch.parts as usize;
    let own = |(part, bundle): &(u32, Bundle)| {
        if parts.is_multiple_of(count) {
            return (*part as usize % count == at).then(|| (*part, bundle.clone()));
        }
        Some((*part, own_rows(plant, bundle, at, count)))
    };
    Batch {
        parts: batch.parts,
        bundles: batch.bundles.iter().filter_map(own).collect(),
        ticks: batch.ticks.clone(),
    }
}

#[cfg(test)]
mod tests {
    use andon_schemas::command::Mode;

    use super::*;
    use crate::args::PlantArgs;
    use crate::blueprint::Blueprint;

    #[test]
    fn a_thread_that_is_not_given_is_an_error_that_says_which() {
        let blueprint = Blueprint::read(&PlantArgs::default(), Mode::Monitor).unwrap();
        let plant = blueprint.compile().unwrap();
        let engines = (0..3).map(|_| Engine::new(plant.clone())).collect();
        let error = Shards::start_with(engines, |name, work| {
            if name == "shard-1" {
                return Err(io::Error::other("no more threads"));
            }
            std::thread::Builder::new().spawn(work)
        })
        .unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "cannot start thread 2 of 3: no more threads"
        );
    }
}
