//! What can be done to the plant: one file per attack, one line each in [`ATTACKS`].
//!
//! An attack writes rows of its own and changes those of its victims; it says what it did in a
//! [`Label`], which is the ground truth that detection is measured by.

mod c2_beacon;
mod change;
mod cnc_program_download;
mod cnc_unknown_destination;
mod firmware_swap;
mod idle_current_mining;
mod low_and_slow_exfil;
mod off_hours_maintenance;
mod plc_night_exfil;
mod plc_under_attack;
mod robot_to_paint_shop;
mod scene;
mod silent_sensor;
mod spindle_overspeed;
mod spoofed_device;
mod stuck_sensor;
mod talk;
mod volume_3x;
mod volume_ladder;

use std::collections::BTreeMap;

use andon_schemas::grade::Grade;
use andon_schemas::observation::Record;
use andon_schemas::time::{EventTime, Span};

pub(crate) use change::Change;
pub(crate) use scene::Scene;

use crate::label::Label;

/// One kind of attack.
#[derive(Clone, Copy, Debug)]
pub struct AttackKind {
    /// As `--attack` takes it.
    pub name: &'static str,
    /// The question an operator would ask.
    pub question: &'static str,
    /// The grade its episode must reach.
    pub expected: Grade,
    /// When it happens.
    pub when: &'static str,
    /// No grade is due: its findings belong to a later release, or it measures what share of
    /// devices is found.
    pub later: bool,
    script: fn(&Scene<'_>) -> Result<Script, String>,
}

/// What an attack leaves behind.
#[derive(Debug)]
struct Script {
    /// One for each device that a verdict must name.
    labels: Vec<Label>,
    /// The capture must reach to here for the attack to be recognisable.
    needs: EventTime,
    rows: Vec<Record>,
    /// Changes by number of the unit.
    changes: Vec<(usize, Change)>,
}

/// Every attack, worst first; those that are due no grade come last.
pub const ATTACKS: &[AttackKind] = &[
    plc_night_exfil::KIND,
    cnc_unknown_destination::KIND,
    robot_to_paint_shop::KIND,
    c2_beacon::KIND,
    plc_under_attack::KIND,
    cnc_program_download::KIND,
    firmware_swap::KIND,
    spindle_overspeed::KIND,
    spoofed_device::KIND,
    volume_3x::KIND,
    idle_current_mining::KIND,
    stuck_sensor::KIND,
    silent_sensor::KIND,
    off_hours_maintenance::KIND,
    low_and_slow_exfil::KIND,
    volume_ladder::KIND,
];

/// All attacks of a simulation together.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) labels: Vec<Label>,
    pub(crate) rows: Vec<Record>,
    pub(crate) changes: BTreeMap<usize, Vec<Change>>,
}

/// Plans the named attacks.
///
/// # Errors
/// Names every attack that does not exist, has no victim here, or needs more hours.
pub(crate) fn plan(scene: &Scene<'_>, names: &[String]) -> Result<Plan, String> {
    let mut plan = Plan {
        labels: Vec::new(),
        rows: Vec::new(),
        changes: BTreeMap::new(),
    };
    let mut problems = Vec::new();
    for name in names {
        match script(scene, name) {
            Ok(script) => {
                plan.labels.extend(script.labels);
                plan.rows.extend(script.rows);
                for (unit, change) in script.changes {
                    plan.changes.entry(unit).or_default().push(change);
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(problems.join("\n"));
    }
    plan.labels
        .sort_by(|a, b| (a.start, &a.attack, &a.device).cmp(&(b.start, &b.attack, &b.device)));
    plan.rows.sort_by_key(|row| row.event_time);
    plan.rows.retain(|row| row.event_time < scene.end);
    Ok(plan)
}

fn script(scene: &Scene<'_>, name: &str) -> Result<Script, String> {
    let kind = ATTACKS
        .iter()
        .find(|kind| kind.name == name)
        .ok_or_else(|| {
            let known: Vec<&str> = ATTACKS.iter().map(|kind| kind.name).collect();
            format!("attack `{name}` is none of {}", known.join(", "))
        })?;
    let mut script = (kind.script)(scene).map_err(|e| format!("attack `{name}`: {e}"))?;
    if script.needs > scene.end {
        let hour = Span::HOUR.micros();
        let hours = (script.needs.since(scene.start).micros() + hour - 1) / hour;
        let begins = script.labels.first().map_or(scene.start, |l| l.start);
        return Err(format!(
            "attack `{name}` begins at {begins} and needs at least {hours} hours from {}",
            scene.start
        ));
    }
    for label in &mut script.labels {
        label.end = label.end.min(scene.end);
    }
    Ok(script)
}

impl AttackKind {
    /// The label of an attack of this kind.
    fn label(
        &self,
        victim: &scene::Victim<'_>,
        from: EventTime,
        to: EventTime,
        note: &str,
    ) -> Label {
        Label {
            attack: self.name.to_owned(),
            device: victim.unit.id.clone(),
            peer: None,
            start: from,
            end: to,
            expected_grade: self.expected,
            at_least: false,
            detectors: Vec::new(),
            later: self.later,
            note: note.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
