//! Tells a run's console what the run does: the board, its health and its metrics, and the server
//! that shows them.

mod counted;
pub mod decisions;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use andon_console::{Board, Health, Heard, Metrics, OutletStanding, Pulse, Running, Server};
use andon_emit::outlet::Status;
use andon_engine::{Item, Plant, Standing};
use andon_respond::Orders;
use andon_schemas::act::Desk;
use andon_schemas::command::Mode;
use andon_schemas::identity::DeviceId;
use andon_schemas::incident::Incident;
use andon_schemas::order::Order;
use andon_schemas::time::EventTime;
use andon_schemas::verdict::Verdict;
use anyhow::anyhow;
use tokio::runtime::Runtime;

pub use self::counted::Counted;
use self::decisions::Decisions;
pub use self::decisions::{Measured, Setup};
use crate::advisories::Advisor;
use crate::exit::usage;
use crate::intake::Tally;
use crate::shards::{Look, Shards};
use crate::wall;

/// The source must be there.
pub const SOURCE: &str = "source";
/// What was known must be known again.
pub const STATE: &str = "state";
/// Everything known is looked over in about this time.
const LOOKED_OVER_IN: Duration = Duration::from_secs(1);
/// So many devices of a shard at a time, so that no row waits for long.
const LOOKED_AT: usize = 2_048;
/// How the run is doing is told this often.
const TOLD_EVERY: Duration = Duration::from_secs(1);
/// How long the current answers are given at the end.
const GOODBYE_WITHIN: Duration = Duration::from_millis(500);

/// Whoever asks over HTTP is told by it.
#[derive(Debug)]
pub struct Teller {
    board: Board,
    health: Health,
    metrics: Metrics,
    audience: Audience,
    counted: Counted,
    /// The device that is looked at next, and when.
    place: usize,
    look_at: Instant,
    told_at: Instant,
    /// Plant time is wall time.
    real_time: bool,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Largest event time so far.
    pub newest: EventTime,
    /// Silence means that nothing happens.
    pub connected: bool,
}

/// A name for this process that no earlier one had.
fn boot() -> anyhow::Result<String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow!("the system gives no randomness: {error}"))?;
    Ok(format!("{:012x}", u64::from_be_bytes(bytes) >> 16))
}

/// A board of a plant on which nothing is known yet.
///
/// # Errors
/// If the system gives no randomness.
pub fn board(plant: &Plant, mode: Mode) -> anyhow::Result<Board> {
    let version = env!("CARGO_PKG_VERSION");
    let board = Board::new(plant.inventory(), mode, version, &boot()?);
    board.measure_by(plant.profile_hash(), plant.profiles().cloned());
    Ok(board)
}

/// The plant of a board is another from here on.
pub fn change(board: &Board, measured: Measured<'_>) {
    let plant = measured.plant;
    board.measure_by(plant.profile_hash(), plant.profiles().cloned());
    board.change(plant.inventory(), measured.blueprint.mode());
}

/// Everybody who is told of a run.
#[derive(Debug)]
pub struct Audience {
    /// Whoever asks over HTTP.
    pub server: Option<Running>,
    /// Whoever decides.
    pub decisions: Decisions,
}

/// Serves health and metrics, and the board to those who have access; tells those who decide.
///
/// # Errors
/// If the address cannot be listened on, or others reach it and could do everything, or what decides
/// cannot be as it is configured.
pub fn gather(
    setup: &Setup<'_>,
    health: &Health,
    metrics: &Metrics,
    board: &Board,
    measured: Measured<'_>,
    runtime: &Runtime,
) -> anyhow::Result<Audience> {
    let mut decisions = Decisions::prepare(setup, board, health, metrics, measured)?;
    let server = setup.http.map(|address| {
        let server = Server::bind(address, health.clone(), metrics.clone()).map_err(usage)?;
        let server = if setup.access.health_only {
            server
        } else {
            let access = setup.access.access.clone();
            let server = server.offering(decisions.offers(setup.decisions));
            server.telling(board.clone(), access).map_err(usage)?
        };
        anyhow::Ok(server.spawn(runtime.handle())?)
    });
    let server = server.transpose()?;
    decisions.begin(setup.decisions, board, health, metrics)?;
    Ok(Audience { server, decisions })
}

/// What an engine knows of a device, as the board takes it.
pub fn heard(standing: Standing) -> Heard {
    let open = standing.open;
    Heard {
        device_id: standing.device_id,
        risk: standing.risk,
        last_seen: standing.last_seen,
        at: standing.at,
        open: open.map(|open| (open.verdict_id, open.grade, open.since)),
    }
}

impl Teller {
    /// Listens, if it is to, and tells from now on.
    ///
    /// # Errors
    /// If the address cannot be listened on, or what decides cannot be as it is configured.
    pub fn open(
        setup: &Setup<'_>,
        measured: Measured<'_>,
        runtime: &Runtime,
    ) -> anyhow::Result<Self> {
        let conditions = [(SOURCE, "not there yet"), (STATE, "not restored yet")];
        let health = Health::new(&conditions, Health::STALLED_AFTER);
        let metrics = Metrics::new(env!("CARGO_PKG_VERSION"));
        let board = board(measured.plant, measured.blueprint.mode())?;
        let audience = gather(setup, &health, &metrics, &board, measured, runtime)?;
        let now = Instant::now();
        Ok(Self {
            board,
            health,
            metrics,
            audience,
            counted: Counted::default(),
            place: 0,
            look_at: now,
            told_at: now + TOLD_EVERY,
            real_time: setup.real_time,
        })
    }

    /// Where it is served, if it is.
    pub fn url(&self) -> Option<String> {
        self.audience.server.as_ref().map(Running::url)
    }

    /// What an earlier run knew is known again.
    ///
    /// # Errors
    /// If a shard's thread is gone.
    pub fn restored<'a>(
        &mut self,
        shards: &Shards,
        verdicts: impl Iterator<Item = &'a Verdict>,
        tally: &Tally,
    ) -> anyhow::Result<()> {
        let look = shards.look(0, usize::MAX)?;
        self.hear(look.standings);
        verdicts.for_each(|verdict| self.board.verdict(verdict));
        self.counted.begin(tally, look.counts);
        self.health.ready(STATE);
        Ok(())
    }

    /// The devices are others from here on.
    pub fn change(&self, measured: Measured<'_>) {
        change(&self.board, measured);
        self.audience.decisions.change(measured);
    }

    /// What people decide is handed in there from now on.
    pub fn sit(&self, desk: Arc<dyn Desk>) {
        self.board.sit(desk);
    }

    /// What is known of the firmware of devices is asked there from now on.
    pub fn advise(&self, advisor: Advisor) {
        self.board.advise(Arc::new(advisor));
    }

    /// Commands about these devices have changed, and these stand somewhere else.
    pub fn commands(&self, orders: &Orders, devices: &BTreeSet<DeviceId>, moved: &[Order]) {
        for device in devices {
            self.board.commands(device, orders.histories(device));
            self.board
                .suppressed(device, orders.suppressed_until(device));
        }
        for order in moved {
            self.board.command_moved(order);
        }
    }

    /// What tells one story, as an earlier run left it.
    pub fn incidents_known<'a>(&self, incidents: impl Iterator<Item = &'a Incident>) {
        incidents.for_each(|incident| self.board.incident_known(incident));
    }

    /// These read differently now.
    pub fn incidents(&self, incidents: &[Incident]) {
        for incident in incidents {
            self.board.incident(incident);
        }
    }

    /// Takes something that came out.
    pub fn item(&self, item: &Item) {
        match item {
            Item::Verdict(verdict) => {
                self.metrics.verdict(verdict.grade, verdict.revision);
                self.board.verdict(verdict);
            }
            Item::Risk(update) => self.board.risk(update),
            Item::Heartbeat(_)
            | Item::Refusal(_)
            | Item::Late(_)
            | Item::Duplicate(_)
            | Item::Window(_) => {}
        }
    }

    /// Verdicts took so long from the reader to the hand-over.
    pub fn waited(&self, wait: Duration, verdicts: u64) {
        for _ in 0..verdicts {
            self.metrics.ingest_to_verdict(wait);
        }
    }

    /// The loop goes on; now and then it looks over what is known, and tells how it is doing.
    ///
    /// # Errors
    /// If a shard's thread is gone.
    pub fn beat(
        &mut self,
        shards: &Shards,
        tally: &Tally,
        progress: Progress,
    ) -> anyhow::Result<()> {
        self.health.beat();
        let now = Instant::now();
        if now < self.look_at {
            return Ok(());
        }
        let look = shards.look(self.place, LOOKED_AT)?;
        let pieces = u32::try_from(look.devices.div_ceil(LOOKED_AT)).unwrap_or(u32::MAX);
        self.look_at = now + LOOKED_OVER_IN / pieces.max(1);
        self.place += LOOKED_AT;
        if self.place >= look.devices {
            self.place = 0;
        }
        if now >= self.told_at {
            self.tell(&look, tally, progress);
        }
        self.hear(look.standings);
        Ok(())
    }

    fn hear(&self, standings: Vec<Standing>) {
        self.board.hear(standings.into_iter().map(heard));
    }

    fn tell(&mut self, look: &Look, tally: &Tally, progress: Progress) {
        let now = Instant::now();
        let since = now.saturating_duration_since(self.told_at) + TOLD_EVERY;
        self.told_at = now + TOLD_EVERY;
        if progress.connected {
            self.health.ready(SOURCE);
        } else {
            self.health.not_ready(SOURCE, "the broker is not there");
        }
        let newest = (progress.newest > EventTime::MIN).then_some(progress.newest);
        let lag = newest.filter(|_| self.real_time);
        let pulse = Pulse {
            newest,
            lag_ms: lag.map(|newest| wall::now().since(newest).micros() / 1_000),
            connected: progress.connected,
            fresh: self.counted.grow(&self.metrics, tally, look.counts),
            totals: Counted::totals(tally, look.counts),
        };
        self.board.pulse(pulse, since.as_secs_f64());
    }

    /// Whether it is time to tell how the run is doing.
    pub fn is_due(&self) -> bool {
        Instant::now() >= self.told_at
    }

    /// How outlets stand; `kind` says whom they serve.
    pub fn outlets(&self, kind: &'static str, outlets: Vec<Status>) {
        for status in outlets {
            self.metrics.outlet(OutletStanding {
                kind,
                outlet: status.outlet,
                taken: status.taken,
                arrived: status.arrived,
                refused: status.refused,
                lost: status.lost,
                retries: status.retries,
                waiting: status.waiting,
                is_well: status.is_well,
            });
        }
    }

    /// Tells nobody any more.
    pub fn close(&mut self, runtime: &Runtime) {
        if let Some(server) = self.audience.server.take() {
            runtime.block_on(server.shutdown(GOODBYE_WITHIN));
        }
        self.audience.decisions = Decisions::default();
    }
}
