//! Every detector this build knows. To add one, write its file and name it here.
//!
//! The macro turns the list into one struct of plans per device type, one struct of states per
//! device, and straight-line code that asks each detector in turn: no dynamic dispatch per row.
//! `cargo fmt` does not look into macros; format these files with
//! `cargo fmt --all -- detectors/src/catalog/*.rs`.

use std::hint::black_box;
use std::mem::needs_drop;

use andon_schemas::finding::{Basis, Confidence, Evidence};
use andon_schemas::grade::{Grade, Plane};
use andon_schemas::observation::Kind;
use andon_schemas::profile::Calibration;
use andon_schemas::time::EventTime;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::baseline::Baseline;
use crate::detector::{Clock, Detector, Sighting, Signal};
use crate::facts::{
    AttestationFacts, ClaimFacts, CloseFacts, DeadlineFacts, DeviceFacts, FlowFacts, ReadingFacts,
    ResolutionFacts, RowFacts, ShedFacts,
};

/// One line of the catalogue.
#[derive(Debug)]
pub struct Entry {
    /// Permanent public name.
    pub name: &'static str,
    /// The question in one sentence.
    pub question: &'static str,
    /// When it cries wolf.
    pub cries_wolf: &'static str,
    /// The section of a profile it reads.
    pub reads: &'static str,
    /// Its default grade in words.
    pub grade: &'static str,
    /// Where it looks.
    pub plane: Plane,
    /// Which clock its evidence runs on.
    pub clock: Clock,
    /// Its weight within its clock.
    pub weight: f32,
    /// Assesses stored inputs again.
    pub assess: fn(&Plans, &Value) -> Result<Evidence, String>,
}

impl Entry {
    /// Its share of one false alarm per device-day; 0 for a rule.
    pub fn stake(&self) -> f32 {
        stake(self.clock, self.weight)
    }
}

/// What the engine does with what detectors saw.
pub trait Sink {
    /// Detector number `index` of the catalogue saw something. `make` puts it into words, with
    /// the inputs; it is expensive and need not be called.
    fn seen(&mut self, index: usize, brief: Brief, make: &dyn Fn() -> (Evidence, Value));
    /// What detector number `index` reported before holds no longer.
    fn over(&mut self, index: usize);
    /// Detector number `index` saw something that declared maintenance explains.
    fn excused(&mut self, _index: usize) {}
}

/// The cheap part of a sighting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Brief {
    /// The floor a rule sets; `None` for a statistic.
    pub floor: Option<Grade>,
    /// 0–100, 100 is worst.
    pub score: u8,
    /// The number whose doubling is worth telling.
    pub magnitude: f64,
    /// It is a state that ends by being over.
    pub holds: bool,
}

/// The share of one false alarm per device-day that a weight within its clock is worth.
///
/// Every clock with a detector on it gets the same part of the day's stake; within a clock the
/// weights divide it. The sum over the catalogue is 1 (stats.md §1).
fn stake(clock: Clock, weight: f32) -> f32 {
    if clock == Clock::None {
        return 0.0;
    }
    let mut clocks: Vec<Clock> = CATALOG
        .iter()
        .map(|e| e.clock)
        .filter(|c| *c != Clock::None)
        .collect();
    clocks.sort_unstable();
    clocks.dedup();
    let within: f32 = CATALOG
        .iter()
        .filter(|e| e.clock == clock)
        .map(|e| e.weight)
        .sum();
    #[expect(clippy::cast_precision_loss, reason = "a handful of clocks")]
    let share = 1.0 / clocks.len() as f32;
    share * weight / within
}

/// Passes on what a detector saw. Nearly always that is nothing, and then it must cost nothing.
#[inline]
fn report<D: Detector>(
    index: usize,
    plans: (&Plans, &D::Plan),
    signal: &Signal<D::Inputs>,
    sink: &mut impl Sink,
) {
    match signal {
        Signal::Quiet => {}
        Signal::Over => sink.over(index),
        Signal::Excused => sink.excused(index),
        Signal::Seen(sighting) => show::<D>(index, plans, sighting, sink),
    }
}

#[cold]
fn show<D: Detector>(
    index: usize,
    (plans, plan): (&Plans, &D::Plan),
    sighting: &Sighting<D::Inputs>,
    sink: &mut impl Sink,
) {
    let Sighting {
        floor,
        score,
        magnitude,
        holds,
        inputs,
    } = sighting;
    let brief = Brief {
        floor: *floor,
        score: *score,
        magnitude: *magnitude,
        holds: *holds,
    };
    sink.seen(index, brief, &|| {
        let inputs_json = serde_json::to_value(inputs).unwrap_or(Value::Null);
        (plans.calibrated(D::assess(plan, inputs)), inputs_json)
    });
}

/// The stake of evidence that counts for one part in `discount`. Evidence is linear in the stakes,
/// so that dividing them once divides it for good.
fn discounted(calibration: Option<Calibration>, stake: f32) -> f32 {
    let discount = calibration.map_or(1.0, |calibration| calibration.discount);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "stakes are single precision by design"
    )]
    let stake = (f64::from(stake) / discount.max(1.0)) as f32;
    stake
}

fn confidence(calibration: Calibration) -> Confidence {
    Confidence {
        basis: Basis::Calibrated,
        n: calibration.device_hours,
    }
}

impl Plans {
    /// Says of evidence on a written range that it was calibrated, where it was.
    fn calibrated(&self, mut evidence: Evidence) -> Evidence {
        if let Some(calibrated) = self.calibrated
            && evidence.confidence.basis == Basis::Written
        {
            evidence.confidence = calibrated;
        }
        evidence
    }
}

fn assess_again<D: Detector>(plan: Option<&D::Plan>, inputs: &Value) -> Result<Evidence, String> {
    let plan = plan.ok_or_else(|| format!("the profile gives `{}` nothing to do", D::NAME))?;
    let inputs: D::Inputs = serde_json::from_value(inputs.clone())
        .map_err(|e| format!("stored inputs of `{}` are not readable: {e}", D::NAME))?;
    Ok(D::assess(plan, &inputs))
}

macro_rules! catalog {
    ($($module:ident::$Detector:ident),+ $(,)?) => {
        $(pub(crate) mod $module;)+

        /// In alphabetical order, which is also the order findings are reported in.
        pub static CATALOG: &[Entry] = &[$(Entry {
            name: <$module::$Detector as Detector>::NAME,
            question: <$module::$Detector as Detector>::QUESTION,
            cries_wolf: <$module::$Detector as Detector>::CRIES_WOLF,
            reads: <$module::$Detector as Detector>::READS,
            grade: <$module::$Detector as Detector>::GRADE,
            plane: <$module::$Detector as Detector>::PLANE,
            clock: <$module::$Detector as Detector>::CLOCK,
            weight: <$module::$Detector as Detector>::WEIGHT,
            assess: |plans, inputs| {
                let evidence = assess_again::<$module::$Detector>(plans.$module.as_ref(), inputs)?;
                Ok(plans.calibrated(evidence))
            },
        }),+];

        /// What every detector compiled from one profile; `None` where it is off or has nothing
        /// to do.
        #[expect(missing_debug_implementations, reason = "plans are tables, not for reading")]
        pub struct Plans {
            /// What evidence rests on where the profile was calibrated.
            calibrated: Option<Confidence>,
            $($module: Option<<$module::$Detector as Detector>::Plan>,)+
        }

        /// What every detector remembers of one device.
        #[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
        #[expect(missing_debug_implementations, reason = "opaque: each detector owns its part")]
        pub struct States {
            $($module: <$module::$Detector as Detector>::State,)+
        }

        impl States {
            /// The device is measured against another profile from here on.
            pub fn change_profile(&mut self) {
                $(<$module::$Detector as Detector>::change_profile(&mut self.$module);)+
            }
        }

        #[derive(Clone, Copy)]
        #[expect(non_camel_case_types, reason = "the names of the modules are the names here")]
        enum Index { $($module),+ }

        impl Plans {
            /// Compiles a profile for every detector it does not switch off.
            pub fn compile(baseline: &Baseline) -> Self {
                let calibration = baseline.profile.calibration;
                Self { calibrated: calibration.map(confidence), $($module: {
                    let name = <$module::$Detector as Detector>::NAME;
                    let off = baseline.profile.detectors.get(name).is_some_and(|s| s.off);
                    let stake = discounted(calibration, stake(
                        <$module::$Detector as Detector>::CLOCK,
                        <$module::$Detector as Detector>::WEIGHT,
                    ));
                    if off {
                        None
                    } else {
                        <$module::$Detector as Detector>::plan(baseline, stake)
                    }
                },)+ }
            }

            /// Reads what a row of this kind may change, and does nothing with it: it calls it
            /// into the cache. To copy it is the way to touch all of it; what lies on the heap is
            /// rare, and to copy it would cost more than it saves.
            #[inline]
            pub fn call_in(&self, states: &States, kind: Kind) {
                $(if self.$module.is_some()
                    && <$module::$Detector as Detector>::CLOCK.ticks_on(kind)
                    && !needs_drop::<<$module::$Detector as Detector>::State>()
                {
                    black_box(states.$module.clone());
                })+
            }

            /// Which detectors have something to do, in catalogue order.
            pub fn active(&self) -> Vec<&'static str> {
                let mut names = Vec::new();
                $(if self.$module.is_some() {
                    names.push(<$module::$Detector as Detector>::NAME);
                })+
                names
            }

            catalog!(@hook on_row, RowFacts, $($module::$Detector),+);
            catalog!(@hook on_flow, FlowFacts, $($module::$Detector),+);
            catalog!(@hook on_reading, ReadingFacts, $($module::$Detector),+);
            catalog!(@hook on_attestation, AttestationFacts, $($module::$Detector),+);
            catalog!(@hook on_resolution, ResolutionFacts, $($module::$Detector),+);
            catalog!(@hook on_claim, ClaimFacts, $($module::$Detector),+);
            catalog!(@hook on_shed, ShedFacts, $($module::$Detector),+);
            catalog!(@hook on_close, CloseFacts, $($module::$Detector),+);
            catalog!(@hook on_deadline, DeadlineFacts, $($module::$Detector),+);

            /// The earliest deadline that any detector asks for.
            pub fn deadline(
                &self,
                states: &States,
                device: &DeviceFacts,
                last_seen: EventTime,
            ) -> EventTime {
                let mut earliest = EventTime::MAX;
                $(if let Some(plan) = &self.$module {
                    earliest = earliest.min(<$module::$Detector as Detector>::deadline(
                        plan, &states.$module, device, last_seen,
                    ));
                })+
                earliest
            }
        }
    };
    (@hook $hook:ident, $Facts:ident, $($module:ident::$Detector:ident),+) => {
        /// Asks every detector in turn.
        #[inline]
        pub fn $hook(&self, states: &mut States, facts: &$Facts, sink: &mut impl Sink) {
            $(if let Some(plan) = &self.$module {
                let signal =
                    <$module::$Detector as Detector>::$hook(plan, &mut states.$module, facts);
                report::<$module::$Detector>(
                    Index::$module as usize, (self, plan), &signal, sink,
                );
            })+
        }
    };
}

catalog! {
    beaconing::Beaconing,
    cadence::Cadence,
    connection_rate::ConnectionRate,
    current_draw::CurrentDraw,
    destination_mix::DestinationMix,
    device_flood::DeviceFlood,
    firmware_mismatch::FirmwareMismatch,
    forbidden_flow::ForbiddenFlow,
    frozen_sensor::FrozenSensor,
    identity_mismatch::IdentityMismatch,
    known_bad_destination::KnownBadDestination,
    off_hours::OffHours,
    protocol_mix::ProtocolMix,
    scan::Scan,
    silence::Silence,
    slow_drift::SlowDrift,
    spindle_speed::SpindleSpeed,
    traffic_volume::TrafficVolume,
    unknown_command::UnknownCommand,
    unknown_destination::UnknownDestination,
    unknown_device::UnknownDevice,
    unknown_protocol::UnknownProtocol,
    upload_ratio::UploadRatio,
}
