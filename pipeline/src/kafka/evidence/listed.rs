//! `incidents.jsonl`: the incidents of the desks that this process held, for whoever sits at it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use andon_schemas::incident::Incident;
use serde::Deserialize;

use crate::results::{INCIDENTS, cut_torn_line};

/// So many are known by name; a revision of another one may stand in the file twice.
const KNOWN_MAX: usize = 50_000;

/// The file.
#[derive(Debug, Default)]
pub(super) struct Listed {
    path: PathBuf,
    file: Option<File>,
    known: HashMap<String, u32>,
    is_failing: bool,
}

/// What is known of a line.
#[derive(Deserialize)]
struct Line {
    incident_id: String,
    revision: u32,
}

impl Listed {
    pub(super) fn within(data: &Path) -> Self {
        Self {
            path: data.join(INCIDENTS),
            ..Self::default()
        }
    }

    /// Writes a revision that does not stand there. A disk that fails is told once.
    pub(super) fn take(&mut self, incident: &Incident) {
        match self.write(incident) {
            Ok(()) => self.is_failing = false,
            Err(error) => {
                self.file = None;
                if !std::mem::replace(&mut self.is_failing, true) {
                    let path = self.path.display();
                    tracing::error!("cannot write `{path}`: {error}; incidents are in the cluster");
                }
            }
        }
    }

    fn write(&mut self, incident: &Incident) -> io::Result<()> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.open()?,
        };
        let known = self.known.get(&incident.incident_id);
        if known.is_none_or(|known| *known < incident.revision) {
            let mut line = serde_json::to_vec(incident)?;
            line.push(b'\n');
            file.write_all(&line)?;
            if self.known.len() < KNOWN_MAX {
                let id = incident.incident_id.clone();
                self.known.insert(id, incident.revision);
            }
        }
        self.file = Some(file);
        Ok(())
    }

    fn open(&mut self) -> io::Result<File> {
        cut_torn_line(&self.path)?;
        let file = File::options()
            .create(true)
            .append(true)
            .read(true)
            .open(&self.path)?;
        let lines = BufReader::new(File::open(&self.path)?);
        for line in lines.split(b'\n') {
            if let Ok(line) = serde_json::from_slice::<Line>(&line?)
                && self.known.len() < KNOWN_MAX
            {
                self.known.insert(line.incident_id, line.revision);
            }
        }
        Ok(file)
    }
}
