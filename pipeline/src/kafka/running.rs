//! The loop of a run on Kafka: it reads, lets the lanes work, and tends the group.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use andon_ingest::kafka::payload::Payloads;
use andon_ingest::kafka::{Reader, Taken};
use andon_schemas::time::EventTime;
use anyhow::{Context as _, anyhow};

use super::control::Control;
use super::copy::Copy;
use super::group::Group;
use super::lane::Lane;
use super::measure::Measure;
use super::pulse::Pulse;
use super::respond::Responder;
use super::restore::divided_anew;
use super::shelf::Saving;
use super::strays::Strays;
use super::trail::Trail;
use crate::blueprint::Blueprint;
use crate::config::Config;
use crate::exit::{usage, words};
use crate::policy::PlantPolicy;

/// Most messages of one chunk.
const CHUNK: usize = 8_192;
/// Fewer messages than this are not worth a thread.
const WORTH_THREADS: usize = 1_024;
/// How long nothing may come before the rest is tended to.
const WAIT: Duration = Duration::from_millis(20);
/// Idle partitions tick this often.
const IDLE_EVERY: Duration = Duration::from_secs(1);
/// The control topic is looked at this often.
const HEED_EVERY: Duration = Duration::from_millis(200);
/// A drained source has ended when nothing changed in the group for this long.
const DRAINED_AFTER: Duration = Duration::from_secs(3);
/// How long the last epoch is given.
const GOODBYE_WITHIN: Duration = Duration::from_secs(10);

/// A run on Kafka.
pub(super) struct Running<'a> {
    pub(super) reader: Arc<Reader>,
    /// The second stage, once the cluster is reached.
    pub(super) responder: Option<Responder>,
    /// What the installation measures against.
    pub(super) control: Option<Control>,
    pub(super) group: Group,
    pub(super) copy: Copy,
    pub(super) saving: Saving,
    pub(super) reloads: Arc<AtomicBool>,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) config: &'a Config,
    pub(super) payloads: Payloads,
    pub(super) pulse: Pulse,
    /// Looks for devices in two partitions, unless those are refused.
    pub(super) strays: Option<Strays>,
    /// What enforcement points answer is believed.
    pub(super) heard: bool,
    /// What is decided in the whole group.
    pub(super) trail: Option<Trail>,
    /// How many partitions the topic has.
    pub(super) partitions: usize,
    /// A chunk goes on for so long after its first message.
    pub(super) open: Duration,
    /// The group misses a process that has ended after so long.
    pub(super) missed_after: Duration,
    /// It was told that others hold what is to be drained.
    pub(super) waits_for_others: bool,
    pub(super) last_idle: Instant,
    pub(super) last_heed: Instant,
}

impl Running<'_> {
    /// The second stage.
    ///
    /// # Errors
    /// If the cluster was not reached yet.
    pub(super) fn responder(&mut self) -> anyhow::Result<&mut Responder> {
        self.responder
            .as_mut()
            .ok_or_else(|| anyhow!("the cluster was not reached yet"))
    }

    /// Runs until it is told to stop, or until the topic has been drained.
    ///
    /// # Errors
    /// If it can never go on.
    pub(super) fn serve(&mut self, drain: bool, out: &mut impl Write) -> anyhow::Result<()> {
        while !self.stop.load(Ordering::Relaxed) {
            let taken = self.chunk()?;
            for partition in taken.ended {
                if let Some(lane) = self.group.lanes.get_mut(&partition) {
                    lane.reached_end();
                }
            }
            self.group.tend()?;
            self.publish(out)?;
            self.pulse.beat(&self.reader, &mut self.group);
            self.responder()?.check()?;
            if self.reloads.swap(false, Ordering::Relaxed) {
                self.reload()?;
            }
            if self.last_heed.elapsed() >= HEED_EVERY {
                self.last_heed = Instant::now();
                if let Some(now) = self.reader.partitions().filter(|n| *n != self.partitions) {
                    return Err(usage(divided_anew(self.partitions, now)));
                }
                self.heed()?;
                let refused = self.responder()?.take_refused();
                self.pulse.refused(refused);
                let is_known = self.trail.as_ref().is_some_and(Trail::is_complete);
                self.pulse.decided(is_known);
                if let Some(strays) = &mut self.strays {
                    strays.look(&self.group.lanes);
                }
            }
            if drain {
                if self.is_drained()? {
                    return Ok(());
                }
            } else if self.last_idle.elapsed() >= IDLE_EVERY {
                self.last_idle = Instant::now();
                self.idle()?;
            }
        }
        Ok(())
    }

    /// Takes what has come through the lanes.
    fn chunk(&mut self) -> anyhow::Result<Taken> {
        let (lanes, payloads) = (&mut self.group.lanes, &mut self.payloads);
        let mut touched: Vec<i32> = Vec::new();
        let mut failed = Ok(());
        // One for the chunk: asking the clock costs as much as a message.
        let mut came = None;
        let taken = self.reader.take(CHUNK, WAIT, self.open, &mut |messages| {
            let came = *came.get_or_insert_with(Instant::now);
            for messages in messages.chunk_by(|a, b| a.partition == b.partition) {
                let partition = messages[0].partition;
                let Some(lane) = lanes.get_mut(&partition) else {
                    continue;
                };
                if !touched.contains(&partition) {
                    touched.push(partition);
                }
                let done = lane.take(messages, payloads, came);
                if failed.is_ok() {
                    failed = done;
                }
            }
        })?;
        failed?;
        self.work(&touched, taken.messages)?;
        for partition in touched {
            if let Some(lane) = self.group.lanes.get_mut(&partition) {
                let waits = std::mem::take(&mut lane.draft().waits);
                self.pulse.waited(&waits);
                self.copy.waited(waits);
            }
            self.group.hand_over(partition)?;
        }
        Ok(taken)
    }

    /// Lets lanes take what came through their engines: side by side, if there are threads for it
    /// and enough came to be worth them. A lane is on one thread, so this changes nothing but the
    /// speed.
    fn work(&mut self, touched: &[i32], messages: usize) -> anyhow::Result<()> {
        let lanes = self.group.lanes.iter_mut();
        let mut lanes: Vec<&mut Lane> = lanes
            .filter(|(partition, _)| touched.contains(partition))
            .map(|(_, lane)| lane)
            .collect();
        let threads = self.config.shards.min(lanes.len());
        if threads < 2 || messages < WORTH_THREADS {
            return lanes.into_iter().try_for_each(Lane::run);
        }
        let share = lanes.len().div_ceil(threads);
        std::thread::scope(|scope| {
            let workers: Vec<_> = lanes
                .chunks_mut(share)
                .map(|lanes| scope.spawn(|| lanes.iter_mut().try_for_each(|lane| lane.run())))
                .collect();
            workers.into_iter().try_for_each(|worker| {
                let ended = worker.join();
                ended.unwrap_or_else(|_| Err(anyhow!("a lane's thread ended by a panic")))
            })
        })
    }

    /// Tells what was committed, and keeps a copy of it.
    fn publish(&mut self, out: &mut impl Write) -> anyhow::Result<()> {
        self.pulse.events(&self.group.take_events());
        for done in self.group.take_committed() {
            self.pulse.committed(&done);
            self.copy.take(&done, out)?;
            if let Some(snapshot) = done.snapshot {
                self.saving.save(snapshot);
            }
        }
        self.copy.flush(out)
    }

    /// Partitions that are connected, past their backlog and drained: time goes on by the wall
    /// clock.
    fn idle(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        for (partition, lane) in &mut self.group.lanes {
            let standing = self.reader.standing(*partition);
            if standing.is_some_and(|standing| standing.is_drained()) && lane.has_ended() {
                lane.idle(now);
                lane.run()?;
            }
        }
        Ok(())
    }

    /// Whether the whole topic has been read. What ends is the topic: its last time is that of all
    /// partitions, which only a process that has read all of them knows.
    fn is_drained(&mut self) -> anyhow::Result<bool> {
        let settled_for = self.group.settled_for();
        let lanes = &self.group.lanes;
        if self.group.is_restoring()
            || !lanes.values().all(Lane::has_ended)
            || settled_for <= DRAINED_AFTER
        {
            return Ok(false);
        }
        if lanes.len() == self.partitions {
            return Ok(true);
        }
        let is_heard = self.reader.brokers().is_some_and(|brokers| brokers > 0);
        if !is_heard || !self.group.is_member() {
            return Ok(false);
        }
        let (held, all) = (lanes.len(), self.partitions);
        if settled_for > self.missed_after {
            return Err(usage(anyhow!(
                "{} of {all} partitions are another process's, and --drain ends the whole topic: \
                 stop the other processes of the group, or let one of them do it alone. What was \
                 read here is committed",
                all - held
            )));
        }
        if !std::mem::replace(&mut self.waits_for_others, true) {
            tracing::info!(
                held,
                all,
                "kafka: waiting until the group misses those that hold the other partitions"
            );
        }
        Ok(false)
    }

    /// Reads the files again and makes them everybody's. What is wrong with them changes nothing.
    fn reload(&mut self) -> anyhow::Result<()> {
        if let Some(advisor) = &self.group.advisor {
            advisor.reload_aside();
        }
        let read = Blueprint::read(&self.config.plant, self.config.mode)
            .and_then(|blueprint| Measure::of(blueprint, -1));
        match (read, &self.control) {
            (Ok(measure), Some(control)) => control.publish(&measure.blueprint)?,
            (Err(error), _) => tracing::error!(
                "inventory and profiles cannot be used, the former ones stay in force: {}",
                words(&error)
            ),
            (Ok(_), None) => {}
        }
        Ok(())
    }

    /// Takes up what the installation measures against from now on.
    fn heed(&mut self) -> anyhow::Result<()> {
        let change = self.control.as_ref().map(Control::change).transpose()?;
        let Some((blueprint, position)) = change.flatten() else {
            return Ok(());
        };
        if blueprint == *self.copy.measure.blueprint {
            let blueprint = self.copy.measure.clone();
            return self.group.change(Measure {
                position,
                ..blueprint
            });
        }
        let measure =
            Measure::of(blueprint, position).context("what the installation measures against")?;
        self.copy.measured_against(&measure)?;
        if let Some(responder) = &self.responder {
            let policy = PlantPolicy::new(measure.plant.clone(), self.heard);
            responder.allow(policy);
        }
        self.pulse.change(&measure);
        tracing::info!(
            devices = measure.plant.inventory().devices.len(),
            profiles = measure.plant.profile_hash(),
            inventory = measure.plant.inventory_hash(),
            "inventory and profiles have changed and are in force"
        );
        self.group.change(measure)
    }

    /// Ends the input if it was drained, and commits everything.
    ///
    /// # Errors
    /// If a drained topic cannot be ended in time.
    pub(super) fn leave(&mut self, drained: bool, out: &mut impl Write) -> anyhow::Result<()> {
        if drained {
            let lanes = self.group.lanes.values_mut();
            let newest = lanes.map(Lane::newest).max().unwrap_or(EventTime::MIN);
            for lane in self.group.lanes.values_mut() {
                lane.end(newest)?;
            }
        }
        let held: Vec<i32> = self.group.lanes.keys().copied().collect();
        for partition in &held {
            self.group.hand_over(*partition)?;
        }
        let finished = self.group.finish(&held, GOODBYE_WITHIN)?;
        self.publish(out)?;
        if !finished {
            let message = "the cluster did not take the last epoch in time: whoever goes on will \
                           say it again";
            if drained {
                return Err(anyhow!(message));
            }
            tracing::warn!("{message}");
        }
        Ok(())
    }
}
