//! Thresholds with a guarantee: how loose may a profile be, so that clean traffic is falsely
//! accused in at most so many of its device-hours, and what does that find?
//!
//! ```text
//! read once   who is there, and when                    split: devices and time kept apart
//! read again  13 configurations, the calibrated part    path: the order in which they are tested
//! read again  13 configurations, the tuned part         certificate: the loosest that is proven
//!             attacks on devices that serve nothing else drill: what each configuration finds
//! read again  as written and as proposed                the part kept for the end, counted once
//! ```
//!
//! The engine is the one that watches live traffic; a configuration is a set of profiles. What is
//! promised: were the traffic clean, and were another fleet drawn like this one, its devices would
//! be falsely accused at no more than the target in at least `confidence` of all tunings. A
//! device-hour counts while its device does not stand accused of MEDIUM or worse already: nothing
//! more could be said of it. Where that ends: devices whose rates spread far more than a gamma
//! distribution (one in fifty a hundred times as noisy as the rest, and not among those that were
//! tuned on) are not covered by any number of hours of the others. Method: stats.md §9.3, §9.4; the
//! test and its limits: [`certificate`].

pub mod certificate;
pub mod drill;
pub mod outcome;
pub mod path;
pub mod plot;
pub mod proposal;
pub mod split;

mod assess;
mod pass;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use andon_engine::Plant;
use andon_ingest::files::{CaptureError, Captures};
use andon_schemas::command::Mode;
use andon_schemas::grade::Grade;
use andon_schemas::identity::DeviceId;
use andon_schemas::observation::{Kind, Observation};
use andon_schemas::profile::ProfileSet;
use andon_schemas::time::{EventTime, Span};
use thiserror::Error;

use self::assess::{Assessment, Choice};
use self::certificate::{Claim, Sample};
use self::drill::Drill;
use self::outcome::{Outcome, PartOf, Rate, Report, SCHEMA};
use self::path::{Certified, Setting};
use self::split::{Heard, PARTS, Part, Split};
use self::watch::Watch;
use crate::play::Player;

/// What the claim is made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Per {
    /// All devices together.
    #[default]
    Fleet,
    /// Each device type for itself.
    DeviceType,
    /// MEDIUM at the target, HIGH at a tenth and CRITICAL at a hundredth of it, together.
    Grade,
}

/// Why traffic cannot be tuned on.
#[derive(Debug, Error)]
pub enum TuneError {
    /// A capture cannot be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// Nothing in it is about any device.
    #[error("the capture holds no row of any device, so there is nothing to tune on")]
    Empty,
    /// No device has a profile.
    #[error(
        "no device of the capture has a profile: name an inventory that gives its devices their \
         types, and profiles of these types"
    )]
    NoProfile,
    /// It is over before it began.
    #[error("no device of the capture was heard of for an hour, so there is nothing to tune on")]
    TooShort,
    /// What an engine would take for late.
    #[error(
        "the captures go back in time by hours, so that no engine would count what they hold: name \
         them in the order of their time"
    )]
    Backwards,
}

/// A row so far behind its own device's newest one is behind its time …
const BEHIND: Span = Span::from_secs(2 * 3600);
/// … and one row in so many may be.
const BEHIND_ONE_IN: u64 = 100;

/// What is tuned, on what, for what.
pub struct Tuning<'a> {
    /// Inventory and profiles as they were given, compiled.
    pub plant: &'a Arc<Plant>,
    /// The profiles as they were given.
    pub profiles: &'a ProfileSet,
    /// Opens the traffic at its beginning; called several times.
    pub open: &'a dyn Fn() -> Result<Captures, CaptureError>,
    /// When records were received that do not say so.
    pub as_of: EventTime,
    /// What is claimed.
    pub claim: Claim,
    /// For what.
    pub per: Per,
}

impl std::fmt::Debug for Tuning<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tuning")
            .field("claim", &self.claim)
            .field("per", &self.per)
            .finish_non_exhaustive()
    }
}

/// Tells how far it is: what is being done, and how many records of it are read.
pub type Told<'a> = dyn FnMut(&'static str, u64) + 'a;

/// Tunes; what came of it, and the profiles that are proposed.
///
/// # Errors
/// If the traffic cannot be read, or there is nothing in it to tune on. Too little traffic is no
/// error: the outcome says what it lacks.
pub fn tune(tuning: &Tuning, told: &mut Told) -> Result<(Outcome, ProfileSet), TuneError> {
    let (split, seen) = tuning.scan(told)?;
    let path = tuning.calibrate(&split, told)?;
    let mut drill = Drill::of(&split, |name| tuning.profiles.get(name));
    let mut watches = tuning.pass(
        ("tuning", told),
        &path,
        split.span(Part::Tune).end,
        &mut |rows| drill.alter(rows),
    )?;
    let as_written = watches.remove(0);
    let assessment = Assessment::new(&split, &path, &watches, tuning.claim);
    let choices = assessment.choose(tuning.per, |name| tuning.profiles.get(name).is_some());
    let proposed = tuning.propose(&path, &choices, &split, &seen.with_flows);
    let report = (proposed.hash() != tuning.profiles.hash())
        .then(|| tuning.report(&split, &proposed, assessment.spread(), told))
        .transpose()?;
    let outcome = Outcome {
        schema: SCHEMA,
        records: seen.records,
        refused_records: seen.refused,
        devices_without_profile: seen.without_profile,
        whole: split.whole,
        devices: split.members.len() as u64,
        parts: PARTS.map(|part| part_of(&split, part)).to_vec(),
        spread: assessment.spread(),
        as_written: assessment.as_written(&as_written, &drill),
        path: assessment.steps(tuning.profiles, &drill),
        grounds: assessment.grounds(&choices),
        alarms: assessment.alarms(&choices),
        verdicts: choices.into_iter().map(|choice| choice.verdict).collect(),
        report,
    };
    Ok((outcome, proposed))
}

/// What was counted while looking at the traffic.
struct Seen {
    records: u64,
    refused: u64,
    without_profile: u64,
    /// Device types of which flows were seen.
    with_flows: BTreeSet<String>,
}

impl Tuning<'_> {
    fn player(&self) -> Result<Player, CaptureError> {
        Player::new((self.open)()?, self.plant, self.as_of)
    }

    /// Who is there, and when.
    fn scan(&self, told: &mut Told) -> Result<(Split, Seen), TuneError> {
        let mut heard: BTreeMap<DeviceId, Heard> = BTreeMap::new();
        let (mut rows_of_all, mut rows_behind) = (0_u64, 0_u64);
        let mut flows: BTreeSet<DeviceId> = BTreeSet::new();
        let mut note = |rows: &mut Vec<Observation>| {
            for row in rows.iter() {
                let at = row.header.event_time;
                if row.body.kind() == Kind::Flow && !flows.contains(&row.header.device) {
                    flows.insert(row.header.device.clone());
                }
                if let Some(heard) = heard.get_mut(&row.header.device) {
                    rows_of_all += 1;
                    rows_behind += u64::from(at < heard.newest() - BEHIND);
                    heard.at(at);
                } else {
                    let mut first = Heard::default();
                    first.at(at);
                    heard.insert(row.header.device.clone(), first);
                }
            }
        };
        let mut player = self.player()?;
        while player.next(&mut note)?.is_some() {
            told("looking", player.records());
        }
        if heard.is_empty() {
            return Err(TuneError::Empty);
        }
        if rows_behind * BEHIND_ONE_IN > rows_of_all {
            return Err(TuneError::Backwards);
        }
        let inventory = self.plant.inventory();
        let all = heard.len() as u64;
        // What has no profile has no thresholds, and would only thin out the rates of what has one.
        let measured = heard.into_iter().filter_map(|(device, heard)| {
            let device_type = &inventory.device(device.as_str())?.device_type;
            let profile = self.profiles.get(device_type)?;
            Some((device, (profile.name.clone(), heard)))
        });
        let measured: BTreeMap<DeviceId, (String, Heard)> = measured.collect();
        if measured.is_empty() {
            return Err(TuneError::NoProfile);
        }
        let split = Split::new(measured).ok_or(TuneError::TooShort)?;
        let without_profile = all - split.members.len() as u64;
        let with_flows = split
            .members
            .iter()
            .filter(|(device, _)| flows.contains(*device))
            .map(|(_, member)| member.device_type.clone())
            .collect();
        let seen = Seen {
            with_flows,
            records: player.records(),
            refused: player.refused(),
            without_profile,
        };
        Ok((split, seen))
    }

    /// The order in which configurations are tested, from what they come to where nothing is
    /// certified.
    fn calibrate(&self, split: &Split, told: &mut Told) -> Result<Vec<Setting>, TuneError> {
        let first = path::first();
        let until = split.span(Part::Calibrate).end;
        let watches = self.pass(("calibrating", told), &first, until, &mut |_| {})?;
        let half = 0.5 * self.claim.target;
        let loosest = |counts: fn(&watch::Accusation) -> bool| {
            let within = |watch: &&Watch| {
                let devices = assess::seen(split, Part::Calibrate, watch, Grade::Medium, counts);
                let sample = Sample(&devices);
                #[expect(clippy::cast_precision_loss, reason = "hours stay far below 2^53")]
                let limit = half * sample.hours() as f64;
                #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
                let count = sample.count() as f64;
                count <= limit
            };
            let tried = watches.iter().skip(1);
            tried.take_while(within).count().saturating_sub(1)
        };
        let rule = loosest(watch::Accusation::by_volume_rule);
        let evidence = loosest(watch::Accusation::by_evidence);
        Ok(path::balanced(rule, evidence))
    }

    /// Plays the traffic to the profiles as they were given, and to each configuration.
    fn pass(
        &self,
        (stage, told): (&'static str, &mut Told),
        settings: &[Setting],
        until: EventTime,
        alter: &mut dyn FnMut(&mut Vec<Observation>),
    ) -> Result<Vec<Watch>, TuneError> {
        let claim = self.certified(0);
        let mut plants = vec![self.plant.clone()];
        plants.extend(
            settings
                .iter()
                .map(|setting| self.compile(&setting.apply_to_all(self.profiles, claim))),
        );
        let mut tell = |records| told(stage, records);
        Ok(pass::run(self.player()?, &plants, until, alter, &mut tell)?)
    }

    fn compile(&self, profiles: &ProfileSet) -> Arc<Plant> {
        let inventory = self.plant.inventory().clone();
        let indicators = self.plant.indicators().clone();
        Arc::new(Plant::with_indicators(
            inventory,
            profiles,
            indicators,
            Mode::Monitor,
        ))
    }

    fn certified(&self, device_hours: u64) -> Certified {
        Certified {
            device_hours,
            target: self.claim.target,
            confidence: self.claim.confidence,
        }
    }

    /// The profiles, each with what was certified for it; those for which nothing was stay as they
    /// are, and so do those of types that the traffic does not hold.
    fn propose(
        &self,
        path: &[Setting],
        choices: &[Choice],
        split: &Split,
        with_flows: &BTreeSet<String>,
    ) -> ProfileSet {
        let tuned = self.profiles.iter().map(|profile| {
            let held = |choice: &&Choice| choice.covers(&profile.name);
            let choice = choices.iter().find(held);
            let chosen = choice.and_then(|choice| Some((choice, choice.verdict.chosen?)));
            let is_tuned = split
                .devices(Part::Tune)
                .any(|(_, member, hours)| member.device_type == profile.name && hours > 0);
            match chosen {
                Some((choice, at)) if is_tuned => {
                    let hours = choice.verdict.false_positives.device_hours;
                    let mut tuned = path[at].apply(profile, self.certified(hours));
                    if !with_flows.contains(&profile.name) {
                        // Without any flow its rule on volume was never put to the test.
                        tuned.volume = profile.volume;
                        tuned.hash = tuned.content_hash();
                    }
                    tuned
                }
                _ => profile.clone(),
            }
        });
        ProfileSet::new(tuned)
    }

    /// Counts once what was kept for the end.
    fn report(
        &self,
        split: &Split,
        proposed: &ProfileSet,
        spread: f64,
        told: &mut Told,
    ) -> Result<Report, TuneError> {
        let plants = [self.plant.clone(), self.compile(proposed)];
        let until = split.span(Part::Report).end;
        let mut tell = |records| told("reporting", records);
        let watches = pass::run(self.player()?, &plants, until, &mut |_| {}, &mut tell)?;
        let rate = |watch: &Watch| {
            let devices = assess::seen(split, Part::Report, watch, Grade::Medium, |_| true);
            let fleet = split.members.len() as u64;
            Rate::of(&Sample(&devices), spread, &self.claim, fleet)
        };
        Ok(Report {
            as_written: rate(&watches[0]),
            proposed: rate(&watches[1]),
        })
    }
}

fn part_of(split: &Split, part: Part) -> PartOf {
    PartOf {
        part,
        span: split.span(part),
        devices: split.devices(part).count() as u64,
        device_hours: split.devices(part).map(|(_, _, hours)| hours).sum(),
    }
}
