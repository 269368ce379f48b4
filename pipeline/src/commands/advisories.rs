//! `andon advisories check`: which devices have known vulnerabilities by the firmware they run.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use andon_emit::terminal::{printable, printable_json};
use andon_engine::Plant;
use andon_schemas::advisory::{
    Affected, Counts, DeviceAdvisories, FirmwareVersion, KnownVulnerability, VersionSource,
};
use andon_schemas::grade::RiskClass;
use andon_schemas::identity::DeviceId;
use andon_schemas::inventory::{Device, Function, Inventory};
use andon_schemas::problems::Problems;
use anyhow::anyhow;
use serde::Serialize;

use crate::advisories::{Attested, firmware, gather};
use crate::args::{AdvisoriesCommand, CheckArgs, Format};
use crate::blueprint::Blueprint;
use crate::exit::{Outcome, usage};
use crate::setting;
use crate::text::plant_moment;

/// Vulnerabilities of a kind of device that are printed; all are in JSON.
const PRINTED_MAX: usize = 20;
/// Devices of a kind that are named.
const NAMED_MAX: usize = 3;

/// Runs the command. A file with something wrong in it is told after everything else, and is a
/// failed check.
///
/// # Errors
/// If a path or the data folder is not there, or the inventory cannot be used.
pub fn run(
    command: &AdvisoriesCommand,
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<Outcome> {
    let AdvisoriesCommand::Check(args) = command;
    if let Some(folder) = &args.data
        && !folder.is_dir()
    {
        let folder = folder.display().to_string();
        return Err(usage(anyhow!(
            "there is no data folder `{}`",
            printable(&folder)
        )));
    }
    let plant = plant(args)?;
    let inventory = match &plant {
        Some(plant) => plant.inventory(),
        None => &setting::inventory(args.inventory.as_deref())?,
    };
    let attested = match &args.data {
        Some(folder) => Attested::read(folder)?,
        None => Attested::default(),
    };
    let gathered = gather(&args.advisories)?;
    let mut answer = Answer {
        lists: gathered.advisories.counts(),
        problems: gathered.problems,
        ..Answer::default()
    };
    let mut asked: BTreeMap<_, Arc<DeviceAdvisories>> = BTreeMap::new();
    for device in &inventory.devices {
        let make = device.make.as_deref();
        let runs = firmware(&attested, &device.id, make);
        answer.devices += 1;
        if make.is_none_or(|make| make.vendor.is_none() || make.models.is_empty()) {
            answer.unidentified += u64::from(device.function != Function::Server);
            continue;
        }
        answer.without_version += u64::from(runs.is_none());
        // Many devices are of one make and run the same.
        let key = (
            make,
            runs.as_ref()
                .map(|runs| (runs.version.clone(), runs.source)),
        );
        let found = asked.entry(key).or_insert_with(|| {
            let without_time = runs
                .clone()
                .map(|runs| FirmwareVersion { at: None, ..runs });
            Arc::new(gathered.advisories.of(make, without_time))
        });
        answer.take(inventory, device, runs, found);
    }
    answer
        .results
        .sort_by_key(|row| (worst(&row.found), row.device_id.clone()));
    match format {
        Format::Json => {
            // What others wrote stands there, and somebody may look at it.
            let json = serde_json::to_string_pretty(&answer)?;
            writeln!(out, "{}", printable_json(&json))?;
        }
        Format::Text => answer.print(inventory, out)?,
    }
    let fails = match args.fail_on.as_deref() {
        Some("affected") => answer.affected > 0,
        Some(_) => answer.affected + answer.cannot_tell > 0,
        None => false,
    };
    if fails || answer.lists.faulty > 0 {
        return Ok(Outcome::Failed);
    }
    Ok(Outcome::Done)
}

/// The plant of a run, if its inventory is to be used.
fn plant(args: &CheckArgs) -> anyhow::Result<Option<Arc<Plant>>> {
    let folder = args.data.as_deref().filter(|_| args.inventory.is_none());
    let newest = folder.map(Blueprint::newest).transpose().map_err(usage)?;
    newest.flatten().map(|newest| newest.compile()).transpose()
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
struct Answer {
    /// Devices that the inventory lists.
    devices: u64,
    /// Those, servers apart, of which it does not say vendor and model: nothing can be found of them.
    unidentified: u64,
    /// Those with vendor and model of which nobody said the version.
    without_version: u64,
    /// Those that are affected by something.
    affected: u64,
    /// Those that are affected by nothing that is known, and of which it cannot be told of something.
    cannot_tell: u64,
    /// How much was read.
    lists: Counts,
    /// What is wrong with files.
    problems: Vec<Problems>,
    /// Devices of which something is said, the worst first.
    results: Vec<Row>,
}

/// A device.
#[derive(Debug, Serialize)]
struct Row {
    device_id: DeviceId,
    device_type: String,
    segment: String,
    risk_class: RiskClass,
    safety_critical: bool,
    /// Event time of its attestation, if that is where its version is from.
    attested_at: Option<andon_schemas::time::EventTime>,
    #[serde(flatten)]
    found: Arc<DeviceAdvisories>,
}

impl Answer {
    fn take(
        &mut self,
        inventory: &Inventory,
        device: &Device,
        runs: Option<FirmwareVersion>,
        found: &Arc<DeviceAdvisories>,
    ) {
        if found.advisories.is_empty() {
            return;
        }
        if found.affected > 0 {
            self.affected += 1;
        } else {
            self.cannot_tell += 1;
        }
        let segment = inventory.segments.get(device.segment);
        self.results.push(Row {
            device_id: device.id.clone(),
            device_type: device.device_type.clone(),
            segment: segment
                .map(|segment| segment.name.clone())
                .unwrap_or_default(),
            risk_class: device.risk_class,
            safety_critical: device.safety_critical,
            attested_at: runs.and_then(|runs| runs.at),
            found: found.clone(),
        });
    }

    fn print(&self, inventory: &Inventory, out: &mut impl Write) -> anyhow::Result<()> {
        let lists = self.lists;
        writeln!(
            out,
            "advisories: {}, from files: {}, statements about products: {}",
            lists.advisories, lists.files, lists.statements
        )?;
        writeln!(
            out,
            "devices: {}, affected: {}, of these it cannot be told: {}",
            self.devices, self.affected, self.cannot_tell
        )?;
        if self.unidentified > 0 {
            writeln!(
                out,
                "nothing can be said of: {}, for which the inventory has no `vendor:` and `model:`",
                self.unidentified
            )?;
        }
        if self.without_version > 0 {
            writeln!(
                out,
                "firmware not known of: {}; write `firmware:`, or let them attest it",
                self.without_version
            )?;
        }
        for group in self
            .results
            .chunk_by(|a, b| Arc::ptr_eq(&a.found, &b.found))
        {
            print(group, inventory, out)?;
        }
        for problems in &self.problems {
            writeln!(out, "\n{}", printable_lines(&problems.to_string()))?;
        }
        if lists.faulty > 0 {
            writeln!(
                out,
                "\nfiles with something wrong in them: {}; the rest is used",
                lists.faulty
            )?;
        }
        Ok(())
    }
}

/// Devices of which the same is said.
fn print(group: &[Row], inventory: &Inventory, out: &mut impl Write) -> anyhow::Result<()> {
    let Some(first) = group.first() else {
        return Ok(());
    };
    let found = &first.found;
    let mut names: Vec<&str> = group.iter().map(|row| row.device_id.as_str()).collect();
    names.truncate(NAMED_MAX);
    let more = match group.len() - names.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    writeln!(out, "\n{}{more}", names.join(", "))?;
    let runs = match &found.firmware {
        None => "firmware not known".to_owned(),
        Some(runs) => {
            let from = match (runs.source, first.attested_at) {
                (VersionSource::Attested, Some(at)) => {
                    format!("attested {}", plant_moment(&inventory.clock, at))
                }
                (VersionSource::Attested, None) => "attested".to_owned(),
                (VersionSource::Inventory, _) => "by the inventory".to_owned(),
            };
            format!("firmware {} ({from})", runs.version)
        }
    };
    let critical = if first.safety_critical {
        ", safety critical"
    } else {
        ""
    };
    let line = format!(
        "  {} {}, {runs}; {}, {}{critical}",
        found.vendor.as_deref().unwrap_or_default(),
        found.model.as_deref().unwrap_or_default(),
        first.segment,
        first.risk_class
    );
    writeln!(out, "{}", printable(&line))?;
    for known in found.advisories.iter().take(PRINTED_MAX) {
        vulnerability(known, out)?;
    }
    let all = found.affected + found.cannot_tell;
    let left = all.saturating_sub(PRINTED_MAX as u64);
    if left > 0 {
        writeln!(out, "  and {left} more: see -o json")?;
    }
    Ok(())
}

fn vulnerability(known: &KnownVulnerability, out: &mut impl Write) -> anyhow::Result<()> {
    let verdict = match known.verdict {
        Affected::Affected => "affected",
        Affected::CannotTell => "cannot tell",
    };
    let score = known
        .cvss
        .map_or("CVSS unknown".to_owned(), |s| format!("CVSS {s:.1} of 10"));
    let line = format!(
        "  {:<16} {verdict:<12} {:<8} {score}  {} [{}]",
        known.cve,
        known.severity,
        known.title,
        known.advisories.join(", ")
    );
    writeln!(out, "{}", printable(&line))?;
    let fixed = known.fixed_in.as_ref();
    let fixed = fixed.map_or(String::new(), |version| format!(" Fixed in {version}."));
    writeln!(
        out,
        "{}",
        printable(&format!("      {}{fixed}", known.reason))
    )?;
    if let Some(url) = &known.url {
        writeln!(out, "      {}", printable(url))?;
    }
    Ok(())
}

fn printable_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(printable).collect();
    lines.join("\n")
}

/// Orders by the worst that is said, that first.
fn worst(found: &DeviceAdvisories) -> impl Ord + use<> {
    let tenths = |known: &KnownVulnerability| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a score lies between 0 and 10"
        )]
        let tenths = known.cvss.map(|score| (score * 10.0) as u32);
        tenths
    };
    let first = found.advisories.first();
    Reverse((
        first.map(|known| (known.verdict, known.severity, tenths(known))),
        found.affected,
        found.cannot_tell,
        found.vendor.clone(),
        found.model.clone(),
        found.firmware.as_ref().map(|runs| runs.version.clone()),
    ))
}
