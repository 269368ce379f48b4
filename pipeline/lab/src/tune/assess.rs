//! From what each configuration said of the tuned part to what is claimed for it.

use std::collections::{BTreeMap, BTreeSet};

use andon_detectors::catalog::CATALOG;
use andon_schemas::grade::Grade;
use andon_schemas::identity::DeviceId;
use andon_schemas::profile::ProfileSet;
use andon_schemas::time::EventTime;

use super::Per;
use super::certificate::{
    Claim, DEVICES_MIN, Sample, Tested, Watched, choose, p_value, scale_needed, spread,
};
use super::drill::{Drill, FirstAccused};
use super::outcome::{Alarm, AsWritten, Grounds, Rate, Refusal, Step, Verdict};
use super::path::Setting;
use super::split::{Part, Split};
use super::watch::{Accusation, Watch};

/// Most false positives that are listed one by one.
const ALARMS_MAX: usize = 50;
/// Under a claim for each grade, each is this much rarer than the one below.
const GRADE_STEP: f64 = 10.0;

/// What the devices of a part showed under one configuration, in the order of their ids.
pub(super) fn seen(
    split: &Split,
    part: Part,
    watch: &Watch,
    grade: Grade,
    counts: impl Fn(&Accusation) -> bool,
) -> Vec<Watched> {
    let span = split.span(part);
    let mut accused: BTreeMap<&DeviceId, u64> = BTreeMap::new();
    let within = |a: &Accusation| a.at >= span.start && a.at < span.end && counts(a);
    for (device, _) in watch.hours(grade, within) {
        *accused.entry(device).or_default() += 1;
    }
    let stood = watch.accused_hours(span);
    let of = |(device, _, hours): (&DeviceId, _, u64)| Watched {
        hours: hours.saturating_sub(stood.get(device).copied().unwrap_or(0)),
        false_positives: accused.get(device).copied().unwrap_or(0),
    };
    split.devices(part).map(of).collect()
}

/// A claim and what was chosen for it.
#[derive(Debug)]
pub(super) struct Choice {
    /// The device type it is for; none for all.
    device_type: Option<String>,
    pub(super) verdict: Verdict,
}

impl Choice {
    /// Whether it holds for a device type.
    pub(super) fn covers(&self, device_type: &str) -> bool {
        self.device_type
            .as_deref()
            .is_none_or(|own| own == device_type)
    }
}

/// What all configurations showed on the tuned part.
pub(super) struct Assessment<'a> {
    split: &'a Split,
    path: &'a [Setting],
    watches: &'a [Watch],
    claim: Claim,
    spread: f64,
}

impl<'a> Assessment<'a> {
    pub(super) fn new(
        split: &'a Split,
        path: &'a [Setting],
        watches: &'a [Watch],
        claim: Claim,
    ) -> Self {
        let mut assessment = Self {
            split,
            path,
            watches,
            claim,
            spread: 0.0,
        };
        assessment.spread = assessment.spread_of(Grade::Medium, None);
        assessment
    }

    pub(super) fn spread(&self) -> f64 {
        self.spread
    }

    /// What each configuration comes to for a device type, or for all.
    fn samples(&self, grade: Grade, device_type: Option<&str>) -> Vec<Vec<Watched>> {
        let all = self.watches.iter();
        let samples = all.map(|watch| seen(self.split, Part::Tune, watch, grade, |_| true));
        let Some(device_type) = device_type else {
            return samples.collect();
        };
        let is_it: Vec<bool> = self
            .split
            .devices(Part::Tune)
            .map(|(_, member, _)| member.device_type == device_type)
            .collect();
        let only = |sample: Vec<Watched>| {
            let own = sample.into_iter().zip(&is_it).filter(|(_, own)| **own);
            own.map(|(device, _)| device).collect()
        };
        samples.map(only).collect()
    }

    fn spread_of(&self, grade: Grade, device_type: Option<&str>) -> f64 {
        let samples = self.samples(grade, device_type);
        spread(&samples.iter().map(|one| Sample(one)).collect::<Vec<_>>())
    }

    fn rate(&self, sample: &Sample, spread: f64, claim: &Claim) -> Rate {
        Rate::of(sample, spread, claim, self.split.members.len() as u64)
    }

    /// Claims, and the loosest configuration that each lets pass.
    pub(super) fn choose(&self, per: Per, has_profile: impl Fn(&str) -> bool) -> Vec<Choice> {
        match per {
            Per::Fleet => vec![self.choice("all", None, &[(Grade::Medium, self.claim)])],
            Per::DeviceType => {
                let tuned = self.split.devices(Part::Tune);
                let types: BTreeSet<&str> = tuned
                    .map(|(_, member, _)| member.device_type.as_str())
                    .filter(|name| has_profile(name))
                    .collect();
                let claim = self.claim.among(types.len());
                let one = |name: &&str| self.choice(name, Some(name), &[(Grade::Medium, claim)]);
                types.iter().map(one).collect()
            }
            Per::Grade => self.by_grade(),
        }
    }

    /// One configuration for all grades, each ten times as rare as the one below it.
    fn by_grade(&self) -> Vec<Choice> {
        let grades = [Grade::Medium, Grade::High, Grade::Critical];
        let mut target = GRADE_STEP * self.claim.target;
        let claims = grades.map(|grade| {
            target /= GRADE_STEP;
            let claim = Claim {
                target,
                ..self.claim
            };
            (grade, claim)
        });
        let together = self.choice("all", None, &claims).verdict.chosen;
        let one = |claim: &(Grade, Claim)| {
            let mut choice = self.choice(claim.0.as_str(), None, std::slice::from_ref(claim));
            if choice.verdict.chosen.is_some() && together.is_none() {
                choice.verdict.refused = Some(Refusal {
                    reason: "the claim for another grade is refused".to_owned(),
                    device_hours: choice.verdict.false_positives.device_hours,
                    device_hours_needed: None,
                });
            }
            if choice.verdict.chosen != together {
                let samples = self.samples(claim.0, None);
                let sample = Sample(&samples[together.unwrap_or(0)]);
                let spread = self.spread_of(claim.0, None);
                choice.verdict.false_positives = self.rate(&sample, spread, &claim.1);
            }
            choice.verdict.chosen = together;
            choice
        };
        claims.iter().map(one).collect()
    }

    /// The loosest configuration that passes all of these claims together with all stricter ones.
    fn choice(&self, scope: &str, device_type: Option<&str>, claims: &[(Grade, Claim)]) -> Choice {
        let shown: Vec<(Vec<Vec<Watched>>, Claim)> = claims
            .iter()
            .map(|(grade, claim)| (self.samples(*grade, device_type), *claim))
            .collect();
        let tested: Vec<Tested> = shown
            .iter()
            .map(|(samples, claim)| {
                let samples = samples.iter().map(|one| Sample(one)).collect();
                Tested::new(samples, *claim)
            })
            .collect();
        let chosen = choose(&tested);
        // Of several claims the first is spoken of, which is the one that all are judged by.
        let Tested {
            samples,
            spread,
            claim,
        } = &tested[0];
        let sample = samples[chosen.unwrap_or(0)];
        let refused = chosen.is_none().then(|| refusal(&sample, *spread, claim));
        Choice {
            device_type: device_type.map(str::to_owned),
            verdict: Verdict {
                scope: scope.to_owned(),
                claim: *claim,
                chosen,
                false_positives: self.rate(&sample, *spread, claim),
                refused,
            },
        }
    }

    /// The profiles as they were given.
    pub(super) fn as_written(&self, watch: &Watch, drill: &Drill) -> AsWritten {
        let sample = seen(self.split, Part::Tune, watch, Grade::Medium, |_| true);
        AsWritten {
            false_positives: self.rate(&Sample(&sample), self.spread, &self.claim),
            found: drill.found(|device, from| first_accused(watch, device, from)),
        }
    }

    /// The path, step by step.
    pub(super) fn steps(&self, profiles: &ProfileSet, drill: &Drill) -> Vec<Step> {
        let samples = self.samples(Grade::Medium, None);
        let all = self.path.iter().zip(&samples).zip(self.watches);
        all.map(|((setting, sample), watch)| {
            let sample = Sample(sample);
            let volumes = profiles
                .iter()
                .filter_map(|profile| profile.volume.as_ref());
            let multiples: Vec<f64> = volumes.filter_map(|v| setting.multiple(v)).collect();
            let ends = multiples
                .iter()
                .fold(None, |ends: Option<(f64, f64)>, one| {
                    Some(ends.map_or((*one, *one), |(lo, hi)| (lo.min(*one), hi.max(*one))))
                });
            Step {
                setting: *setting,
                discount: setting.discount(),
                multiples: ends,
                false_positives: self.rate(&sample, self.spread, &self.claim),
                p_value: p_value(&sample, self.claim.target, self.spread),
                found: drill.found(|device, from| first_accused(watch, device, from)),
            }
        })
        .collect()
    }

    /// What each device type is measured against under what was chosen.
    fn chosen_for(&self, choices: &[Choice], device_type: &str) -> Option<&'a Watch> {
        let choice = choices.iter().find(|choice| choice.covers(device_type))?;
        Some(&self.watches[choice.verdict.chosen.unwrap_or(0)])
    }

    /// Accusations of the tuned part under what was chosen, or under the strictest configuration
    /// where nothing was, in the order of time.
    fn accusations(&self, choices: &[Choice]) -> Vec<&'a Accusation> {
        let span = self.split.span(Part::Tune);
        let mut all: Vec<&Accusation> = self
            .split
            .devices(Part::Tune)
            .filter_map(|(device, member, _)| {
                Some((device, self.chosen_for(choices, &member.device_type)?))
            })
            .flat_map(|(device, watch)| {
                let own = watch
                    .accusations
                    .iter()
                    .filter(move |a| a.device == *device);
                own.filter(|a| a.at >= span.start && a.at < span.end)
            })
            .collect();
        all.sort_by(|a, b| (a.at, &a.device).cmp(&(b.at, &b.device)));
        all
    }

    /// How often each detector opened or raised an episode, whatever the grade.
    pub(super) fn grounds(&self, choices: &[Choice]) -> Vec<Grounds> {
        let accusations = self.accusations(choices);
        let mut rates = Vec::new();
        for entry in CATALOG {
            let by_rule = entry.grade != "by evidence";
            for rule in [true, false] {
                if !(if rule { by_rule } else { entry.stake() > 0.0 }) {
                    continue;
                }
                let is_it =
                    |(name, of_rule): &(String, bool)| name == entry.name && *of_rule == rule;
                let own = accusations.iter().filter(|a| a.grounds.iter().any(is_it));
                let hours: BTreeSet<(&DeviceId, i64)> =
                    own.map(|a| (&a.device, a.hour())).collect();
                let watched: Vec<Watched> = self
                    .split
                    .devices(Part::Tune)
                    .map(|(device, _, all)| Watched {
                        hours: all,
                        false_positives: hours
                            .range((device, i64::MIN)..=(device, i64::MAX))
                            .count() as u64,
                    })
                    .collect();
                let sample = Sample(&watched);
                rates.push(Grounds {
                    detector: entry.name.to_owned(),
                    rule,
                    false_positives: self.rate(&sample, self.spread, &self.claim),
                });
            }
        }
        rates
    }

    /// The first false positives, one by one.
    pub(super) fn alarms(&self, choices: &[Choice]) -> Vec<Alarm> {
        let reached = |a: &&&Accusation| a.reaches(Grade::Medium);
        let all = self.accusations(choices);
        let listed = all.iter().filter(reached).take(ALARMS_MAX);
        listed
            .map(|accusation| Alarm {
                device: accusation.device.clone(),
                at: accusation.at,
                grade: accusation.grade,
                detectors: accusation
                    .grounds
                    .iter()
                    .map(|(name, _)| name.clone())
                    .collect(),
                sentence: accusation.sentence.clone(),
            })
            .collect()
    }
}

fn first_accused(watch: &Watch, device: &DeviceId, from: EventTime) -> FirstAccused {
    let own = || {
        watch
            .accusations
            .iter()
            .filter(|a| a.device == *device && a.at >= from)
    };
    FirstAccused {
        any: own().map(|a| a.at).min(),
        medium: own()
            .filter(|a| a.grade >= Grade::Medium)
            .map(|a| a.at)
            .min(),
    }
}

/// Why nothing is certified, and what would be needed.
fn refusal(sample: &Sample, spread: f64, claim: &Claim) -> Refusal {
    let hours = sample.hours();
    let few = !sample.is_crowd();
    let scale = scale_needed(sample, claim, spread).filter(|_| !few);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a number of hours, rounded up"
    )]
    let needed = scale.map(|scale| (scale * hours as f64).ceil() as u64);
    let reason = if hours == 0 {
        "its tuned part holds no whole device-hour".to_owned()
    } else if few {
        format!(
            "its tuned part holds {} devices, not all watched equally long; how much devices differ \
             cannot be told from what is worth fewer than {DEVICES_MIN}; half of the devices in the traffic serve for it. It takes more devices, not more \
             hours",
            sample.devices()
        )
    } else if scale.is_some() {
        format!(
            "{} false positives in {hours} device-hours do not prove the target",
            sample.count()
        )
    } else {
        format!(
            "even the strictest configuration has {} false positives in {hours} device-hours, more \
             than the target allows; they come from rules that tuning does not loosen, or the \
             traffic is not clean; more of it would not do",
            sample.count()
        )
    };
    Refusal {
        reason,
        device_hours: hours,
        device_hours_needed: needed,
    }
}
