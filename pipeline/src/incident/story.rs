//! The story of an incident: its verdicts, what was done about them, and when.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;

use andon_respond::device_view;
use andon_schemas::act::{Ack, ActKind};
use andon_schemas::audit::{AuditEntry, AuditEvent};
use andon_schemas::evidence::Manifest;
use andon_schemas::identity::DeviceId;
use andon_schemas::incident::{Incident, IncidentState};
use andon_schemas::order::Order;
use andon_schemas::time::{EventTime, Span};
use andon_schemas::verdict::{State, Verdict};
use anyhow::{Context as _, anyhow};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::advisories::counted::{self, Counted};
use crate::evidence::{self, FOLDER};
use crate::exit::usage;
use crate::results::{AUDIT, INCIDENTS, VERDICTS};

/// So many moments are told; of a longer story the first and the last half.
const MOMENTS_MAX: usize = 2_000;

/// What is done by hand about a device of an incident belongs to it until so long after its end.
const AFTERWARDS: Span = Span::DAY;

/// One line of a timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// When, event time.
    pub at: EventTime,
    /// `verdict`, or the kind of entry of the audit trail.
    pub kind: &'static str,
    /// The device.
    pub device: String,
    /// The person or the enforcement point that did it.
    pub by: Option<String>,
    /// What happened.
    pub what: String,
}

/// All that is known of an incident.
#[derive(Clone, Debug, Serialize)]
pub struct Story {
    /// The incident.
    pub incident: Incident,
    /// The newest revision of each of its verdicts.
    pub verdicts: Vec<Verdict>,
    /// The commands that followed, as they stand now.
    pub commands: Vec<Order>,
    /// What happened, in order.
    pub timeline: Vec<Moment>,
    /// Moments that were left out of the middle.
    pub left_out: usize,
    /// How many vulnerabilities are known of the firmware of its devices, as of now.
    pub advisories: BTreeMap<DeviceId, Counted>,
    /// What was kept of the records.
    pub evidence: Option<Manifest>,
}

/// The newest revision of every incident of a run, the one in which something happened last first.
///
/// # Errors
/// If the folder is not one of a run.
pub fn newest(data: &Path) -> anyhow::Result<Vec<Incident>> {
    let mut found: BTreeMap<String, Incident> = BTreeMap::new();
    each_line(&data.join(INCIDENTS), true, |incident: Incident| {
        let id = incident.incident_id.clone();
        let is_newer = found
            .get(&id)
            .is_none_or(|known| known.revision < incident.revision);
        if is_newer {
            found.insert(id, incident);
        }
    })?;
    let mut all: Vec<Incident> = found.into_values().collect();
    all.sort_by_key(|incident| {
        let is_open = incident.state == IncidentState::Open;
        std::cmp::Reverse((is_open, incident.last))
    });
    Ok(all)
}

impl Story {
    /// Puts together what a run wrote about an incident, which is named by its id or the beginning
    /// of it.
    ///
    /// # Errors
    /// If there is none, or several, or a file cannot be read.
    pub fn of(data: &Path, id: &str) -> anyhow::Result<Self> {
        let mut found = newest(data)?;
        found.retain(|incident| incident.incident_id.starts_with(id));
        let incident = match found.len() {
            0 => return Err(usage(anyhow!("no incident `{id}` in `{}`", data.display()))),
            1 => found.remove(0),
            n => {
                return Err(usage(anyhow!(
                    "{n} incidents begin with `{id}`: write more of it"
                )));
            }
        };
        let ids: HashSet<&str> = incident
            .verdicts
            .iter()
            .map(|involved| involved.verdict_id.as_str())
            .collect();
        let mut timeline = Vec::new();
        let mut verdicts: BTreeMap<String, Verdict> = BTreeMap::new();
        each_line(&data.join(VERDICTS), true, |verdict: Verdict| {
            if !ids.contains(verdict.verdict_id.as_str()) {
                return;
            }
            let before = verdicts.get(&verdict.verdict_id);
            if before.is_some_and(|before| before.revision >= verdict.revision) {
                return;
            }
            let is_told = verdict.state != State::Updated
                || before.is_some_and(|before| before.findings.len() != verdict.findings.len());
            if is_told {
                timeline.push(revised(&verdict));
            }
            verdicts.insert(verdict.verdict_id.clone(), verdict);
        })?;
        let mut commands: BTreeMap<String, Order> = BTreeMap::new();
        let devices: HashSet<&str> = incident
            .verdicts
            .iter()
            .map(|involved| involved.device_id.as_str())
            .collect();
        each_line(&data.join(AUDIT), false, |entry: AuditEntry| {
            if let Some(moment) = done(&entry, &incident, &ids, &devices, &commands) {
                timeline.push(moment);
                if let Some(order) = entry.order {
                    commands.insert(order.command.command_id.clone(), *order);
                }
            }
        })?;
        timeline.sort_by_key(|moment| moment.at);
        let left_out = timeline.len().saturating_sub(MOMENTS_MAX);
        if left_out > 0 {
            timeline.drain(MOMENTS_MAX / 2..MOMENTS_MAX / 2 + left_out);
        }
        let mut advisories = counted::read(data)?;
        advisories.retain(|device, _| devices.contains(device.as_str()));
        let folder = data.join(FOLDER).join(&incident.incident_id);
        Ok(Self {
            verdicts: in_order(&incident, verdicts),
            commands: commands.into_values().collect(),
            timeline,
            left_out,
            advisories,
            evidence: evidence::manifest(&folder)?,
            incident,
        })
    }
}

impl Story {
    /// What would end what still stands, each sentence once.
    pub fn clears(&self) -> Vec<&str> {
        let mut told: Vec<&str> = Vec::new();
        for finding in self.verdicts.iter().flat_map(|verdict| &verdict.findings) {
            let clears = finding.clears.as_str();
            if finding.active && !clears.is_empty() && !told.contains(&clears) {
                told.push(clears);
            }
        }
        told
    }
}

/// The verdicts as the incident lists them.
fn in_order(incident: &Incident, mut verdicts: BTreeMap<String, Verdict>) -> Vec<Verdict> {
    let listed = incident.verdicts.iter();
    listed
        .filter_map(|involved| verdicts.remove(&involved.verdict_id))
        .collect()
}

fn revised(verdict: &Verdict) -> Moment {
    let grade = verdict.grade;
    let what = match verdict.state {
        State::Raised => format!("{grade} raised: {}", verdict.sentence),
        State::Escalated => format!("escalated to {grade}: {}", verdict.sentence),
        State::Updated => format!("{grade}, more was found: {}", verdict.sentence),
        State::Cleared => "cleared".to_owned(),
    };
    Moment {
        at: verdict.window.end.max(verdict.event_time),
        kind: "verdict",
        device: verdict.device_id.to_string(),
        by: None,
        what,
    }
}

/// An entry of the audit trail, if it is about this incident.
fn done(
    entry: &AuditEntry,
    incident: &Incident,
    ids: &HashSet<&str>,
    devices: &HashSet<&str>,
    commands: &BTreeMap<String, Order>,
) -> Option<Moment> {
    let until = incident.over.unwrap_or(EventTime::MAX) + AFTERWARDS;
    let is_meanwhile = (incident.began..=until).contains(&entry.at);
    let device = match (&entry.order, &entry.act, &entry.ack) {
        (Some(order), ..) => {
            let command = &order.command;
            let own = ids.contains(command.verdict_id.as_str());
            let by_hand = command.verdict_id.starts_with("act:")
                && devices.contains(command.device_id.as_str())
                && is_meanwhile;
            (own || by_hand).then(|| command.device_id.to_string())?
        }
        (None, Some(act), _) => match &act.kind {
            ActKind::Judge { incident_id, .. } => {
                (*incident_id == incident.incident_id).then(String::new)?
            }
            ActKind::Approve { command_id }
            | ActKind::Reject { command_id }
            | ActKind::Release { command_id } => {
                let order = commands.get(command_id)?;
                order.command.device_id.to_string()
            }
            ActKind::ReleaseDevice { device }
            | ActKind::Quarantine { device, .. }
            | ActKind::Suppress { device, .. } => {
                let own = devices.contains(device.as_str()) && is_meanwhile;
                own.then(|| device.to_string())?
            }
        },
        (None, None, Some(ack)) => {
            let order = match &ack.command_id {
                Some(id) => commands.get(id)?,
                None => commands.values().find(|order| is_of(ack, order))?,
            };
            order.command.device_id.to_string()
        }
        (None, None, None) => return None,
    };
    let what = match (entry.event, &entry.act) {
        (AuditEvent::Act, Some(act)) => format!("{}: {}", words_of(&act.kind), act.reason),
        (AuditEvent::ActRefused, Some(act)) => {
            format!("{}, not done: {}", words_of(&act.kind), entry.detail)
        }
        (AuditEvent::Ack, _) => {
            let result = entry.ack.as_ref().map_or("", |ack| ack.result.as_str());
            format!("answered: {result} {}", entry.detail)
        }
        (AuditEvent::AckRefused, _) => format!("an answer was not believed: {}", entry.detail),
        _ => entry.detail.clone(),
    };
    Some(Moment {
        at: entry.at,
        kind: entry.event.as_str(),
        device,
        by: entry.by.clone(),
        what: what.trim_end().to_owned(),
    })
}

/// Whether an answer that names a command as its device reads it speaks of this one.
fn is_of(ack: &Ack, order: &Order) -> bool {
    let seen = device_view(&order.command);
    seen.is_some_and(|seen| Some(seen.key) == ack.key)
}

fn words_of(kind: &ActKind) -> String {
    match kind {
        ActKind::Approve { .. } => "approved".to_owned(),
        ActKind::Reject { .. } => "rejected".to_owned(),
        ActKind::Release { .. } => "released".to_owned(),
        ActKind::ReleaseDevice { .. } => "released everything".to_owned(),
        ActKind::Quarantine { .. } => "quarantined by hand".to_owned(),
        ActKind::Suppress { hours, .. } => format!("commands held back for {hours} h"),
        ActKind::Judge { judgement, .. } => {
            format!("judged {}", judgement.as_str().replace('_', " "))
        }
    }
}

/// Reads a file of JSON lines. A line without an end is one that a crash, or the moment of reading,
/// cut in half.
pub fn each_line<T: DeserializeOwned>(
    path: &Path,
    must_be: bool,
    mut take: impl FnMut(T),
) -> anyhow::Result<()> {
    let cannot = || format!("cannot read `{}`", path.display());
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !must_be => return Ok(()),
        Err(error) => return Err(usage(anyhow!(error).context(cannot()))),
    };
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let (mut line, mut number) = (Vec::new(), 0_u64);
    loop {
        line.clear();
        number += 1;
        reader.read_until(b'\n', &mut line).with_context(cannot)?;
        if line.pop() != Some(b'\n') {
            return Ok(());
        }
        take(
            serde_json::from_slice(&line)
                .with_context(|| format!("`{}`, line {number}", path.display()))
                .map_err(usage)?,
        );
    }
}
