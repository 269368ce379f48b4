//! The ground truth as it is written, and everything that is wrong with it: one label a line, as
//! `simulate` writes them; a CSV; or a connection log of Zeek with a column of labels.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use andon_schemas::inventory::Inventory;
use andon_simulator::{ATTACKS, Label};
use anyhow::{Context as _, anyhow};

use crate::exit::usage;
use crate::setting::detector_names;

mod table;
mod zeek;

/// Most problems that are told one by one.
const TOLD_MAX: usize = 20;

/// Labels, and where they were written.
#[derive(Debug)]
pub struct Labels {
    path: PathBuf,
    /// The line of each, from 1.
    lines: Vec<usize>,
    all: Vec<Label>,
    /// Labelled traffic, of which attacks are made once it is known whose the addresses are.
    traffic: Option<zeek::Traffic>,
}

impl Labels {
    /// Reads labels of any of the three forms.
    ///
    /// # Errors
    /// Every line that is no label, or that names a detector that there is not; of labels as
    /// `simulate` writes them, also an attack.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let cannot = || format!("cannot read labels `{}`", path.display());
        let file = File::open(path).with_context(cannot).map_err(usage)?;
        let mut file = BufReader::new(file);
        let start = file.fill_buf().with_context(cannot).map_err(usage)?;
        let (is_zeek, is_table) = (zeek::looks_like(start), table::looks_like(start));
        let mut read = Self {
            path: path.to_owned(),
            lines: Vec::new(),
            all: Vec::new(),
            traffic: None,
        };
        let mut problems = Vec::new();
        if is_zeek {
            let traffic = zeek::read(file, path).map_err(usage)?;
            read.traffic = Some(traffic);
            return Ok(read);
        }
        let mut text = String::new();
        file.read_to_string(&mut text)
            .with_context(cannot)
            .map_err(usage)?;
        if is_table {
            for (line, label) in table::read(&text) {
                match label {
                    Ok(label) => read.push(line, label),
                    Err(problem) => problems.push((line, problem)),
                }
            }
            read.refuse(&problems)?;
            return Ok(read);
        }
        for (line, text) in (1..).zip(text.lines()) {
            if text.trim().is_empty() {
                continue;
            }
            match serde_json::from_str(text) {
                Ok(label) => {
                    problems.extend(contradictions(&label).map(|problem| (line, problem)));
                    read.push(line, label);
                }
                Err(error) => problems.push((line, no_label(&error))),
            }
        }
        read.refuse(&problems)?;
        Ok(read)
    }

    fn push(&mut self, line: usize, label: Label) {
        self.lines.push(line);
        self.all.push(label);
    }

    /// Gives every device that goes by an address the name that the inventory has for it.
    pub fn resolve(&mut self, inventory: &Inventory) {
        if let Some(traffic) = &self.traffic {
            self.all = traffic.attacks(inventory);
            self.lines.clear();
        }
        for label in &mut self.all {
            let address = label.device.as_str().strip_prefix("ip:");
            let address = address.and_then(|text| text.parse().ok());
            if let Some(listed) = address.and_then(|address| inventory.at_address(address)) {
                label.device = listed.id.clone();
            }
        }
    }

    /// The labels, in the order written.
    pub fn all(&self) -> &[Label] {
        &self.all
    }

    /// Makes sure that every device is one that a verdict could name: of the inventory, or taken
    /// by address.
    ///
    /// # Errors
    /// Every line whose device there is not.
    pub fn check_devices(&self, inventory: &Inventory) -> anyhow::Result<()> {
        let problems: Vec<_> = self
            .lines
            .iter()
            .zip(&self.all)
            .filter(|(_, label)| {
                let device = label.device.as_str();
                !device.starts_with("ip:") && inventory.device(device).is_none()
            })
            .map(|(line, label)| {
                let device = &label.device;
                (*line, format!("device `{device}` is not in the inventory"))
            })
            .collect();
        self.refuse(&problems)
    }

    fn refuse(&self, problems: &[(usize, String)]) -> anyhow::Result<()> {
        if problems.is_empty() {
            return Ok(());
        }
        let mut told = vec![format!("labels `{}` cannot be used", self.path.display())];
        told.extend(
            problems
                .iter()
                .take(TOLD_MAX)
                .map(|(line, problem)| format!("  line {line}: {problem}")),
        );
        if problems.len() > TOLD_MAX {
            told.push(format!("  and {} more", problems.len() - TOLD_MAX));
        }
        Err(usage(anyhow!(told.join("\n"))))
    }
}

/// Why a line is no label, with the column alone: the line is said before.
fn no_label(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let cause = text
        .rsplit_once(" at line ")
        .map_or(text.as_str(), |(cause, _)| cause);
    format!("not a label: {cause} (column {})", error.column())
}

/// What is wrong with a label of ours that can be read.
fn contradictions(label: &Label) -> impl Iterator<Item = String> {
    let is_known =
        label.ladder_factor().is_some() || ATTACKS.iter().any(|attack| attack.name == label.attack);
    let attack = (!is_known).then(|| {
        format!(
            "attack {:?} is not known; `andon simulate --attack list` lists those that are",
            label.attack
        )
    });
    let backwards = (label.end < label.start).then(|| "attack ends before it starts".to_owned());
    let known = detector_names();
    let detectors = label
        .detectors
        .iter()
        .filter(move |name| !known.contains(&name.as_str()))
        .map(|name| format!("detector {name:?} is not known"));
    attack.into_iter().chain(backwards).chain(detectors)
}
