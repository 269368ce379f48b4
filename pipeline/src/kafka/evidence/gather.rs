//! Reads the observations around incidents once more, and keeps them.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use andon_engine::Plant;
use andon_ingest::kafka::payload::{self, Payloads};
use andon_schemas::evidence::Reach;
use andon_schemas::identity::DeviceId;
use anyhow::Context as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::front::Front;
use super::listed::Listed;
use super::reading::{Polled, Reading, consumer, poll};
use super::seek::seek;
use super::watch::Watch;
use super::{Done, Errand, Place, Shared, Wanted};
use crate::evidence::{FOLDER, Shelf};
use crate::exit::{usage, words};
use crate::kafka::address::Producers;
use crate::kafka::settings::Settings;

/// Records at a time; errands are looked for in between.
const CHUNK: usize = 1_024;
const WAIT: Duration = Duration::from_millis(50);
/// What the disk or the cluster did not do is tried again after so long.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// So many incidents are looked for at a time.
const WATCHES_MAX: usize = 1_024;

/// What the thread works with.
pub(super) struct Gather {
    consumer: BaseConsumer,
    place: Place,
    producers: Producers,
    plant: Arc<Plant>,
    payloads: Payloads,
    listed: Listed,
    shelf: Option<Shelf>,
    shared: Arc<Shared>,
    watches: BTreeMap<String, Watch>,
    /// Which incidents a device is in.
    of_device: HashMap<DeviceId, Vec<String>>,
    fronts: BTreeMap<i32, Front>,
    /// Other partitions are to be read, or others of their records.
    is_moved: bool,
    /// Records that are held.
    rows: usize,
    not_before: Option<Instant>,
}

impl Gather {
    pub(super) fn new(
        settings: &Settings,
        place: Place,
        plant: Arc<Plant>,
        shared: Arc<Shared>,
    ) -> anyhow::Result<Self> {
        let payloads = Payloads::new(&payload::Options {
            trusted: settings.trusted_producers,
            registry: settings.registry.clone(),
            registry_ca: settings.registry_ca.clone(),
            schemas: Some(place.data.join("schemas")),
            ..payload::Options::default()
        })
        .map_err(usage)?;
        Ok(Self {
            consumer: consumer(settings)?,
            producers: Producers {
                trusted: settings.trusted_producers,
                partitioner: settings.partitioner,
                partitions: place.partitions,
            },
            plant,
            payloads,
            listed: Listed::within(&place.data),
            place,
            shelf: None,
            shared,
            watches: BTreeMap::new(),
            of_device: HashMap::new(),
            fronts: BTreeMap::new(),
            is_moved: false,
            rows: 0,
            not_before: None,
        })
    }

    pub(super) fn serve(&mut self, errands: &Receiver<Errand>) {
        let (mut stood, mut since) = (self.stand(), Instant::now());
        while !self.shared.stop.load(Ordering::Relaxed) {
            if self.watches.is_empty() {
                match errands.recv_timeout(WAIT) {
                    Ok(errand) => self.take(errand),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
            while let Ok(errand) = errands.try_recv() {
                self.take(errand);
            }
            let is_late = |before: Instant| before > Instant::now();
            if !self.not_before.is_some_and(is_late) {
                self.not_before = None;
                if let Err(error) = self.aim() {
                    tracing::warn!("kafka: reading evidence: {error:#}");
                    self.shared.failures.fetch_add(1, Ordering::Relaxed);
                    self.not_before = Some(Instant::now() + AGAIN_AFTER);
                }
            }
            let began = Instant::now();
            let is_full = self.read();
            self.settle();
            let stands = self.stand();
            if stands != stood {
                (stood, since) = (stands, Instant::now());
            } else if since.elapsed() > AGAIN_AFTER {
                // Whoever waits for the last of it is to know that nothing comes.
                self.shared.failures.fetch_add(1, Ordering::Relaxed);
                since = Instant::now();
            }
            // Whoever makes verdicts comes first: this takes half of a core at most.
            if is_full && !self.shared.finish.load(Ordering::Relaxed) {
                std::thread::sleep(began.elapsed());
            }
        }
    }

    /// How far it has come.
    fn stand(&self) -> (usize, i64) {
        let next = self.fronts.values().map(|front| front.next);
        (self.watches.len(), next.sum())
    }

    fn take(&mut self, errand: Errand) {
        match errand {
            Errand::Want(wanted) => {
                if self.want(&wanted) {
                    return;
                }
            }
            Errand::Leave(desk) => {
                let (rows, shared) = (&mut self.rows, &self.shared);
                self.watches.retain(|_, watch| {
                    let stays = watch.desk != desk;
                    if !stays {
                        *rows = rows.saturating_sub(watch.held());
                        shared.close(1);
                    }
                    stays
                });
                self.moved();
            }
            Errand::Follow(plant) => self.plant = plant,
        }
        self.shared.close(1);
    }

    /// Looks for the records of an incident from now on, unless that is done; whether it is one
    /// more.
    fn want(&mut self, wanted: &Wanted) -> bool {
        self.listed.take(&wanted.incident);
        let id = &wanted.incident.incident_id;
        let many = self.watches.len();
        if let Some(watch) = self.watches.get_mut(id) {
            watch.extend(wanted);
        } else if !wanted.is_open() {
            return false;
        } else if many >= WATCHES_MAX {
            self.shared.shed_one();
            return false;
        } else {
            self.watches.insert(id.clone(), Watch::new(wanted));
        }
        self.moved();
        self.watches.len() > many
    }

    fn moved(&mut self) {
        self.is_moved = true;
        self.of_device.clear();
        for (id, watch) in &self.watches {
            for device in &watch.devices {
                let ids = self.of_device.entry(device.clone()).or_default();
                ids.push(id.clone());
            }
        }
    }

    /// Finds out where to begin for those that are new, and reads from there.
    fn aim(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        if !self.is_moved && !self.watches.values().any(|watch| watch.is_due(now)) {
            return Ok(());
        }
        let folder = self.place.data.join(FOLDER);
        let store = opened(&mut self.shelf, &folder)?;
        let mut kept = Vec::new();
        for (id, watch) in &mut self.watches {
            if !watch.is_due(now) {
                continue;
            }
            // Somebody else may have kept what came before.
            let (own, known) = (store.reach(id)?, watch.root.kept.clone());
            let reach = own.into_iter().chain(known).max_by_key(|reach| reach.until);
            if let Some(reach) = reach.as_ref().filter(|reach| reach.until >= watch.until) {
                kept.push((id.clone(), reach.clone()));
                continue;
            }
            watch.before = reach;
            seek(
                &self.consumer,
                &self.place,
                self.producers.partitioner,
                watch,
            )?;
            if watch.deleted > 0 {
                tracing::warn!(
                    incident = id,
                    deleted = watch.deleted,
                    "records around it were deleted by the topic's retention before they were kept"
                );
            }
        }
        for (id, reach) in kept {
            self.done(&id, reach);
        }
        self.assign()
    }

    fn assign(&mut self) -> anyhow::Result<()> {
        let mut from: BTreeMap<i32, i64> = BTreeMap::new();
        for (partition, span) in self.watches.values_mut().flat_map(|w| &mut w.places) {
            if let Some(front) = self.fronts.get(partition) {
                span.follow(front.next);
            }
            if !span.is_done {
                span.is_read = true;
                let first = from.entry(*partition).or_insert(i64::MAX);
                *first = span.next.min(*first);
            }
        }
        let mut list = TopicPartitionList::new();
        for (partition, next) in &from {
            let offset = Offset::Offset(*next);
            list.add_partition_offset(&self.place.topic, *partition, offset)?;
        }
        self.consumer
            .assign(&list)
            .context("cannot read the records around incidents")?;
        let fronts = from.into_iter().map(|(p, next)| (p, Front::at(next)));
        self.fronts = fronts.collect();
        self.is_moved = false;
        Ok(())
    }

    /// Reads a chunk; whether there was enough for one.
    fn read(&mut self) -> bool {
        if self.fronts.is_empty() {
            if !self.watches.is_empty() {
                std::thread::sleep(WAIT);
            }
            return false;
        }
        for number in 0..CHUNK {
            let wait = if number == 0 { WAIT } else { Duration::ZERO };
            match poll(&self.consumer, wait) {
                Polled::Nothing => return false,
                Polled::End(partition) => {
                    if let Some(front) = self.fronts.get_mut(&partition) {
                        front.ended.get_or_insert_with(Instant::now);
                    }
                }
                Polled::OutOfRange => {
                    for watch in self.watches.values_mut() {
                        watch.again(Instant::now());
                    }
                    self.rows = 0;
                    self.fronts.clear();
                    self.moved();
                    return false;
                }
                Polled::Record(message) => {
                    let mut reading = Reading {
                        watches: &mut self.watches,
                        of_device: &self.of_device,
                        fronts: &mut self.fronts,
                        rows: &mut self.rows,
                        payloads: &mut self.payloads,
                        plant: &self.plant,
                        producers: self.producers,
                        topic: &self.place.topic,
                    };
                    reading.take(&message);
                }
            }
        }
        true
    }

    /// Keeps what has been read far enough.
    fn settle(&mut self) {
        let is_last = self.shared.finish.load(Ordering::Relaxed);
        let mut due = Vec::new();
        for (id, watch) in &mut self.watches {
            if watch.is_new {
                continue;
            }
            for (partition, span) in &mut watch.places {
                let is_read = span.is_read && !span.is_done;
                if let Some(front) = self.fronts.get(partition).filter(|_| is_read) {
                    span.follow(front.next);
                    span.is_done = front.has_passed(watch.until, span.first, is_last);
                    if front.has_cut(watch.until, span.first) {
                        let until = front.newest;
                        tracing::warn!(
                            incident = id,
                            partition,
                            %until,
                            "so much came around it that no more is looked through; records of \
                             later are not kept"
                        );
                        watch.cut = Some(watch.cut.map_or(until, |cut| cut.min(until)));
                    }
                }
            }
            if watch.is_done() {
                due.push(id.clone());
            }
        }
        for id in due {
            self.keep(&id);
        }
    }

    fn keep(&mut self, id: &str) {
        let Some(watch) = self.watches.get_mut(id) else {
            return;
        };
        self.rows = self.rows.saturating_sub(watch.held());
        let reach = watch.reach();
        let folder = self.place.data.join(FOLDER);
        let part = watch.part(id);
        match opened(&mut self.shelf, &folder).and_then(|shelf| shelf.keep(part)) {
            Ok(()) => self.done(id, reach),
            Err(error) => {
                let why = words(&error);
                tracing::error!("records of incident {id} are not kept yet: {why}");
                self.shared.failures.fetch_add(1, Ordering::Relaxed);
                self.shelf = None;
                watch.again(Instant::now() + AGAIN_AFTER);
            }
        }
    }

    fn done(&mut self, id: &str, reach: Reach) {
        let Some(watch) = self.watches.remove(id) else {
            return;
        };
        self.rows = self.rows.saturating_sub(watch.held());
        self.shared.failures.store(0, Ordering::Relaxed);
        self.shared.done().push(Done {
            desk: watch.desk,
            incident_id: id.to_owned(),
            reach,
        });
        self.shared.close(1);
        self.moved();
    }
}

/// What is kept, once it can be opened.
fn opened<'a>(kept: &'a mut Option<Shelf>, folder: &Path) -> anyhow::Result<&'a mut Shelf> {
    match kept {
        Some(shelf) => Ok(shelf),
        None => Ok(kept.insert(Shelf::go_on(folder)?)),
    }
}
