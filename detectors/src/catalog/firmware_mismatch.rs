//! # Does it run firmware that is not known to be good?
//!
//! ## What it sees
//! A firmware report with an unknown version, with a known version and a foreign digest, with an
//! older release than the newest known good one this device has shown (a downgrade), or with a
//! failed TPM quote. It is a state: it holds until a report is right again. A report that leaves
//! out what was wrong before neither confirms nor clears it; a report without a digest is judged by
//! its version.
//!
//! ## When it cries wolf
//! An update before the profile knew of it: declare a maintenance window that names the version,
//! which allows exactly that version, older ones included, or add it to the profile.
//!
//! ## Method
//! A rule. Its false-positive rate is that of unplanned updates and is measured on clean history
//! (stats.md §5.11).

use andon_schemas::finding::Evidence;
use andon_schemas::grade::{Grade, Plane};
use andon_schemas::profile::Firmware;
use andon_schemas::quantity::day_number;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::baseline::Baseline;
use crate::detector::{Clock, Detector, Signal};
use crate::facts::AttestationFacts;
use crate::rule::{self, Words};

pub(crate) struct FirmwareMismatch;

/// What it compiled from a profile.
pub(crate) struct Plan {
    known: Vec<Known>,
    grade: Grade,
}

/// One firmware that is known to be good.
struct Known {
    firmware: Firmware,
    /// The day of its release, since 1970; `None` if the profile writes no calendar day.
    released: Option<i32>,
}

/// What this device has shown: 12 bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Release day of the newest known good firmware seen on it.
    newest: Option<i32>,
    wrong: Option<Problem>,
}

/// What is wrong with a report, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Problem {
    /// The TPM did not vouch for the firmware.
    TpmFailed,
    /// The profile does not know the version.
    UnknownVersion,
    /// The version is known, the image is another.
    WrongDigest,
    /// Known good, but older than what the device ran before.
    Downgrade,
}

/// One report, and what it is judged with; borrowed from the row, owned once it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report<S> {
    version: S,
    digest: Option<S>,
    tpm_ok: Option<bool>,
    /// A declared maintenance window allows this version.
    allowed: bool,
    /// Release day of the newest known good firmware seen on the device.
    newest: Option<i32>,
}

impl Report<&str> {
    fn kept(&self) -> Report<String> {
        Report {
            version: self.version.to_owned(),
            digest: self.digest.map(str::to_owned),
            tpm_ok: self.tpm_ok,
            allowed: self.allowed,
            newest: self.newest,
        }
    }
}

/// What a report shows.
enum Showing {
    Good(Option<i32>),
    /// It says too little to clear anything.
    Nothing,
    Bad(Problem),
}

impl Plan {
    fn known(&self, version: &str) -> Option<&Known> {
        self.known
            .iter()
            .find(|known| known.firmware.version == version)
    }

    fn judge<S: AsRef<str>>(&self, report: &Report<S>) -> Showing {
        if report.tpm_ok == Some(false) {
            return Showing::Bad(Problem::TpmFailed);
        }
        let Some(known) = self.known(report.version.as_ref()) else {
            return match (report.allowed || self.known.is_empty(), report.tpm_ok) {
                (false, _) => Showing::Bad(Problem::UnknownVersion),
                (true, None) if !report.allowed => Showing::Nothing,
                (true, _) => Showing::Good(None),
            };
        };
        let digests = &known.firmware.digests;
        let matches = |digest: &str| {
            digests
                .iter()
                .any(|known| known.eq_ignore_ascii_case(digest))
        };
        if !digests.is_empty()
            && report
                .digest
                .as_ref()
                .is_some_and(|digest| !matches(digest.as_ref()))
        {
            return Showing::Bad(Problem::WrongDigest);
        }
        // Without a day of release `None` sorts first and nothing is older.
        if !report.allowed && known.released.is_some() && known.released < report.newest {
            return Showing::Bad(Problem::Downgrade);
        }
        if !digests.is_empty() && report.digest.is_none() {
            return Showing::Nothing;
        }
        Showing::Good(known.released)
    }
}

impl Detector for FirmwareMismatch {
    const NAME: &'static str = "firmware_mismatch";
    const QUESTION: &'static str = "Does it run firmware that is not known to be good?";
    const CRIES_WOLF: &'static str = "An update before the profile knew of it.";
    const READS: &'static str = "firmware";
    const GRADE: &'static str = "HIGH";
    const PLANE: Plane = Plane::Firmware;
    const CLOCK: Clock = Clock::None;
    const WEIGHT: f32 = 0.0;

    type Plan = Plan;
    type State = State;
    type Inputs = Report<String>;

    fn plan(baseline: &Baseline, _: f32) -> Option<Plan> {
        let known = |firmware: &Firmware| Known {
            released: day_number(&firmware.released).ok(),
            firmware: firmware.clone(),
        };
        // A failed TPM quote needs no list to be wrong.
        Some(Plan {
            known: baseline.profile.firmware.iter().map(known).collect(),
            grade: baseline.grade(Self::NAME, Grade::High),
        })
    }

    fn on_attestation(
        plan: &Plan,
        state: &mut State,
        facts: &AttestationFacts,
    ) -> Signal<Report<String>> {
        let attestation = &facts.attestation;
        let report = Report {
            version: attestation.version,
            digest: attestation.digest,
            tpm_ok: attestation.tpm_ok,
            allowed: facts.maintenance_version == Some(attestation.version),
            newest: state.newest,
        };
        let without = Report {
            allowed: false,
            ..report
        };
        let excused = report.allowed && matches!(plan.judge(&without), Showing::Bad(_));
        match plan.judge(&report) {
            Showing::Bad(problem) => {
                state.wrong = Some(problem);
                rule::broken_state(plan.grade, 1.0, report.kept())
            }
            Showing::Nothing => Signal::Quiet,
            Showing::Good(_)
                if state.wrong == Some(Problem::TpmFailed) && report.tpm_ok.is_none() =>
            {
                Signal::Quiet
            }
            Showing::Good(released) => {
                // After an allowed step back the older release is the one to hold.
                state.newest = if report.allowed {
                    released
                } else {
                    state.newest.max(released)
                };
                match state.wrong.take() {
                    Some(_) => Signal::Over,
                    None if excused => Signal::Excused,
                    None => Signal::Quiet,
                }
            }
        }
    }

    fn change_profile(state: &mut State) {
        state.wrong = None;
    }

    fn assess(plan: &Plan, inputs: &Report<String>) -> Evidence {
        let problem = match plan.judge(inputs) {
            Showing::Bad(problem) => Some(problem),
            Showing::Good(_) | Showing::Nothing => None,
        };
        let newest = plan
            .known
            .iter()
            .rfind(|k| k.released.is_some() && k.released == inputs.newest);
        let newest = newest.map(|known| known.firmware.version.as_str());
        let known: Vec<_> = plan
            .known
            .iter()
            .map(|k| json!({ "version": k.firmware.version, "sha256": k.firmware.digests }))
            .collect();
        let words = Words {
            observed: json!({
                "problem": problem, "version": inputs.version, "sha256": inputs.digest,
                "tpm_ok": inputs.tpm_ok,
            }),
            expected: json!({ "firmware": known, "newest_seen": newest }),
            sentence: sentence(plan, inputs, problem, newest),
            clears: "A report of known good firmware, or this one added to the profile.".to_owned(),
            techniques: match problem {
                Some(Problem::TpmFailed) => &["T0857", "T0851"],
                Some(Problem::UnknownVersion) => &["T0857", "T0862"],
                _ => &["T0857"],
            },
        };
        rule::evidence(plan.grade, 1.0, words)
    }
}

fn sentence(
    plan: &Plan,
    inputs: &Report<String>,
    problem: Option<Problem>,
    newest: Option<&str>,
) -> String {
    let version = &inputs.version;
    match problem {
        Some(Problem::TpmFailed) => format!(
            "Its security chip (TPM) did not vouch for the firmware it runs, reported as {version}."
        ),
        Some(Problem::UnknownVersion) => format!(
            "It runs firmware {version}, which is none of the {} known good versions of its \
             profile.",
            plan.known.len()
        ),
        Some(Problem::WrongDigest) => {
            let digest = inputs.digest.as_deref().unwrap_or_default();
            let start: String = digest.chars().take(12).collect();
            format!(
                "It runs firmware {version} with digest {start}…, which is not a known good image \
                 of that version."
            )
        }
        Some(Problem::Downgrade) => format!(
            "It went back to the older firmware {version} after it had run {}: a downgrade.",
            newest.unwrap_or("a newer one")
        ),
        None => format!("It runs firmware {version}, which is known to be good."),
    }
}

#[cfg(test)]
mod tests;
