//! The middle of a live run: messages through the engine, verdicts to files, terminal and outlet,
//! everything recorded if asked for.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use andon_engine::{Input, Plant};
use andon_ingest::endpoint::Refusal;
use andon_ingest::files::CaptureWriter;
use andon_ingest::refused::Refused;
use andon_schemas::act::{ActRefused, Acted};
use andon_schemas::observation::{Record, Source};
use andon_schemas::time::EventTime;
use andon_schemas::verdict::Verdict;
use hdrhistogram::Histogram;

use crate::advisories::Advisor;
use crate::blueprint::Blueprint;
use crate::evidence::Evidence;
use crate::intake::{Intake, Recorded};
use crate::live::message::turned_away;
use crate::live::outgoing::{alert_of, message_of, notice_of, order_of};
use crate::live::outlet::{Outgoing, Outlet};
use crate::live::shadow::Beside;
use crate::live::state::State;
use crate::results::Results;
use crate::shards::Shards;
use crate::telling::Teller;

/// Everything between a message and what comes of it.
#[derive(Debug)]
pub struct Core {
    pub(super) blueprint: Blueprint,
    pub(super) intake: Intake,
    pub(super) shards: Shards,
    pub(super) teller: Option<Teller>,
    /// What came out.
    pub results: Results,
    outlet: Outlet,
    /// What measures the same input against other profiles.
    pub beside: Beside,
    pub(super) capture: Option<CaptureWriter>,
    evidence: Evidence,
    /// Knows what devices run, for people.
    pub advisor: Option<Advisor>,
    /// What came of acts, in order, until whoever handed them in is told.
    pub(super) acted: Vec<Result<Acted, ActRefused>>,
    /// When the oldest row that waits came in, by the monotonic clock.
    waiting_since: Option<Instant>,
    /// Reader to hand-over, microseconds.
    pub latency: Histogram<u64>,
    /// The newest row and when it came, for the clock of an idle source.
    newest_came: Option<(EventTime, Instant)>,
}

impl Core {
    /// A core that has seen nothing. `plant` is what `blueprint` compiles to.
    ///
    /// # Errors
    /// If the histogram cannot be made.
    pub fn new(
        blueprint: Blueprint,
        plant: &Arc<Plant>,
        shards: usize,
        results: Results,
        outlet: Outlet,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            blueprint,
            intake: Intake::new(plant, andon_schemas::bundle::BUNDLE_ROWS_MAX, false),
            shards: Shards::new(plant, shards)?,
            teller: None,
            results,
            outlet,
            beside: Beside::default(),
            capture: None,
            evidence: Evidence::default(),
            advisor: None,
            acted: Vec::new(),
            waiting_since: None,
            // Up to a minute, three digits.
            latency: Histogram::new_with_bounds(1, 60_000_000, 3)?,
            newest_came: None,
        })
    }

    /// Goes on where a saved state stands, measured against the same plant as then.
    ///
    /// # Errors
    /// If the snapshots are damaged.
    pub fn resume(&mut self, state: State, shards: usize) -> anyhow::Result<()> {
        let plant = state.blueprint.compile()?;
        self.shards = Shards::restore(&plant, shards, &state.shards)?;
        self.intake.stand_on(&plant);
        self.blueprint = state.blueprint;
        self.results.ledger = serde_json::from_slice(&state.ledger)?;
        self.results.resume(state.orders, state.audit)?;
        self.results.incidents = state.incidents;
        self.results.measures_against(&plant);
        self.intake.resume(state.feed, state.tally);
        // Should nothing come any more, time goes on from here.
        let newest = self.intake.feed().newest();
        self.newest_came = (newest > EventTime::MIN).then(|| (newest, Instant::now()));
        let known = self.results.incidents.all();
        self.evidence.incidents(known, newest, &plant);
        Ok(())
    }

    /// Keeps the records around incidents from here on, in a folder below the data folder.
    ///
    /// # Errors
    /// If it cannot be made, or what is in it can neither be gone on with nor be set aside.
    pub fn keep_evidence(&mut self, data: &Path) -> anyhow::Result<()> {
        self.evidence = Evidence::within(data)?;
        Ok(())
    }

    /// Records everything that comes in from here on.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn record_to(&mut self, path: &Path) -> anyhow::Result<()> {
        let mut capture = CaptureWriter::create(path)?;
        let start = Recorded::Start {
            plant: Some(self.blueprint.clone()),
        };
        capture.control(&serde_json::to_string(&start)?)?;
        self.capture = Some(capture);
        Ok(())
    }

    /// What it measures against.
    pub fn plant(&self) -> &Arc<Plant> {
        self.intake.plant()
    }

    /// What that is compiled from.
    pub fn blueprint(&self) -> &Blueprint {
        &self.blueprint
    }

    /// Takes a record.
    ///
    /// # Errors
    /// If the capture cannot be written.
    pub fn record(
        &mut self,
        mut record: Record,
        source: &Source,
        received_at: EventTime,
        came: Instant,
    ) -> anyhow::Result<()> {
        record.received_at = Some(received_at);
        if let Some(capture) = &mut self.capture {
            capture.record(&record, Some(source))?;
        }
        self.waiting_since.get_or_insert(came);
        let newest = self.intake.feed().newest();
        let at = record.event_time;
        let observed = self.intake.tally().observed;
        self.intake.record(&record, source, received_at);
        self.record_tick()?;
        if self.intake.tally().observed > observed {
            let newest = self.intake.feed().newest();
            self.evidence.see(&record, source, newest);
            if let (Some(advisor), Some(device)) = (&self.advisor, &record.device) {
                advisor.see(device, &record, self.intake.plant().inventory());
            }
        }
        if self.intake.feed().newest() > newest {
            self.newest_came = Some((at.min(received_at), came));
        }
        Ok(())
    }

    /// Takes a message that cannot be read.
    ///
    /// # Errors
    /// If the capture cannot be written.
    pub fn reject(
        &mut self,
        refused: Refused,
        source: Source,
        received_at: EventTime,
        raw: &[u8],
    ) -> anyhow::Result<()> {
        let reject = refused.at(source, received_at, raw);
        if let Some(capture) = &mut self.capture {
            capture.reject(&reject)?;
        }
        self.intake.reject(reject);
        Ok(())
    }

    /// A message that the endpoint turned away is a reject like any other.
    ///
    /// # Errors
    /// If the capture cannot be written.
    pub fn refusal(&mut self, refusal: &Refusal, now: EventTime) -> anyhow::Result<()> {
        let (refused, source) = turned_away(refusal);
        self.reject(refused, source, now, &refusal.head)
    }

    /// The source is drained and has been for a while: time goes on by the wall clock since the
    /// newest row came. Returns the time to be logged as a tick.
    pub fn idle_time(&self, now: Instant) -> Option<EventTime> {
        let (newest, came) = self.newest_came?;
        let micros = i64::try_from(now.saturating_duration_since(came).as_micros()).ok()?;
        Some(newest + andon_schemas::time::Span::from_micros(micros))
    }

    /// Time is at least this, by the clock of an idle source.
    ///
    /// # Errors
    /// If the capture cannot be written.
    pub fn idle(&mut self, at: EventTime) -> anyhow::Result<()> {
        self.intake.feed().idle(at);
        self.record_tick()
    }

    /// Records the tick that the last row made, right after it: that is where it stands.
    fn record_tick(&mut self) -> anyhow::Result<()> {
        if let (Some(at), Some(capture)) = (self.intake.feed().take_tick(), &mut self.capture) {
            capture.tick(at)?;
        }
        Ok(())
    }

    /// Runs everything that waits through the engine and hands out what comes of it.
    ///
    /// # Errors
    /// If a result, the capture or the outlet cannot be written.
    pub fn flush(&mut self, each: impl FnMut(&Verdict)) -> anyhow::Result<()> {
        self.intake.feed().flush();
        self.run(each)
    }

    fn run(&mut self, mut each: impl FnMut(&Verdict)) -> anyhow::Result<()> {
        let inputs = self.intake.take();
        let asides = self.intake.take_asides(&inputs);
        let rejects = self.intake.take_rejects();
        self.results.rejects(&rejects)?;
        if inputs.is_empty() && asides.is_empty() {
            self.beside.settle();
            return Ok(());
        }
        let inputs: Arc<[Input]> = inputs.into();
        self.shards.begin(&inputs)?;
        let output = self.shards.settled()?;
        let site = &self.intake.plant().inventory().site;
        let mut outgoing = Vec::new();
        for (_, item) in &output.items {
            outgoing.extend(message_of(item, site)?);
            if let Some(teller) = &self.teller {
                teller.item(item);
            }
        }
        let waited = self.waiting_since.take();
        let mut verdicts = 0;
        let taken = self.results.take(output, asides, |verdict| {
            verdicts += 1;
            each(verdict);
        })?;
        outgoing.extend(self.told()?);
        for message in outgoing {
            self.outlet.publish(message)?;
        }
        if let Some(since) = waited.filter(|_| verdicts > 0) {
            let micros = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.latency.saturating_record_n(micros, verdicts);
            if let Some(teller) = &self.teller {
                teller.waited(since.elapsed(), verdicts);
            }
        }
        self.intake.settle(taken.refused);
        for reject in taken.rejects {
            self.intake.reject(reject);
        }
        self.acted.extend(taken.acted);
        let rejects = self.intake.take_rejects();
        self.results.rejects(&rejects)?;
        // Last of all: nothing of the run waits for it.
        self.beside.take(&inputs);
        Ok(())
    }

    /// What commands and alerts tell whom; whoever asks over HTTP is told here.
    fn told(&mut self) -> anyhow::Result<Vec<Outgoing>> {
        let fresh = self.results.take_fresh();
        let changed = self.results.orders.take_changed();
        if let Some(teller) = &self.teller {
            teller.commands(&self.results.orders, &changed, &fresh.moved);
            teller.incidents(&fresh.incidents);
        }
        let newest = self.intake.feed().newest();
        let plant = self.intake.plant();
        self.evidence.incidents(&fresh.incidents, newest, plant);
        let mut outgoing = Vec::new();
        for command in &fresh.commands {
            outgoing.extend(order_of(command)?);
        }
        for notice in &fresh.notices {
            outgoing.push(notice_of(notice)?);
        }
        for alert in &fresh.alerts {
            outgoing.push(alert_of(alert)?);
        }
        Ok(outgoing)
    }

    /// The source ended: the last tick.
    ///
    /// # Errors
    /// If a result cannot be written.
    pub fn end(&mut self, mut each: impl FnMut(&Verdict)) -> anyhow::Result<()> {
        self.flush(&mut each)?;
        self.intake.feed().end();
        self.run(each)?;
        if let Some(capture) = &mut self.capture {
            capture.control(&serde_json::to_string(&Recorded::EndOfInput)?)?;
        }
        Ok(())
    }

    /// The state after everything that was flushed; `through` is the newest log entry in it.
    ///
    /// # Errors
    /// If a shard cannot write its state.
    pub fn state(&mut self, through: u64) -> anyhow::Result<State> {
        Ok(State {
            through,
            blueprint: self.blueprint.clone(),
            feed: self.intake.feed().state(),
            tally: self.intake.tally().clone(),
            ledger: serde_json::to_vec(&self.results.ledger)?,
            orders: self.results.orders.clone(),
            incidents: self.results.incidents.clone(),
            audit: self.results.chain().clone(),
            shards: self.shards.snapshot()?,
        })
    }

    /// Closes the capture and the results.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn finish(&mut self) -> anyhow::Result<()> {
        self.results.flush()?;
        self.evidence.settle();
        if let Some(capture) = self.capture.take() {
            capture.finish()?;
        }
        Ok(())
    }

    /// Makes sure that everything handed out so far is on disk and has arrived. `false` if the
    /// broker does not say so in time.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn effects_are_out(&mut self) -> anyhow::Result<bool> {
        self.results.sync()?;
        self.evidence.settle();
        Ok(self.outlet.has_arrived())
    }

    /// Publishes nothing any more.
    pub fn close_outlet(&mut self) {
        self.outlet = Outlet::None;
    }

    /// Where every record went.
    pub fn tally(&self) -> &crate::intake::Tally {
        self.intake.tally()
    }

    /// Counts and risks of the engine.
    ///
    /// # Errors
    /// If a shard's thread is gone.
    pub fn status(&self) -> anyhow::Result<crate::shards::Status> {
        self.shards.status()
    }
}
