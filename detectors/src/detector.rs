//! What a detector is: a pure state machine that asks one question of one device's rows and
//! panes, and returns what it saw. It never decides and never names itself.

use andon_schemas::finding::Evidence;
use andon_schemas::grade::{Grade, Plane};
use andon_schemas::observation::Kind;
use andon_schemas::time::EventTime;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::baseline::Baseline;
use crate::facts::{
    AttestationFacts, ClaimFacts, CloseFacts, DeadlineFacts, DeviceFacts, FlowFacts, ReadingFacts,
    ResolutionFacts, RowFacts, ShedFacts,
};

/// Which steps a statistic accumulates evidence on. Stakes are spent per clock and day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Clock {
    /// A rule: it accumulates nothing.
    None,
    /// Each message of a cadence.
    Message,
    /// Each new connection.
    Connection,
    /// Each closed window.
    Window,
    /// Each visit to a state, each episode.
    Visit,
}

impl Clock {
    /// Whether a row of this kind may be a step on it. A rule may remember something of any row.
    pub(crate) const fn ticks_on(self, kind: Kind) -> bool {
        match self {
            Self::None => true,
            Self::Message | Self::Connection => matches!(kind, Kind::Flow),
            Self::Window => false,
            Self::Visit => matches!(kind, Kind::Reading),
        }
    }
}

/// What one look came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Signal<I> {
    /// Nothing to say.
    #[default]
    Quiet,
    /// It was seen.
    Seen(Sighting<I>),
    /// What held before holds no longer: a state is right again, or evidence fell back.
    Over,
    /// It was seen, and declared maintenance explains it: it is counted and not reported.
    Excused,
}

/// Something was seen. Cheap: the words are made only if a verdict needs them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sighting<I> {
    /// The floor a rule sets; `None` for a statistic.
    pub floor: Option<Grade>,
    /// 0–100 where 100 is worst; a statistic's `25·log10 M`, a rule's floor.
    pub score: u8,
    /// The number whose doubling is worth telling: bytes, hosts, amperes. Not negative.
    pub magnitude: f64,
    /// It is a state that ends by [`Signal::Over`], not by time.
    pub holds: bool,
    /// Everything [`Detector::assess`] needs.
    pub inputs: I,
}

/// A detector of the catalogue.
///
/// The same facts in the same order always yield the same signals. A hook that a detector does
/// not need is left out and costs nothing.
pub trait Detector: 'static {
    /// Permanent public name: the key in a profile, the label in a verdict.
    const NAME: &'static str;
    /// The question in one sentence, as an operator would ask it.
    const QUESTION: &'static str;
    /// When it cries wolf, in one sentence.
    const CRIES_WOLF: &'static str;
    /// The section of a profile it reads, or `–`.
    const READS: &'static str;
    /// Its default grade in words, for the catalogue: `CRITICAL`, `by evidence`.
    const GRADE: &'static str;
    /// Where it looks.
    const PLANE: Plane;
    /// Which clock its evidence runs on.
    const CLOCK: Clock;
    /// Its weight within its clock; the catalogue normalises the stakes. 0 for a rule.
    const WEIGHT: f32;

    /// What it compiled from a profile.
    type Plan: Send + Sync;
    /// What it remembers of one device.
    type State: Clone + Default + PartialEq + Serialize + DeserializeOwned + Send;
    /// What one assessment is computed from; stored with the verdict.
    type Inputs: Clone + PartialEq + Serialize + DeserializeOwned;

    /// Compiles what it needs; `None` if the profile says nothing it could use. `stake` is its
    /// share of one false alarm per device-day.
    fn plan(baseline: &Baseline, stake: f32) -> Option<Self::Plan>;

    /// Turns inputs into evidence. Pure: `explain` calls it again years later.
    fn assess(plan: &Self::Plan, inputs: &Self::Inputs) -> Evidence;

    /// Looks at a row of any kind, before the hook of its kind.
    fn on_row(_: &Self::Plan, _: &mut Self::State, _: &RowFacts) -> Signal<Self::Inputs> {
        Signal::Quiet
    }

    /// Looks at a flow.
    fn on_flow(_: &Self::Plan, _: &mut Self::State, _: &FlowFacts) -> Signal<Self::Inputs> {
        Signal::Quiet
    }

    /// Looks at a reading.
    fn on_reading(_: &Self::Plan, _: &mut Self::State, _: &ReadingFacts) -> Signal<Self::Inputs> {
        Signal::Quiet
    }

    /// Looks at a firmware report.
    fn on_attestation(
        _: &Self::Plan,
        _: &mut Self::State,
        _: &AttestationFacts,
    ) -> Signal<Self::Inputs> {
        Signal::Quiet
    }

    /// Looks at an answer to a name that the device asked for.
    fn on_resolution(
        _: &Self::Plan,
        _: &mut Self::State,
        _: &ResolutionFacts,
    ) -> Signal<Self::Inputs> {
        Signal::Quiet
    }

    /// Looks at a row in which the device spoke for another.
    fn on_claim(_: &Self::Plan, _: &mut Self::State, _: &ClaimFacts) -> Signal<Self::Inputs> {
        Signal::Quiet
    }

    /// Looks at a row about a device that there is no room to watch.
    fn on_shed(_: &Self::Plan, _: &mut Self::State, _: &ShedFacts) -> Signal<Self::Inputs> {
        Signal::Quiet
    }

    /// Looks at a window that closed.
    fn on_close(_: &Self::Plan, _: &mut Self::State, _: &CloseFacts) -> Signal<Self::Inputs> {
        Signal::Quiet
    }

    /// The device is measured against another profile from here on, and whatever stood until it was
    /// over has ended with the former one. What was gathered against that one is forgotten; a rule
    /// keeps what it knows of the device, unless it waits for something to be over.
    fn change_profile(state: &mut Self::State) {
        if Self::CLOCK != Clock::None {
            *state = Self::State::default();
        }
    }

    /// The next moment it wants to be asked at, if no row comes; asked once after the device's
    /// first row and after every deadline. It may be too early: the hook then asks for a later one.
    fn deadline(
        _: &Self::Plan,
        _: &Self::State,
        _: &DeviceFacts,
        _last_seen: EventTime,
    ) -> EventTime {
        EventTime::MAX
    }

    /// Its deadline has come.
    fn on_deadline(_: &Self::Plan, _: &mut Self::State, _: &DeadlineFacts) -> Signal<Self::Inputs> {
        Signal::Quiet
    }
}
