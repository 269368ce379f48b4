//! How a run on Kafka is doing, for whoever asks over HTTP.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use andon_console::{Board, Health, Metrics, Running, TransactionResult};
use andon_engine::Counts;
use andon_ingest::kafka::Reader;
use andon_schemas::reject::RejectReason;
use andon_schemas::time::EventTime;
use tokio::runtime::Runtime;

use super::group::{Done, Group};
use super::lane::Lane;
use super::measure::Measure;
use super::told::Told;
use super::whole::{self, Whole};
use crate::advisories::Advisor;
use crate::intake::Tally;
use crate::telling::{self, Audience, Setup};
use crate::wall;

/// An epoch that is not committed within this long is trouble.
const COMMITTED_WITHIN: Duration = Duration::from_secs(10);
const TELL_EVERY: Duration = Duration::from_secs(1);

/// How a run is doing.
pub struct Pulse {
    health: Health,
    metrics: Metrics,
    audience: Audience,
    /// What is shown, if anybody can ask.
    shown: Option<Told>,
    told: BTreeMap<i32, (Tally, Counts)>,
    last: Option<Instant>,
}

impl std::fmt::Debug for Pulse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pulse").finish_non_exhaustive()
    }
}

impl Pulse {
    /// Nothing is ready yet; told to whoever is there.
    ///
    /// # Errors
    /// If the address cannot be listened on, or what decides cannot be as it is configured.
    pub fn start(setup: &Setup<'_>, measure: &Measure, runtime: &Runtime) -> anyhow::Result<Self> {
        let conditions = [
            ("kafka", "not reached yet"),
            ("partitions", "none are assigned yet"),
            ("state", "not restored yet"),
            ("epochs", "none was committed yet"),
            ("decided", "not read yet"),
            ("risks", "not read yet"),
        ];
        let health = Health::new(&conditions, Health::STALLED_AFTER);
        // An epoch that is not needed is none that fails.
        health.ready("epochs");
        if !setup.is_wanted() {
            // Nobody asks for them.
            health.ready("risks");
        }
        let metrics = Metrics::new(env!("CARGO_PKG_VERSION"));
        let board = telling::board(&measure.plant, measure.blueprint.mode())?;
        let measured = measure.measured();
        let audience = telling::gather(setup, &health, &metrics, &board, measured, runtime)?;
        Ok(Self {
            shown: setup.is_wanted().then(|| Told::new(board)),
            health,
            metrics,
            audience,
            told: BTreeMap::new(),
            last: None,
        })
    }

    /// Where it is served.
    pub fn address(&self) -> Option<std::net::SocketAddr> {
        self.audience.server.as_ref().map(Running::local_addr)
    }

    /// The same as a link.
    pub fn url(&self) -> Option<String> {
        self.audience.server.as_ref().map(Running::url)
    }

    /// The cluster does not answer; the run goes on waiting for it.
    pub fn unreachable(&self, reason: &str) {
        self.health.beat();
        self.health.not_ready("kafka", reason);
    }

    /// What is measured against from now on.
    pub fn change(&self, measure: &Measure) {
        if let Some(shown) = &self.shown {
            shown.change(measure);
        }
        self.audience.decisions.change(measure.measured());
    }

    /// What is shown, if anybody can ask.
    pub fn board(&self) -> Option<Board> {
        self.shown.as_ref().map(|shown| shown.board().clone())
    }

    /// Follows what other processes say, if anybody can ask.
    ///
    /// # Errors
    /// If the settings cannot work, or the system gives no thread.
    pub(super) fn follow(&mut self, told: whole::Told<'_>) -> anyhow::Result<()> {
        if let Some(shown) = &mut self.shown {
            let metrics = self.metrics.decisions().clone();
            shown.follow(Whole::follow(told, shown.board().clone(), metrics)?);
        }
        Ok(())
    }

    /// What is known of the firmware of devices is asked there from now on.
    pub fn advise(&self, advisor: Advisor) {
        if let Some(shown) = &self.shown {
            shown.board().advise(Arc::new(advisor));
        }
    }

    /// Whether everything that was decided before has been read.
    pub fn decided(&self, is_known: bool) {
        if is_known {
            self.health.ready("decided");
        } else {
            let why = "what was decided is still being read from the audit trail";
            self.health.not_ready("decided", why);
        }
    }

    /// So many acknowledgements were not believed, by why.
    pub fn refused(&self, refused: BTreeMap<RejectReason, u64>) {
        for (reason, number) in refused {
            self.metrics.rejected(reason, number);
        }
    }

    /// The loop goes on; once a second it tells how everything stands.
    pub fn beat(&mut self, reader: &Reader, group: &mut Group) {
        self.health.beat();
        if let Some(shown) = &mut self.shown {
            shown.take(group);
            shown.look(group);
        } else {
            let lanes = group.lanes.values_mut();
            lanes.for_each(|lane| drop(lane.draft().take_news()));
        }
        if self.last.is_some_and(|last| last.elapsed() < TELL_EVERY) {
            return;
        }
        self.last = Some(Instant::now());
        self.conditions(reader, group);
        if let Some(shown) = &mut self.shown {
            let connected = reader.brokers().is_some_and(|brokers| brokers > 0);
            // One that has nothing hears of everything by others.
            let hears = !group.lanes.is_empty() || group.is_idle_member();
            shown.tell(group, connected && hears);
        }
        self.metrics.partitions_assigned(group.lanes.len() as u64);
        self.metrics.queue_depth("epoch", group.waiting() as u64);
        for partition in self.gone(group) {
            self.told.remove(&partition);
            self.metrics.forget_partition(partition);
        }
        let now = wall::now();
        for (partition, lane) in &mut group.lanes {
            if let Some(standing) = reader.standing(*partition) {
                let lag = standing.lag(lane.next());
                self.metrics.consumer_lag(*partition, lag);
            }
            let newest = lane.newest();
            if newest > EventTime::MIN {
                let lag = Duration::from_micros(now.since(newest).micros().try_into().unwrap_or(0));
                self.metrics.watermark_lag(*partition, lag.as_secs_f64());
            }
            self.count(*partition, lane);
        }
    }

    fn gone(&self, group: &Group) -> Vec<i32> {
        let told = self.told.keys();
        told.filter(|p| !group.lanes.contains_key(p))
            .copied()
            .collect()
    }

    fn conditions(&self, reader: &Reader, group: &Group) {
        let say = |condition, trouble: Option<String>| match trouble {
            None => self.health.ready(condition),
            Some(reason) => self.health.not_ready(condition, reason),
        };
        let kafka = match reader.brokers() {
            Some(0) | None => Some(
                reader
                    .trouble()
                    .unwrap_or_else(|| "no broker answers".to_owned()),
            ),
            Some(_) => None,
        };
        say("kafka", kafka);
        let none = group.lanes.is_empty() && !group.is_idle_member();
        say(
            "partitions",
            none.then(|| match reader.waits_for_place() {
                None => "none are assigned yet".to_owned(),
                Some(time) => format!(
                    "the group has kept our place for an earlier process for {} s",
                    time.as_secs()
                ),
            }),
        );
        let restoring = group.restoring();
        say(
            "state",
            (!restoring.is_empty()).then(|| format!("restoring partitions {restoring:?}")),
        );
        if let Some(shown) = &self.shown {
            say("risks", shown.trouble());
        }
        let late = group.epoch_age().filter(|age| *age > COMMITTED_WITHIN);
        say(
            "epochs",
            late.map(|age| format!("an epoch has not been committed for {} s", age.as_secs())),
        );
    }

    /// Counts what a lane did since the last time. What it restored was counted by whoever did it.
    fn count(&mut self, partition: i32, lane: &Lane) {
        if !lane.is_live() {
            return;
        }
        let (tally, counts) = (lane.tally().clone(), lane.engine().counts());
        if let Some((told, before)) = self.told.get(&partition) {
            self.metrics
                .records(tally.records.saturating_sub(told.records));
            for (reason, n) in &tally.rejects {
                let before = told.rejects.get(reason).copied().unwrap_or(0);
                self.metrics.rejected(*reason, n.saturating_sub(before));
            }
            let grown = |now: u64, before: u64| now.saturating_sub(before);
            self.metrics
                .observations(grown(counts.observations, before.observations));
            self.metrics.late(grown(counts.late, before.late));
            self.metrics
                .duplicates(grown(counts.duplicates, before.duplicates));
        }
        self.told.insert(partition, (tally, counts));
    }

    /// Verdicts took so long from the reader to the hand-over.
    pub fn waited(&self, waits: &[(Duration, u64)]) {
        for (wait, verdicts) in waits {
            for _ in 0..*verdicts {
                self.metrics.ingest_to_verdict(*wait);
            }
        }
    }

    /// What a lane gave to an epoch is committed.
    pub fn committed(&self, done: &Done) {
        for verdict in &done.verdicts {
            self.metrics.verdict(verdict.grade, verdict.revision);
        }
    }

    /// How epochs ended, and what was restored, since the last time.
    pub fn events(&self, events: &[super::group::Event]) {
        use super::group::Event;
        for event in events {
            match *event {
                Event::Committed(took) => {
                    self.metrics.epoch(took);
                    self.metrics.transaction(TransactionResult::Committed);
                }
                Event::Aborted => self.metrics.transaction(TransactionResult::Aborted),
                Event::Restored(took) => self.metrics.restored(took),
                Event::Snapshot(took, bytes) => self.metrics.snapshot(took, bytes),
            }
        }
    }

    /// Serves nobody any more; returns the share of the time that the run was ready.
    pub fn stop(self, runtime: &Runtime) -> Option<f64> {
        if let Some(server) = self.audience.server {
            runtime.block_on(server.shutdown(Duration::from_millis(500)));
        }
        self.health.availability().share()
    }
}
